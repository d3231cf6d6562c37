"""A world of nodes in one process that computes one job: the core on a SimPy clock.

What nodes and links are like, who comes and goes and what goes wrong, is said in `sim.deployment`.
"""

from __future__ import annotations

from core import Host
from core import messages as m
from core.messages import Node, Place
from plugins.console import telling
from plugins.console.telling import Lost
from plugins.jobs import values
from sim.deployment import Deployment
from sim.faults.actions import SUBMITTER
from sim.options import WorldOptions, asked_for
from sim.record import Report
from sim.store import MemoryStore

ROOT = Place("0", (SUBMITTER,))


class World(Deployment):
    """A simulated deployment, of the options that `sim.options` explains, each by its name.

    Raises ValueError with one clear line for what cannot be.
    """

    @asked_for(WorldOptions)
    def __init__(self, options: WorldOptions) -> None:
        super().__init__(options)
        self.root = Place(ROOT.session, (self.submitter,))
        # Where few nodes listen it would hold most of all messages: only if it may be needed.
        stores = options.listening == 1 or self.blueprint.faults is not None
        self._store = MemoryStore() if stores else None
        if self.blueprint.lifetimes is not None:
            self.network.count_repeated()
        self._submit((1,))
        self._begin()

    # -- who comes and goes ----------------------------------------------------------------

    def _submit(self, epoch: m.Epoch, again: bool = False) -> None:
        """The submitter opens the root on its own host, joins and leads it, and gives the input."""
        network, node, root, key = self.network, self.submitter, self.root, self.blueprint.key
        network.alive[node] = 1
        network.hosts[node] = host = Host(node, network, network.kind, self._store, key)
        host.open(node, m.Open(root, epoch, self.shape.plain(), again))
        submitter = network.arrive(node, root, listens=True, observes=True)
        network.port.send(submitter, root, m.Given(self.input))

    def _arrive(self, node: Node) -> None:
        self.network.arrive(node, self.root, self.blueprint.listens(node))

    def _restart(self, node: Node, memory: bool) -> None:
        if node == self.submitter:
            if not memory:
                self._store = MemoryStore()
            self._submit((self.clock.tick + 1,), again=True)
        else:
            self._arrive(node)

    def _is_working(self) -> bool:
        return self.work.running > 0

    def _ordered(self) -> int:
        return self.record.ordered_count

    # -- running and looking ---------------------------------------------------------------

    def run(self, until: float | None = None) -> Report:
        """Go on until the submitter has the answer, nothing more can happen, or `until` seconds.

        Returns how things stand then; run again to go on.
        """
        if self.network.outcome is None:
            self.clock.stopped = False
        self._run(until)
        report = self.report()
        if self._tracing is not None:
            self._tracing.conclude(telling.by_name(report))
        return report

    def drain(self) -> None:
        """After the answer: run on until everyone has heard that it is over."""
        self.clock.stopped = False
        self.run()

    def _seconds(self, tick: int) -> float:
        return round(tick * self.clock.tick_seconds, 9)

    def report(self) -> Report:
        """How things stand now."""
        outcome, root, shape = self.network.outcome, self.network.newest("0"), self.shape
        return Report(
            result=values.given(outcome.result) if outcome else None,
            failure=m.Failure.of(outcome.failure) if outcome else None,
            lost=Lost.of(outcome.lost) if outcome else None,
            partitions=shape.partitions,
            fanout=shape.fanout,
            levels=shape.levels,
            formed_seconds=self._seconds(min(self.record.formed_tick, self.clock.tick)),
            finished_seconds=self._seconds(self.clock.tick) if outcome else None,
            root_messages=root.state.seq if root else 0,
            **self._figures(),
            **self.record.figures(),
        )
