"""A world of nodes in one process: the core on a SimPy clock, over links with delays.

Every node is a process of its own that others can connect to. A link has one delay, so what
passes between two nodes never overtakes itself, as on TCP. With `replicas="shared"` the
participants of a session share the replica of its host and are told only what is for them to
do; with `"each"` everyone has a replica of its own, which gets every message, and whose digest
is compared with the host's after each. Both order the same messages at the same times.
"""

from __future__ import annotations

import gc
import resource
import sys
import time
from math import ceil, inf
from typing import Any

import attrs

from core import Reflector, Shape, choose_fanout
from core import messages as m
from core.messages import Place
from plugins.loading import load
from sim.clock import Clock
from sim.distributions import DRAWS, parse
from sim.each import EachNetwork
from sim.network import Network
from sim.record import Record
from sim.work import Work

SUBMITTER = 0
ROOT = Place("0", (SUBMITTER,))
ARRIVAL_SECONDS = 10.0  # by default all nodes arrive within this
SETTLING_SECONDS = 2.0  # for the last to find its place
FANOUT_MAX = 1000
NETWORKS = {"shared": Network, "each": EachNetwork}
MASK = DRAWS - 1
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


@attrs.frozen
class Report:
    """How a run went. Times in simulated seconds, except `wall_seconds`; sizes in bytes."""

    result: Any
    failure: m.Failure | None
    nodes: int
    partitions: int
    fanout: int
    levels: int
    sessions: int
    control_nodes: int
    computation_nodes: int
    arrived: int
    left: int
    formed_seconds: float
    finished_seconds: float | None
    messages: int
    root_messages: int
    connections_max: int
    accepted: int
    digest: str
    seed: int
    wall_seconds: float
    peak_rss_bytes: int


