"""What a host keeps is bounded by what lives, not by all that ever happened."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from core import Host, Reflector
from core.messages import Node
from sim.search.invariants import FORGOTTEN
from sim.search.wrong import Wrong
from sim.world import World


class Memory:
    """Yields what hosts should have forgotten by now."""

    def __init__(self, world: World, corrupted: Container[Reflector]) -> None:
        self.network = world.network
        self._corrupted = corrupted  # in these replicas differ again and again
        self._lasts_seconds = world.heartbeat  # what somebody may still be needed for

    def wrong(self) -> Iterator[Wrong]:
        """What is of no more use to anybody."""
        for address, host in self.network.hosts.items():
            yield from self._kept(address, host)
            yield from self._waiting(address, host)
            for reflector in host.reflectors.values():
                yield from self._logged(reflector)

    def _of(self, what: str, session: str, address: Node) -> Wrong:
        return Wrong(FORGOTTEN, f"node {address} {what}", session, address)

    def _kept(self, address: Node, host: Host) -> Iterator[Wrong]:
        """Facts of sessions that nobody will ask for."""
        for session in host.backups.facts:
            if _is_over(host, session):
                yield self._of(
                    f"keeps what session {session} knew, which is over", session, address
                )

    def _waiting(self, address: Node, host: Host) -> Iterator[Wrong]:
        """Arrivals of those who are not there any more, or have heard that all is over."""
        for session, link in self._waiting_at(host):
            if not self.network.alive[link.node] or not self.network.chain(link.node):
                yield self._of(f"has {link.node} wait, who is gone", session, address)

    @staticmethod
    def _waiting_at(host: Host) -> Iterator[tuple[str, Any]]:
        """Who waits at a host in any way: for which session, and what leads to it."""
        for session, arrivals in host.waiting.items():
            yield from ((session, link) for link, _ in arrivals.values())
        for session, reflector in host.reflectors.items():
            admission, transferring = reflector.admission, reflector.recovery.transferring
            if admission.standbys or admission.early or transferring:
                yield from ((session, link) for _, link in admission.waiting())

    def _logged(self, reflector: Reflector) -> Iterator[Wrong]:
        """Messages that everyone who follows has, and agrees on."""
        log = reflector.repair._log
        followed = reflector.members and reflector.live and reflector not in self._corrupted
        if log and followed and log[-1][1] - log[0][1] > self._lasts_seconds:
            what = f"has message {log[0][0]} of {reflector.session} yet, to mend replicas with"
            yield self._of(what, reflector.session, reflector.host.address)


def _is_over(host: Host, session: str) -> bool:
    """Whether the host itself knows that nobody will ask for that session."""
    above = session
    while above := above.rpartition("-")[0]:
        reflector = host.reflectors.get(above)
        if reflector is not None:
            over = reflector.place.towards(session) in reflector.model.facts()
            if over or reflector.state.ended:
                return True
    return False
