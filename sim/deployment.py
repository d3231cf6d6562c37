"""Nodes that come and go, and what goes wrong with them: a world, whatever it computes.

Every node is a process of its own, and others can connect to those that listen. A link has one
delay, so what passes between two nodes never overtakes itself, as on TCP. With `replicas="shared"`
the participants of a session share the replica of its host and are told only what is for them to
do; with `"each"` everyone has a replica of its own, which gets every message, and whose digest
is compared with the host's after each. Both order the same messages at the same times.

What is computed is for those who are made of this: one job (`sim.world`), or many (`sim.fleet`).
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

from core import Reflector
from core.messages import Node
from plugins.console.memory import peak_rss_bytes
from sim.blueprint import Blueprint
from sim.clock import Clock
from sim.faults import script
from sim.faults.actions import SUBMITTER, Action, Fault
from sim.faults.injection import Faults
from sim.links.network import Network
from sim.options import WorldOptions
from sim.record import COMPILED, Record
from sim.work import exits_caught

if TYPE_CHECKING:
    from sim.tracing import Tracing

STANDSTILL_SECONDS = 600.0  # at least, in which nothing changes: then no more will come
STANDSTILL_TIMES = 20  # as long as whatever is on its way then


class Deployment:
    """Nodes and links, as `sim.options` has them. Raises ValueError for what cannot be."""

    submitter: Node = SUBMITTER  # its number; whoever would have that one has 0 instead
    failing: type[Faults] = Faults  # what does the faults
    collects = False  # whether what is not needed any more is looked for while it runs

    def __init__(self, options: WorldOptions) -> None:
        self.blueprint = blueprint = Blueprint(options)
        self.nodes, self.shape = blueprint.nodes, blueprint.shape
        self.seed, self.input = options.seed, blueprint.input
        self.service_seconds = options.service_time
        self.listening, self.heartbeat = options.listening, options.heartbeat

        self.clock = Clock(options.tick)
        self.record = Record(self.nodes, self.shape, self.clock)
        self.work = blueprint.work(self.clock)
        self.network = self._network()
        self.network.submitter = self.record.submitter = self.submitter

        self.calm = False  # from now on nobody's lifetime ends, and no planned fault happens
        self._faults: Faults | None = None
        self._planned = 0  # faults that are still to happen
        self._leaving = 0  # nodes whose time is still to end
        self._longest = 0  # ticks that anything took, as far as it was seen
        self._wall_seconds = 0.0
        self._until = 0.0
        self._tracing = None if options.trace is None else self._traced()

    def _network(self) -> Network:
        return self.blueprint.network(self.clock, self.work, self.record)

    def _traced(self) -> Tracing:
        from sim.tracing import Tracing  # what writes tables takes a while to load

        return Tracing(self.network, self.blueprint)

    # -- what those who compute something say ----------------------------------------------

    def _arrive(self, node: Node) -> None:
        """That node is there, for the first time."""
        raise NotImplementedError

    def _restart(self, node: Node, memory: bool) -> None:
        """That node, or the submitter, is there anew; `memory`: of the submitter, its store."""
        raise NotImplementedError

    def _is_working(self) -> bool:
        """Whether a function runs, or something else is still to come."""
        raise NotImplementedError

    def _ordered(self) -> int:
        """How many messages have been ordered."""
        raise NotImplementedError

    # -- who comes and goes ----------------------------------------------------------------

    def _begin(self) -> None:
        """Nodes arrive from now on, and what is planned is to happen."""
        self.clock.at(0, (self._arrivals, None, None, None))
        if self.blueprint.faults is not None:
            self._plan(self.blueprint.faults)

    def _arrivals(self, _a: None = None, _b: None = None, _c: None = None) -> None:
        """Let those arrive who are due in this tick, in the order of their numbers."""
        clock, arrived, blueprint = self.clock, self.record.arrived, self.blueprint
        due = blueprint.arriving.due(clock.tick)
        self.record.arrived = max(arrived, due)
        lifetimes = blueprint.lifetimes
        for number in range(arrived + 1, due + 1):
            node = SUBMITTER if number == self.submitter else number
            self._arrive(node)
            stay = None if lifetimes is None else lifetimes[node % len(lifetimes)]
            if stay is not None:
                self._leaving += 1
                clock.at(clock.tick + stay, (self._leave, node, None, None))
        if due < self.nodes:
            upcoming = max(clock.tick + 1, blueprint.arriving.tick(due + 1))
            clock.at(upcoming, (self._arrivals, None, None, None))

    def _leave(self, node: int, _b: None, _c: None) -> None:
        self._leaving -= 1
        if self.network.alive[node] and not self.calm:
            self.record.left += 1
            self.network.leave(node)
            if self._faults is not None:
                self._faults.links.ended(node)

    # -- what goes wrong -------------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        """What has gone wrong so far. Asking for it first has the network care for faults."""
        if self._faults is None:
            self._faults = self._begin_faults()
        return self._faults

    def _begin_faults(self) -> Faults:
        faults = self.failing(self.network, self.seed, self.heartbeat, self._restart)
        self.network.count_repeated()
        first = self.clock.tick + self.clock.ticks(STANDSTILL_SECONDS)
        self.clock.at(first, (self._look_for_end, (), None, None))
        return faults

    def do(self, action: str | Action) -> list[int]:
        """Have something go wrong now: `crash the host of 0-3`, in words of `sim.faults.script`.

        Returns the nodes that it concerned. Raises ValueError for words that say nothing.
        """
        if isinstance(action, str):
            action = script.action(action)
        if not isinstance(action, Action):
            raise ValueError(f"{action!r:.60} is no fault; write one, such as 'crash node 3'")
        return self._act(action)

    def _act(self, action: Action) -> list[int]:
        return self.faults.do(action)

    def _plan(self, faults: tuple[Fault, ...]) -> None:
        self._faults = self._begin_faults()
        for fault in faults:
            self.clock.at(self.clock.ticks(fault.at), (self._do, fault.action, None, None))
            self._planned += 1

    def _do(self, action: Action, _b: None, _c: None) -> None:
        self._planned -= 1
        if not self.calm:
            self._act(action)

    def _look_for_end(self, before: tuple[int, ...], _b: None, _c: None) -> None:
        """Stop where those who ask again and again are all that still happens.

        That is so when nothing else is to come, and nothing has changed for many times as long as
        anything takes that is on its way.
        """
        clock = self.clock
        now = (self._ordered(), self._planned, self.record.arrived, self._leaving)
        comes = self._planned or self._leaving or self.record.arrived < self.nodes
        if not (comes or self._is_working()) and now == before:
            clock.stopped = True
        # What is left of its way may be little of what the next one takes.
        latest = max(clock.due, default=clock.tick) - clock.tick
        self._longest = max(self._longest, latest, self.network.longest_ticks)
        window = max(clock.ticks(STANDSTILL_SECONDS), STANDSTILL_TIMES * self._longest)
        if comes:  # the time at which it does may be far away
            window = clock.ticks(STANDSTILL_SECONDS)
        clock.at(clock.tick + window, (self._look_for_end, now, None, None))

    # -- running and looking ---------------------------------------------------------------

    def _run(self, until: float | None) -> None:
        """Go on until it is stopped, nothing is left, or up to `until` seconds."""
        began = time.perf_counter()
        collecting = gc.isenabled()
        if self.collects:
            gc.enable()
        else:
            gc.disable()  # views refer to each other for as long as they live: nothing to find
        try:
            with exits_caught():
                self.clock.run(until)
            if until is not None and not self.clock.stopped:
                self._until = until
        finally:
            self._wall_seconds += time.perf_counter() - began
            if collecting:
                gc.enable()
            else:
                gc.disable()
            if self._tracing is not None:
                self._tracing.flush()

    @property
    def now(self) -> float:
        """Simulated seconds: of the last event, or up to where the last `run` was to go."""
        return max(self.clock.now, self._until)

    def session(self, name: str) -> Reflector:
        """The reflector of a session that is open now: its model, members and standbys.

        Raises KeyError where no host holds such a session.
        """
        newest = self.network.newest(name)
        if newest is None:
            raise KeyError(f"session {name} is not open")
        return newest

    @property
    def trace_error(self) -> str | None:
        """Why the trace breaks off, if it does; the run goes on without."""
        return None if self._tracing is None else self._tracing.error

    def _seconds(self, tick: int) -> float:
        return round(tick * self.clock.tick_seconds, 9)

    def _figures(self) -> dict[str, Any]:
        """What every report has, by its names."""
        done = [] if self._faults is None else self._faults.done
        return {
            "nodes": self.nodes,
            "messages": self.clock.entries - self.clock.timers,
            "faults": len(done),
            "faults_in_vain": [script.line(Fault(d.at, d.action)) for d in done if d.in_vain],
            "faults_left": self._planned,
            "seed": self.seed,
            "wall_seconds": self._wall_seconds,
            "peak_rss_bytes": peak_rss_bytes(),
            "compiled": COMPILED,
        }
