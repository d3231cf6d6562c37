"""The simulator, its faults and its checks, with the counter in the place of the computation."""

from __future__ import annotations

from typing import Any

from core import Host
from core import messages as m
from core.messages import Node
from sim import World
from sim.clock import Entry
from sim.faults.actions import SUBMITTER
from sim.faults.injection import Faults
from sim.links import failing as links
from sim.links.each import EachNetwork
from sim.links.network import Network, NetworkPort
from sim.world import ROOT
from tests.sessions.counter import Counted, Counter, Counting

PACE_SECONDS = 0.5
NOBODY: Node = -2  # whose count is another in a replica that was corrupted


class CountersPort(NetworkPort):
    """The port of views that count."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.goal = 0
        self.acknowledged: dict[Counting, tuple[str, int]] = {}  # in which session how much

    def heard(self, view: Counting, count: int) -> None:
        """So far that view's counting is acknowledged, if not further than once before."""
        session, before = self.acknowledged.get(view, ("", 0))
        here = view.place.session
        self.acknowledged[view] = here, max(count, before if session == here else 0)


class SharedCounters(Network):
    """A network of nodes that count."""

    port: CountersPort

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.kind, self.participant = Counter, Counting
        self.rising = True
        self._rise()

    def _rise(self) -> None:
        """Every so often there is one number more."""
        port = self.port
        port.goal += self.rising
        for node, alive in enumerate(self.alive):
            for view in self.chain(node) if alive else ():
                view.go_on(*port.acknowledged.get(view, ("", 0)))
        self.clock.call_later(PACE_SECONDS, self._rise)

    def _port(self) -> NetworkPort:
        return CountersPort(self)


class EachCounters(SharedCounters, EachNetwork):
    """The same, and everyone has a replica of its own."""


class CounterLines(links.FailingLines):
    """Duplicates what the counter's participants publish."""

    def fate(self, sender: Node, receiver: Node, entry: Entry) -> links.Fate:
        fate, said = super().fate(sender, receiver, entry), entry[3]
        published = entry[0] == self.network.receive and isinstance(said, Counted)
        if not fate.copies or not published or not self._happens(self.duplicate):
            return fate
        # A count may come again whenever it likes, a sum only from one who leads.
        late = self._random.random() * links.LATE_COPY_SECONDS if said.child is None else 0.0
        return links.Fate(fate.ticks, copies=2, copy_late_ticks=self.clock.ticks(late))


class CounterFaults(Faults):
    """Knows what can be corrupted in a counter such that nobody's count is wrong."""

    lines = CounterLines

    def spoil(self, model: Any) -> None:
        model.counts[NOBODY] = 0


class Counters(World):
    """A world of nodes that count, in a tree so deep and wide."""

    def __init__(self, nodes: int, depth: int, fanout: int, **options: Any) -> None:
        self.plan = [depth, fanout]
        super().__init__(nodes, fanout**depth, fanout, **options)  # its sessions have these names

    @property
    def key(self) -> bytes:
        """Of the root; nobody knows it any more when the submitter came back without its store."""
        return self.blueprint.key

    def _network(self) -> Network:
        options = self.blueprint.options
        lines = self.blueprint.lines(self.clock)
        kind = EachCounters if options.replicas == "each" else SharedCounters
        return kind(self.nodes, self.clock, lines, options.service_time, self.work, self.record)

    def _begin_faults(self) -> Faults:
        faults = CounterFaults(self.network, self.seed, self.heartbeat, self._restart)
        self._look_for_end(-1, None, None)
        return faults

    def _submit(self, epoch: m.Epoch, again: bool = False) -> None:
        network = self.network
        network.alive[SUBMITTER] = 1
        host = Host(SUBMITTER, network, network.kind, self._store, self.key)
        network.hosts[SUBMITTER] = host
        host.open(SUBMITTER, m.Open(ROOT, epoch, self.plan, again))
        network.arrive(SUBMITTER, ROOT, listens=True, observes=True)