class World:
    """A simulated deployment. Raises ValueError with one clear line for a bad option."""

    def __init__(
        self,
        nodes: int = 1000,
        partitions: int | None = None,
        fanout: int | None = None,
        job: Any = "plugins.demo",
        prepare: str | None = None,
        compute: str | None = None,
        collect: str | None = None,
        input: Any = None,
        seed: int = 0,
        latency: str | float = "uniform:0.02,0.08",
        arrival_rate: float | None = None,
        lifetime: str | float | None = None,
        service_time: float = 0.0,
        delay: str | float | None = None,
        tick: float = 0.001,
        replicas: str = "shared",
        listening: float = 1.0,
    ) -> None:
        _require("nodes", nodes, _whole(nodes) and nodes >= 1, "a whole number, 1 or more")
        one_each = partitions is None
        partitions = nodes if partitions is None else partitions
        good = _whole(partitions) and partitions >= 1
        _require("partitions", partitions, good, "a whole number, 1 or more")
        fanout = choose_fanout(partitions) if fanout is None else fanout
        good = _whole(fanout) and 2 <= fanout <= FANOUT_MAX
        _require("fanout", fanout, good, f"a whole number from 2 to {FANOUT_MAX}")
        rate = nodes / ARRIVAL_SECONDS if arrival_rate is None else arrival_rate
        _require("arrival_rate", rate, 0 < rate < inf, "above 0, and finite")
        _require("service_time", service_time, 0 <= service_time < inf, "0 or more seconds")
        _require("tick", tick, 0 < tick < inf, "above 0 seconds, and finite")
        _require("listening", listening, 0 <= listening <= 1, "from 0 to 1")
        _require("replicas", replicas, replicas in ("shared", "each"), "shared or each")
        self.nodes = nodes
        self.shape = Shape.root(partitions, fanout)
        self.input = input
        self.seed = seed
        self.clock = Clock(tick)
        self.record = Record(nodes, partitions, self.clock)
        delays = None if delay is None else self._table("delay", delay)
        # One partition each is for watching all of them take part: nobody is done before the
        # last has arrived, unless it is said how long a piece takes.
        piece_seconds = nodes / rate + SETTLING_SECONDS if one_each else 0.0
        self.work = Work(load(job, prepare, compute, collect), self.clock, delays, piece_seconds)
        self.network = NETWORKS[replicas](
            nodes,
            self.clock,
            self._table("latency", latency),
            service_time,
            self.work,
            self.record,
        )
        self._lifetimes = None if lifetime is None else self._table("lifetime", lifetime)
        self._listening = round(listening / tick)
        self._listens = self._table("listens", "uniform:0,1")
        self._rate = rate
        self._wall_seconds = 0.0
        self._until = 0.0
        self._submit()
        self.clock.at(0, (self._arrivals, None, None, None))

    def _table(self, what: str, distribution: str | float) -> list[int]:
        return parse(distribution).ticks(f"{self.seed}/{what}", self.clock.tick_seconds)

    def _submit(self) -> None:
        """The submitter opens the root on its own host, joins and leads it, and gives the input."""
        network = self.network
        network.alive[SUBMITTER] = 1
        host = network.host(SUBMITTER)
        assert host is not None
        host.open(SUBMITTER, m.Open(self.shape, (1,), ROOT))
        submitter = network.arrive(SUBMITTER, ROOT, listens=True, observes=True)
        network.send(submitter, ROOT, m.Given(self.input))

    def _arrivals(self, _a: None = None, _b: None = None, _c: None = None) -> None:
        """Let those arrive who are due in this tick, evenly spaced, node 1 first."""
        clock, network, arrived = self.clock, self.network, self.record.arrived
        per_tick = self._rate * clock.tick_seconds
        due = min(self.nodes, int((clock.tick + 1) * per_tick + 1e-9))
        self.record.arrived = max(arrived, due)
        for node in range(arrived + 1, due + 1):
            network.arrive(node, ROOT, self._listens[node & MASK] < self._listening)
            if self._lifetimes is not None:
                leaving = clock.tick + self._lifetimes[node & MASK]
                clock.at(leaving, (self._leave, node, None, None))
        if due < self.nodes:
            upcoming = ceil((due + 1) / per_tick - 1e-9) - 1
            clock.at(max(clock.tick + 1, upcoming), (self._arrivals, None, None, None))

    def _leave(self, node: int, _b: None, _c: None) -> None:
        self.record.left += 1
        self.network.leave(node)

    # -- running and looking ---------------------------------------------------------------

    def run(self, until: float | None = None) -> Report:
        """Go on until the submitter has the answer, nothing more can happen, or `until` seconds.

        Returns how things stand then; run again to go on.
        """
        began = time.perf_counter()
        collecting = gc.isenabled()
        gc.disable()  # views refer to each other for as long as they live: nothing to find
        try:
            self.clock.run(until)
            if until is not None and not self.clock.stopped:
                self._until = until
        finally:
            self._wall_seconds += time.perf_counter() - began
            if collecting:
                gc.enable()
        return self.report()

    def drain(self) -> None:
        """After the answer: run on until everyone has heard that it is over."""
        self.clock.stopped = False
        self.run()

    @property
    def now(self) -> float:
        """Simulated seconds: of the last event, or up to where the last `run` was to go."""
        return max(self.clock.now, self._until)

    def session(self, name: str) -> Reflector:
        """The reflector of a session that is open now: its model, members and spares.

        Raises KeyError where no host holds such a session.
        """
        newest: Reflector | None = None
        for host in self.network.hosts.values():
            found = host.reflectors.get(name)
            if found and (newest is None or found.model.epoch > newest.model.epoch):
                newest = found
        if newest is None:
            raise KeyError(f"session {name} is not open")
        return newest

    def _seconds(self, tick: int) -> float:
        return round(tick * self.clock.tick_seconds, 9)

    def report(self) -> Report:
        """How things stand now."""
        record, outcome = self.record, self.network.outcome
        return Report(
            result=outcome.result if outcome else None,
            failure=outcome.failure if outcome else None,
            nodes=self.nodes,
            partitions=self.shape.partitions,
            fanout=self.shape.fanout,
            levels=self.shape.levels,
            sessions=len(record.sessions),
            control_nodes=len(record.leaders),
            computation_nodes=record.computed.count(1),
            arrived=record.arrived,
            left=record.left,
            formed_seconds=self._seconds(min(record.formed_tick, self.clock.tick)),
            finished_seconds=self._seconds(self.clock.tick) if outcome else None,
            messages=self.clock.entries - self.clock.timers,
            root_messages=self.session("0").model.seq,
            connections_max=record.connections_max,
            accepted=record.accepted,
            digest=record.digest(),
            seed=self.seed,
            wall_seconds=self._wall_seconds,
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT,
        )


def _whole(value: object) -> bool:
    return isinstance(value, int)


def _require(name: str, value: object, good: bool, wanted: str) -> None:
    if not good:
        raise ValueError(f"{name} must be {wanted}, not {value!r}")
