"""What carries the messages of a fleet: a network for each job, and what all of them share.

Rules they keep:
- A job has hosts, views, a record and work of its own, so nothing of it is left when it has ended.
- Processes and the connections between them are those of all jobs: `Standing` has them, and faults
  happen there. What arrives is for the job by whose number its session is called.
- Who asks for a place where a process takes no part in that job (any more) is told so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from core import Host, Reflector
from core import messages as m
from core.messages import Call, Node, Place
from core.sessions import Participant
from core.sessions.chain import View
from core.sessions.states import GONE, Event
from sim.clock import Clock
from sim.links.each import EachNetwork
from sim.links.lines import Lines
from sim.links.network import Network, NetworkPort
from sim.record import Record
from sim.work import Work

if TYPE_CHECKING:
    Base = Network
else:
    Base = object


def tree_of(session: str) -> str:
    """The number with which the name of a session begins: that of its job."""
    return session.partition("-")[0]


class OfFleet(Base):
    """The network of one job. `parts`: how many processes take part in it."""

    standing: Standing
    place: Place  # of the root session
    parts: int
    on_outcome: Callable[[m.Ended], None]  # the root's own node has heard it

    def _port(self) -> NetworkPort:
        return TreePort(self)

    def _tell_loss(self, node: Node, other: Node) -> None:
        self.standing._tell_loss(node, other)

    def arrive(
        self, node: Node, place: Place, listens: bool, observes: bool = False
    ) -> Participant:
        """`node` takes part from now on."""
        self.parts += 1
        return super().arrive(node, place, listens, observes)

    def takes_part(self, node: Node) -> bool:
        return self.views[node] is not None

    def over(self, node: Node) -> None:
        """Nothing of this is left in the process of `node`."""
        if not self.takes_part(node):
            return
        for view in self.chain(node):
            view.step(Event.END)
        for host in self.detach(node):
            host.close()
        self.views[node] = None
        self.spoken.pop(node, None)
        self.parts -= 1
        self.standing.tidy_up(self)


class Tree(OfFleet, Network):
    """Whose participants share the replica of their session's host."""


class EachTree(OfFleet, EachNetwork):
    """Whose participants have a replica each."""


TREES: dict[str, type[Tree] | type[EachTree]] = {"shared": Tree, "each": EachTree}


class TreePort(NetworkPort):
    """What the views of one job ask for."""

    def ended(self, view: View, ended: m.Ended) -> None:
        if view.observes:
            tree: Any = self.network
            tree.on_outcome(ended)


class Company(Protocol):
    """Who is connected to the root of a fleet, whatever is computed."""

    def notice(self, node: Node, other: Node) -> None:
        """`node` notices that its connection to the other is gone."""

    def peers(self, node: Node) -> list[Node]:
        """With whom it is connected for that."""
        raise NotImplementedError

    def forget(self, node: Node) -> None:
        """Its process is no more."""


class Standing(Network):
    """The processes of a fleet and their connections. `trees`: the jobs that somebody takes part
    in, by number, as text."""

    members: Company

    def __init__(
        self,
        nodes: int,
        clock: Clock,
        lines: Lines,
        service_seconds: float,
        work: Work,
        record: Record,
    ) -> None:
        self.trees: dict[str, Tree | EachTree] = {}
        super().__init__(nodes, clock, lines, service_seconds, work, record)
        self._counts_repeated = False

    # -- jobs ------------------------------------------------------------------------------

    def plant(
        self, kind: type[Tree] | type[EachTree], place: Place, work: Work, record: Record
    ) -> Tree | EachTree:
        """The network of a job that begins."""
        nodes = len(self.alive) - 1
        tree = kind(nodes, self.clock, self.lines, self._service_seconds, work, record)
        tree.standing, tree.place, tree.parts = self, place, 0
        tree.alive, tree.receive = self.alive, self.receive
        tree.submitter = record.submitter = self.submitter
        own = self.work
        work.slow, work.slow_always = own.slow, own.slow_always
        work.broken, work.hanging = own.broken, own.hanging
        self.trees[place.session] = tree
        self._equip(tree)
        return tree

    def equip(self) -> None:
        """What watches this, and the lines, are those of all trees."""
        for tree in self.trees.values():
            self._equip(tree)

    def _equip(self, tree: Tree | EachTree) -> None:
        tree.lines, tree.watch, tree.trace = self.lines, self.watch, self.trace
        tree.watch_openings, tree.watch_replies = self.watch_openings, self.watch_replies
        tree.work.trace = self.trace
        tree.record.watch_connections = self.record.watch_connections
        if self._counts_repeated:
            tree.count_repeated()

    def tidy_up(self, tree: OfFleet) -> None:
        """Forget it if nobody takes part any more."""
        if not tree.parts and self.trees.pop(tree.place.session, None) is not None:
            tree.record.flush()
            self.clock.after_tick.remove(tree.record.flush)

    def count_repeated(self) -> None:
        self._counts_repeated = True
        self.equip()

    def parts_of(self, node: Node) -> list[Tree | EachTree]:
        """The jobs that it takes part in."""
        return [tree for tree in self.trees.values() if tree.takes_part(node)]

    # -- deliveries ------------------------------------------------------------------------

    def handle(self, place: Place, worker: Participant, call: Call) -> None:
        tree, address = self.trees.get(tree_of(place.session)), place.route[-1]
        if tree is not None and tree.takes_part(address):
            tree.handle(place, worker, call)
        elif type(call) is not m.Arrive or worker.state is GONE:
            pass
        elif not self.alive[address]:
            self._tell_loss(worker.node, address)
        elif worker.node != address:
            self.lines.carry(address, worker.node, self._answered, worker, place, m.Absent())

    def notice(self, node: Node, other: Node, _: None = None) -> None:
        for tree in self.parts_of(node):
            tree.notice(node, other)
        self.members.notice(node, other)

    # -- who is there ----------------------------------------------------------------------

    def chain(self, node: Node) -> list[Any]:
        return [view for tree in self.trees.values() for view in tree.chain(node)]

    def peers(self, node: Node) -> list[Node]:
        found = dict.fromkeys(self.members.peers(node))
        for tree in self.trees.values():
            found |= dict.fromkeys(tree.peers(node))
        return list(found)

    def leave(self, node: Node) -> None:
        if self.trace is not None:
            self.trace.gone(self.clock.now, node)
        self.part(node)
        self.forget(node)

    def forget(self, node: Node) -> None:
        """Whatever process was there, nothing of it is left."""
        for tree in self.parts_of(node):
            tree.over(node)
        self.detach(node)
        self.members.forget(node)

    # -- what faults ask for ---------------------------------------------------------------

    def all_hosts(self) -> list[Host]:
        return [host for tree in self.trees.values() for host in tree.all_hosts()]

    def detach(self, node: Node) -> list[Host]:
        found = super().detach(node)  # by which the process itself is known again
        for tree in self.trees.values():
            found += tree.detach(node)
        return found

    def attach(self, hosts: list[Host]) -> None:
        for host in hosts:
            carrier = host.carrier
            assert isinstance(carrier, Network)
            carrier.hosts[host.address] = host

    def newest(self, session: str) -> Reflector | None:
        tree = self.trees.get(tree_of(session))
        return None if tree is None else tree.newest(session)

    def meant(self, session: str) -> str:
        """The session as it is called in the job that began first, where none is named."""
        number, dash, rest = session.partition("-")
        return f"{next(iter(self.trees), '0')}{dash}{rest}" if number == "0" else session
