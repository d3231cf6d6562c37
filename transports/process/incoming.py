"""Where what other processes say comes in: as much as there is room for, each to whom it is for.

Rules it keeps:
- What one peer has wait here is bounded, and so is what all have. Others need not wait for more.
- What a peer says costs no more than its own connection, even where it makes something here fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from core.sessions.states import IllegalStep
from transports.net.connection import NO_MEMORY
from transports.net.errors import RemoteProtocolError
from transports.net.peer import Link, Peer
from transports.net.wire import Envelope
from transports.process.queue import Queue

SHARE_MAX = 200  # things to do are of one process
QUEUE_BYTES_MAX = 2**21  # of the frames in which they were said; objects take some times as much

Handler = Callable[[Peer, Any, Link], None]  # who says it, what, and on which connection


class Incoming:
    """`handlers`: who deals with each kind of envelope. `cut` ends the connection of a peer."""

    def __init__(self, queue: Queue, cut: Callable[[Peer, str], None]) -> None:
        self.handlers: dict[type, Handler] = {}
        self.offences = 0
        self.waiting_bytes = 0  # of what waits
        self.doing: Counter[Peer] = Counter()  # of what each has said, what is still to be done
        self.cut = cut
        self._queue = queue

    async def take(self, peer: Peer, envelope: Envelope, link: Link) -> None:
        """`peer` has said that. It is read on when there is room for it."""
        size = link.frames.taken
        while not self._has_room(peer):
            await self._queue.wait_for_room()
        if not peer.gone:  # a second stream may have had something when the first was lost
            self.doing[peer] += 1
            self.waiting_bytes += size
            self._queue.post(self._heard, peer, envelope, link, size)

    def _has_room(self, peer: Peer) -> bool:
        """Whether more may be heard from `peer` by now."""
        full = self._queue.is_full or self.waiting_bytes >= QUEUE_BYTES_MAX
        return not full and self.doing[peer] < SHARE_MAX

    def _heard(self, peer: Peer, envelope: Envelope, link: Link, size: int) -> None:
        self.doing[peer] -= 1
        if not self.doing[peer]:
            del self.doing[peer]
        self.waiting_bytes -= size
        if not peer.refused:
            handler = self.handlers.get(type(envelope), not_meant)
            self.attempt(peer, envelope, handler, peer, envelope, link)

    def attempt(
        self, peer: Peer, said: Envelope, action: Callable[..., None], *arguments: Any
    ) -> None:
        """Do what follows from what a peer has said. If that fails, it costs its connection."""
        try:
            action(*arguments)
        except RemoteProtocolError as error:
            self.offences += 1
            self.cut(peer, str(error))
        except IllegalStep as error:  # a host says what it may not to one of the nodes here
            self.cut(peer, str(error))
        except MemoryError:
            self.cut(peer, NO_MEMORY)
        except Exception as error:  # noqa: BLE001  it is ours, but is not to end what others do here
            kind = type(said).__name__
            self._queue.failed(error, peer=peer.name, said=kind)
            self.cut(peer, f"{kind}: {type(error).__name__} here, which is an error of ours")


def not_meant(peer: Peer, said: Envelope, link: Link) -> None:
    """Raises RemoteProtocolError: nobody here deals with that."""
    raise RemoteProtocolError(f"{type(said).__name__} is not for this process")
