"""Who has come to the root's process and who was lost, as far as it can know.

Rules it keeps:
- Whoever joins comes to the root first, so all that came are known.
- A process that was in a session here when its connection ended was lost. One that was not may
  have been sent on long before, or have left, or have died: nobody says so here, and then how many
  were lost is None.
- Who hears what is computed and takes no part in it has not come.
- Whoever started processes of its own knows better: it has seen how they ended.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from core import Host
from plugins.console.exits import Exit
from transports.net.connection import Peer

WELL_ENDED = (Exit.FINISHED, Exit.REFUSED)  # who refuses has never come


@attrs.define
class Counts:
    """What happened to the root's process."""

    nodes: dict[int, int] = attrs.Factory(dict)  # by number of each process that was met
    lost: set[int] = attrs.Factory(set)  # those that went while they were in a session here
    away: set[int] = attrs.Factory(set)  # those of which nothing is known since they went
    connections_max: int = 0
    bots_lost: list[int] | None = None  # the nodes of each bot that was lost, where that is known

    @property
    def arrived(self) -> int:
        return sum(self.nodes.values())

    @property
    def lost_processes(self) -> int | None:
        if self.bots_lost is not None:
            return len(self.bots_lost)
        return None if self.away else len(self.lost)

    @property
    def left(self) -> int | None:
        """Nodes that were there and are not any more."""
        if self.bots_lost is not None:
            return sum(self.bots_lost)
        return None if self.away else sum(self.nodes[number] for number in self.lost)

    def met(self, peer: Peer, connections: int) -> None:
        """It has greeted; it is one of so many."""
        self.connections_max = max(self.connections_max, connections)
        if peer.hello is not None and peer.hello.nodes:
            self.nodes[peer.number] = peer.hello.nodes
            self.lost.discard(peer.number)
            self.away.discard(peer.number)

    def declined(self, peer: Peer) -> bool:
        """It takes no part in what is computed. Says whether that was news."""
        return self.nodes.pop(peer.number, None) is not None

    def gone(self, peer: Peer, host: Host) -> None:
        """Its connection has ended, and `host` has not been told yet."""
        if peer.number not in self.nodes:
            return
        reflectors = host.reflectors.values()
        missed = any(
            node in r.members or node in r.admission.standbys
            for r in reflectors
            for node in peer.nodes
        )
        (self.lost if missed else self.away).add(peer.number)

    def bots_ended(self, codes: Sequence[int | None], shares: Sequence[int]) -> None:
        """All bots have ended, with these exit codes; they had so many nodes each."""
        if len(self.nodes) <= len(codes):  # else others came too
            ended = zip(codes, shares, strict=True)
            self.bots_lost = [share for code, share in ended if code not in WELL_ENDED]
