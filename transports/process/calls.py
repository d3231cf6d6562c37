"""What nodes elsewhere say to the host of this process, and who they are.

In this order: is it allowed, is there room for it, are its values here; then it is the core's.

Rules it keeps:
- A call that names bytes is for the host only when the host has them: what it orders is then as
  safe as it is.
- Of arrivals that wait for a session so many may be here as memory has room for.
- A node is lost with the connection of its process.
"""

from __future__ import annotations

from core import Host, Reflector
from core import messages as m
from core.messages import Node
from core.sessions.admission import ASK_AGAIN_SECONDS
from plugins.console.memory import memory_bytes
from transports.net import wire
from transports.net.connection import Connections
from transports.net.peer import Link, Peer
from transports.process.backups import BackupBudget
from transports.process.held import HeldCalls
from transports.process.member import Member
from transports.process.outgoing import Outgoing
from transports.process.queue import Queue

WAITING_SHARE = 16  # of the memory, one part of so many is for arrivals that wait for a session
ARRIVAL_BYTES = 1000  # of each


class Calls:
    """Those to `host`."""

    def __init__(
        self,
        member: Member,
        queue: Queue,
        connections: Connections,
        outgoing: Outgoing,
        host: Host,
        backup_budget: BackupBudget,
        held: HeldCalls,
    ) -> None:
        self.waiting_max = memory_bytes() // WAITING_SHARE // ARRIVAL_BYTES
        self._waiting = 0  # arrivals, or a few more
        self._member = member
        self._queue = queue
        self._connections = connections
        self._outgoing = outgoing
        self._host = host
        self._backup_budget = backup_budget
        self._held = held

    def said(self, peer: Peer, said: wire.Call, link: Link) -> None:
        """A node of `peer` says that."""
        rules, call = self._member.rules, said.call
        if self._connections.peers.get(peer.name, peer) is not peer or peer.hello is None:
            return  # somebody else is there by now; who has gone since is lost after this only
        arrives = type(call) is m.Arrive
        if not rules.check(peer.hello, said.session, said.node, call):
            if arrives:
                self._answer(peer, said, m.Absent())
        elif arrives and not self._may_wait(said.session):
            # Were it sent back, it would be back at once.
            self._answer(peer, said, m.TurnedAway(ASK_AGAIN_SECONDS))
        elif type(call) is m.Backup:
            kept = self._held.with_values_here(call)
            if self._backup_budget.takes(kept, self._queue.now):
                self._pass_on(peer, wire.Call(said.session, said.node, kept))
        elif not self._held.holds(peer, said, self._pass_on_late):
            self._pass_on(peer, said)

    def _answer(self, peer: Peer, said: wire.Call, reply: m.Reply) -> None:
        self._outgoing.tell(peer.name, wire.Answer(said.session, said.node, reply))

    def _pass_on(self, peer: Peer, said: wire.Call) -> None:
        """To the core."""
        peer.nodes[said.node] = None
        self._host.receive((peer.name, said.node), said.node, said.session, said.call)

    def _pass_on_late(self, peer: Peer, said: wire.Call) -> None:
        """What has waited for its values: whoever said it may be lost by now."""
        if self._connections.peers.get(peer.name) is peer and not peer.refused:
            self._pass_on(peer, said)

    # -- those who wait --------------------------------------------------------------------

    def _may_wait(self, session: str) -> bool:
        """Whether an arrival may wait there, if it has to: for it to open, or for who opens it."""
        reflector = self._host.reflectors.get(session)
        if reflector is not None and reflector.admission.early is None:
            return True
        self._waiting += 1
        return self._waiting <= self.waiting_max

    def count_waiting(self) -> int:
        """How many arrivals wait here."""
        early = [reflector.admission.early or () for reflector in self._host.reflectors.values()]
        return sum(map(len, (*self._host.waiting.values(), *early)))

    def tidy_up(self) -> None:
        """Count anew."""
        self._waiting = self.count_waiting()

    # -- those who are there ---------------------------------------------------------------

    def callers(self) -> set[str]:
        """The processes whose nodes have, or wait for, a place here."""
        reflectors, waiting = self._host.reflectors.values(), self._host.waiting.values()
        placed = {name for reflector in reflectors for _, (name, _) in _links(reflector)}
        return placed | {link[0] for arrivals in waiting for link, _ in arrivals.values()}

    def lost(self, peer: Peer) -> None:
        """Its nodes are lost."""
        for reflector in list(self._host.reflectors.values()):
            placed = [node for node, link in _links(reflector) if link[0] == peer.name]
            if reflector.admission.early is not None and reflector.opener in peer.nodes:
                placed.append(reflector.opener)  # it may not have come yet
            for node in placed:
                if (trace := self._member.trace) is not None:
                    trace.lost(self._queue.now, node, reflector)
                reflector.lose(node)
        for arrivals in self._host.waiting.values():
            for node in [node for node, (link, _) in arrivals.items() if link[0] == peer.name]:
                del arrivals[node]


def _links(reflector: Reflector) -> list[tuple[Node, tuple[str, Node]]]:
    """Who has, or waits for, a place there."""
    door, transferring = reflector.admission, reflector.recovery.transferring
    arrivals = [*door.standbys.values(), *transferring.values(), *(door.early or {}).values()]
    return [*reflector.members.items(), *((arrival.node, link) for link, arrival in arrivals)]
