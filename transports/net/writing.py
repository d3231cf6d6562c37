"""What waits to be said to others: it is sent as they read, and is not to become too much.

Rules it keeps:
- Sending never waits: what cannot go out yet is kept, up to a limit; a process that does not read
  for so long is treated as gone.
- What is kept for all of them together, and of what they have said by halves, has a limit that
  follows the memory of this process: above it, whoever has most of that kept goes.
- What goes to one process is written by one task, which is there only while something waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from plugins.console.memory import memory_bytes
from transports.net.dialling import end_sending
from transports.net.peer import KEPT_STEP_BYTES, Peer

WAITING_BYTES_MAX = 2**26  # for one process
KEPT_SHARE = 4  # for all of them, of the memory that there is, one part of so many


class Writing:
    """To all `peers`. `cut` ends a peer's connection, `gone` hears that one has ended."""

    def __init__(
        self,
        nursery: trio.Nursery,
        peers: Mapping[str, Peer],
        cut: Callable[[Peer, str], None],
        gone: Callable[[Peer, str], None],
    ) -> None:
        self.frames_sent = self.bytes_sent = 0  # without pings
        self.kept_bytes_max = memory_bytes() // KEPT_SHARE
        self._nursery = nursery
        self._peers = peers
        self._cut, self._gone = cut, gone

    def push(self, peer: Peer, frame: bytes) -> None:
        """Have it sent."""
        self.frames_sent += 1
        self.bytes_sent += len(frame)
        before = peer.waiting_bytes
        peer.keep(frame)
        if peer.waiting_bytes > WAITING_BYTES_MAX:
            self._cut(peer, f"it does not read, {peer.waiting_bytes} bytes wait for it")
        elif peer.links and not peer.writing:
            self.write_soon(peer)
        if peer.waiting_bytes // KEPT_STEP_BYTES > before // KEPT_STEP_BYTES:
            self.bound_kept()

    def bound_kept(self) -> None:
        """Where too much is kept for all, whoever has most of it goes."""
        peers = [peer for peer in self._peers.values() if not peer.reason]
        if sum([peer.bytes_kept for peer in peers]) > self.kept_bytes_max:
            most = max(peers, key=lambda peer: peer.bytes_kept)
            size = f"{most.bytes_kept} of {self.kept_bytes_max} bytes"
            self._cut(most, f"{size} that may be kept for all wait for it, or for the rest of it")

    def write_soon(self, peer: Peer) -> None:
        """Send what waits, unless a task is about it already; end sending where it is parting."""
        if not peer.writing:
            peer.writing = True
            self._nursery.start_soon(self._write, peer)

    async def _write(self, peer: Peer) -> None:
        try:
            while peer.waiting:
                await peer.links[0].stream.send_all(peer.batch())
            if peer.parting and not peer.gone:
                for link in peer.links:
                    await end_sending(link.stream)
                self._gone(peer, "nothing is left to say")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._gone(peer, "the connection broke")
        except MemoryError:
            self._cut(peer, "no memory is left here for what it is to be told")
        finally:
            peer.writing = False
            if not peer.waiting:
                peer.waiting = None
