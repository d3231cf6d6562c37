"""Another process, and what is kept for it. `transports.net.connection` says what happens to it."""

from __future__ import annotations

from collections import deque

import attrs
import trio

from core.messages import Node
from transports.net.dialling import origin
from transports.net.frames import Frames
from transports.net.wire import Hello

KEPT_STEP_BYTES = 2**20  # whenever so much more is kept of one, all are looked at
SEND_BYTES = 2**16  # are put together into one send, where there is as much


@attrs.define(eq=False)
class Link:
    """One connection to it."""

    stream: trio.abc.Stream
    frames: Frames
    dialled: str | None  # at this address, by this process; None: it was dialled
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)  # of the task that reads
    silent: int = 0  # sweeps since something came
    busy: bool = False  # with what came, so that nothing more is read
    pinging: bool = False
    kept_steps: int = 0  # of so many bytes, of a frame that is not complete, when last seen to


@attrs.define(eq=False)
class Peer:
    """Another process, for as long as it is connected, or being dialled."""

    name: str
    hello: Hello | None = None
    nodes: dict[Node, None] = attrs.Factory(dict)  # that spoke from there
    links: list[Link] = attrs.Factory(list)  # it is written to the first
    gone: bool = False  # nothing more is heard
    parting: bool = False  # when all is said
    reason: str = ""  # why it is gone, or will be in a moment
    refused: bool = False  # by this process: what it has said is not looked at any more
    final: bool = False  # and of no use to dial again as it is
    aliases: tuple[str, ...] = ()  # other addresses at which it was dialled
    dialling: trio.CancelScope | None = None
    writing: bool = False  # a task is about what waits
    unpinged: int = 0  # sweeps since it was last told that this process lives
    waiting: deque[bytes] | None = None
    waiting_bytes: int = 0

    @property
    def bytes_kept(self) -> int:
        """What waits for it, and what it has said by halves."""
        return self.waiting_bytes + sum([link.frames.bytes_kept for link in self.links])

    @property
    def greeted(self) -> bool:
        """Whether it is connected."""
        return bool(self.links) and not self.gone

    @property
    def number(self) -> int:
        """Of the process; -1 while nobody has answered there."""
        return self.hello.number if self.hello else -1

    @property
    def address(self) -> str | None:
        """Where others can dial it."""
        return self.hello.address if self.hello else None

    def keep(self, frame: bytes) -> None:
        """Have `frame` sent, after those before it."""
        if self.waiting is None:
            self.waiting = deque()
        self.waiting.append(frame)
        self.waiting_bytes += len(frame)

    def batch(self) -> bytes:
        """What one send is to carry, at least a frame."""
        waiting = self.waiting
        assert waiting
        frames = [waiting.popleft()]
        size = len(frames[0])
        while waiting and size < SEND_BYTES:
            frames.append(frame := waiting.popleft())
            size += len(frame)
        self.waiting_bytes -= size
        return b"".join(frames)

    def drop(self) -> None:
        """Nothing of what waits will be sent."""
        self.waiting, self.waiting_bytes = None, 0

    def cancel(self) -> None:
        """Close all that there is."""
        if self.dialling:
            self.dialling.cancel()
        for link in self.links:
            link.scope.cancel()


def joins(peer: Peer) -> bool:
    """Whether it is a process with nodes."""
    return peer.hello is not None and peer.hello.nodes > 0


def called(peer: Peer) -> str:
    """What it is called for people: where it listens, or else where it was connected from."""
    return peer.address or (origin(peer.links[0].stream) if peer.links else peer.name)
