"""Who is silent, and what is said so that nobody takes this process for silent.

Rules it keeps:
- One who says nothing for longer than the heartbeat is cut. Who is not read, as there is much to do
  here, is not silent.
- Each process tells all others every third of the heartbeat that it lives, and what it knows of the
  root (`transports.process.member` says what that is good for).
- Sweeps are counted, not seconds: if this process stood still, the others did not.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from transports.net.figures import HEARTBEAT_SECONDS as HEARTBEAT_SECONDS  # for others, too
from transports.net.peer import Link, Peer
from transports.net.wire import Ping, encode

SWEEPS = 12  # looks for the silent within one heartbeat
PING_SWEEPS = SWEEPS // 3  # from one time that it says that it lives to the next

_PING = encode(Ping())


class Heartbeat:
    """Of one process. `cut` ends a peer's connection, `write_soon` has what is kept for it sent."""

    def __init__(
        self,
        seconds: float,
        nursery: trio.Nursery,
        cut: Callable[[Peer, str], None],
        write_soon: Callable[[Peer], None],
    ) -> None:
        self.seconds = seconds
        self._nursery = nursery
        self._cut = cut
        self._write_soon = write_soon
        self._sweeps = 0

    async def run(self, sweep: Callable[[], None]) -> None:
        """Call `sweep` now and then, for ever."""
        while True:
            await trio.sleep(self.seconds / SWEEPS)
            self._sweeps += 1
            sweep()

    def look_at(self, peer: Peer, ping: bytes) -> None:
        """Whether it is silent; where it is not, it may be time for a `ping`."""
        for link in peer.links:
            link.silent += not link.busy
            if link.silent > SWEEPS:
                return self._cut(peer, f"it said nothing for {self.seconds:g} s")
        peer.unpinged += 1
        if peer.unpinged >= PING_SWEEPS and peer.links and not peer.parting:
            peer.unpinged = 0
            peer.keep(ping)
            self._write_soon(peer)
        for link in peer.links[1:]:  # to which nothing else is written
            if self._sweeps % PING_SWEEPS == 0 and not link.pinging:
                link.pinging = True
                self._nursery.start_soon(self._ping, link)
        return None

    async def _ping(self, link: Link) -> None:
        try:
            await link.stream.send_all(_PING)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            link.scope.cancel()
        link.pinging = False
