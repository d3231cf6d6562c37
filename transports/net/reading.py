"""From bytes to envelopes: what is read from one connection, for as long as it lasts.

Rules it keeps:
- A frame that is too long is refused before it is there (`frames.py`), one of which too much would
  be made before any of it is made (`wire.heard`).
- A long frame is taken apart in a thread, one at a time: the loop goes on meanwhile, and only one
  of them takes memory.
- No bytes are kept here where nothing is under way: most connections are idle.
- Nothing more is read before what came is taken: whoever `receive` lets wait waits on the stream.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from transports.net.errors import RemoteProtocolError
from transports.net.limits import SHORT_BYTES
from transports.net.peer import KEPT_STEP_BYTES, Link, Peer
from transports.net.wire import Envelope, Hello, Ping, Proof, decode, heard

RECEIVE_BYTES = 2**16
LONG_BYTES = 2**21  # a frame that takes so long that nobody is to wait for it meanwhile


class Reading:
    """Of all connections of a process. `receive` is given what peers say, `aged` what they know of
    the root. `grown` hears that much more is kept of a frame that is not complete.
    """

    def __init__(
        self,
        receive: Callable[[Peer, Envelope, Link], Awaitable[None]],
        aged: Callable[[Peer, float], None],
        grown: Callable[[], None],
    ) -> None:
        self.frames_received = 0
        self._receive, self._aged, self._grown = receive, aged, grown
        self._apart = trio.CapacityLimiter(1)

    async def read(self, peer: Peer, link: Link) -> None:
        """Until the other end closes it. Raises RemoteProtocolError, and what the stream does."""
        await self._take(peer, link, b"")  # what came with the greeting
        while await self._read(peer, link):
            pass

    async def _read(self, peer: Peer, link: Link) -> bool:
        """Get more, and hand it on; says whether there was any. Nothing of it is kept here."""
        data = await link.stream.receive_some(RECEIVE_BYTES)
        await self._take(peer, link, data)
        return bool(data)

    async def _take(self, peer: Peer, link: Link, data: bytes | bytearray) -> None:
        link.busy = True
        if not peer.reason:  # else nothing of it is heard
            link.frames.keep(data)
        while not peer.reason and (frame := link.frames.take()) is not None:
            short = len(frame) <= SHORT_BYTES
            envelope = decode(frame) if short else await self._heard_at_length(frame)
            match envelope:
                case Ping(seconds):
                    self._aged(peer, seconds)
                    continue
                case Hello() | Proof():
                    raise RemoteProtocolError(f"{type(envelope).__name__} after the greeting")
            self.frames_received += 1
            await self._receive(peer, envelope, link)
        steps = link.frames.bytes_kept // KEPT_STEP_BYTES
        if steps > link.kept_steps:
            self._grown()
        link.kept_steps = steps
        link.busy, link.silent = False, 0

    async def _heard_at_length(self, frame: bytes) -> Envelope:
        """What a long frame says; the longest are taken apart in a thread, one at a time."""
        if len(frame) < LONG_BYTES:
            return heard(frame)
        try:
            return await trio.to_thread.run_sync(heard, frame, limiter=self._apart)
        except RuntimeError:
            raise MemoryError from None  # for a thread
