"""Processes that talk to each other in memory or on real sockets, for tests of connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import trio
import trio.testing

from transports.net import wire
from transports.net.connection import Connections, Me, Peer
from transports.net.dialling import ConnectError
from transports.net.frames import Frames
from transports.net.greeting import Greeting
from transports.net.heartbeat import HEARTBEAT_SECONDS
from transports.net.limits import SHORT_BYTES
from transports.net.peer import Link
from transports.net.security import Security
from transports.net.wire import Envelope, Told

HERE, THERE, ELSEWHERE = "127.0.0.1:4001", "127.0.0.1:4002", "127.0.0.1:4003"
OPEN = Security()
HEARTBEAT = HEARTBEAT_SECONDS  # unless a test wants another
SECONDS_MAX = 50_000  # of a test, by the clock of tests
HELLO = wire.encode(Me(5, ELSEWHERE).hello(token=False))

Ends = tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]
Pair = Callable[[], Ends]


def said(text: object) -> bytes:
    """A frame that carries some text."""
    return wire.encode(Told({"text": str(text)}))


def fed(frames: Frames, data: bytes | bytearray) -> Iterator[Envelope]:
    """The envelopes that are complete with `data`, as a connection hears them."""
    frames.keep(data)
    while (frame := frames.take()) is not None:
        yield wire.decode(frame) if len(frame) <= SHORT_BYTES else wire.heard(frame)


class Party:
    """One process: what has happened to it stands in `log`."""

    def __init__(
        self,
        net: Net,
        address: str | None,
        security: Security = OPEN,
        number: int | None = None,
        heartbeat_seconds: float = HEARTBEAT,
    ) -> None:
        number = wire.random_number() if number is None else number
        self.me = Me(number, address, nodes=7)
        self.log: list[str] = []
        self.receiving = trio.Event()  # what is received waits until it is set
        self.receiving.set()
        self.connections = Connections(
            self.me,
            security,
            net.nursery,
            self._receive,
            lambda peer: self.log.append(f"lost {peer.name}"),
            lambda peer: self.log.append(f"met {peer.name}"),
            heartbeat_seconds,
            net.dial,
        )

    async def _receive(self, peer: Peer, envelope: Envelope, link: Link) -> None:
        await self.receiving.wait()
        text = envelope.status["text"] if isinstance(envelope, Told) else type(envelope).__name__
        self.log.append(f"{peer.name}: {text}")

    def texts(self) -> list[str]:
        """What was received, without who said it."""
        return [entry.split(": ")[1] for entry in self.log if ": " in entry]

    def peer(self) -> Peer:
        """The only one."""
        (peer,) = self.connections.peers.values()
        return peer


class Net:
    """Those who listen, by address. `dialled` are the addresses that were, in order."""

    def __init__(self, nursery: trio.Nursery, pair: Pair = trio.testing.memory_stream_pair) -> None:
        self.nursery = nursery
        self.parties: dict[str, Party] = {}
        self.dialled: list[str] = []
        self.times: list[float] = []
        self._pair = pair
        nursery.start_soon(self._end)

    async def _end(self) -> None:
        await trio.sleep(SECONDS_MAX)
        raise AssertionError("it takes for ever")

    def party(
        self,
        address: str | None,
        security: Security = OPEN,
        number: int | None = None,
        heartbeat_seconds: float = HEARTBEAT,
    ) -> Party:
        """A process, which listens if it has an address."""
        party = Party(self, address, security, number, heartbeat_seconds)
        if address is not None:
            self.parties[address] = party
        return party

    async def dial(self, address: str) -> trio.abc.Stream:
        """In place of transports.net.dialling.dial."""
        self.dialled.append(address)
        self.times.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if address not in self.parties:
            raise ConnectError(f"{address}: nobody listens there")
        return self.connect(self.parties[address])

    def connect(self, party: Party) -> trio.abc.HalfCloseableStream:
        """A stream to it."""
        mine, its = self._pair()
        self.nursery.start_soon(party.connections.accept, its)
        return mine


class Stranger:
    """Somebody who speaks the protocol by hand."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.frames = Frames()

    async def greet(
        self, me: Me | None = None, token: bytes | None = None, dials: bool = True
    ) -> None:
        """As a good process does."""
        greeting = Greeting(self.stream, me or Me(wire.random_number(), None), token, dials)
        await greeting.hear()
        await greeting.prove()
        self.frames = greeting.frames

    async def say(self, *frames: bytes) -> None:
        """Send bytes."""
        await self.stream.send_all(b"".join(frames))

    async def hear(self) -> Envelope | None:
        """What comes next; None if nothing will."""
        while (payload := self.frames.take()) is None:
            try:
                data = await self.stream.receive_some()
            except trio.BrokenResourceError:
                return None
            if not data:
                return None
            self.frames.keep(data)
        return wire.decode(payload)

    async def is_left_alone(self) -> None:
        """Waits until the other end has closed; what it says before is not looked at."""
        with suppress(trio.BrokenResourceError):
            while await self.stream.receive_some():
                pass


async def until(condition: Callable[[], bool]) -> None:
    """Waits for it; for real sockets, where no clock jumps."""
    while not condition():  # noqa: ASYNC110  there is nothing that would tell
        await trio.sleep(0.001)


async def settled() -> None:
    """Waits until nothing happens any more, in memory."""
    await trio.testing.wait_all_tasks_blocked(0.01)


async def serve(
    nursery: trio.Nursery, handler: Callable[[trio.SocketStream], Awaitable[None]]
) -> str:
    """Listen on a real socket; returns the address."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, handler, [listener])
    return f"127.0.0.1:{listener.socket.getsockname()[1]}"
