"""A world of nodes in one process: the core on a SimPy clock, over links with delays.

Every node is a process of its own that others can connect to. A link has one delay, so what
passes between two nodes never overtakes itself, as on TCP. With `replicas="shared"` the
participants of a session share the replica of its host and are told only what is for them to
do; with `"each"` everyone has a replica of its own, which gets every message, and whose digest
is compared with the host's after each. Both order the same messages at the same times.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from math import inf
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from core import Host, Reflector, Shape
from core import messages as m
from core.messages import Node, Place
from plugins.console.distributions import DRAWS, parse
from plugins.console.memory import peak_rss_bytes
from plugins.console.telling import Lost
from plugins.fanout import choose_fanout
from plugins.jobs import values
from plugins.jobs.loading import load
from sim.clock import Clock
from sim.faults import script
from sim.faults.actions import SUBMITTER, Action, Fault
from sim.faults.injection import Faults
from sim.faults.plans import planned
from sim.links import places
from sim.links.each import EachNetwork
from sim.links.network import Network
from sim.measured import arrivals as arriving
from sim.measured import tables as recorded
from sim.record import Record
from sim.store import MemoryStore
from sim.work import Work, exits_caught

if TYPE_CHECKING:
    from sim.tracing import Tracing

ROOT = Place("0", (SUBMITTER,))
NODES = 1000  # by default
ARRIVAL_SECONDS = 10.0  # by default all nodes arrive within this
SETTLING_SECONDS = 2.0  # for the last to find its place
STANDSTILL_SECONDS = 600.0  # at least, in which nothing changes: then no more will come
STANDSTILL_TIMES = 20  # as long as whatever is on its way then
FANOUT_MAX = 1000
NETWORKS: dict[str, type[Network]] = {"shared": Network, "each": EachNetwork}
PLACED_NETWORKS: dict[str, type[places.PlacedNetwork]] = {
    "shared": places.PlacedNetwork,
    "each": places.PlacedEachNetwork,
}


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
    crashed: int
    formed_seconds: float
    finished_seconds: float | None
    messages: int
    root_messages: int
    connections_max: int
    accepted: int
    repeated: int  # partitions given out again after they had been accepted
    faults: int  # that happened
    faults_in_vain: list[str]  # of these, the lines of those that concerned nobody
    faults_left: int  # that were to come after the end
    divergences: int  # replicas that differed, and were repaired
    digest: str
    seed: int
    wall_seconds: float
    peak_rss_bytes: int
    lost: Lost | None = None  # partitions that failed for good, where the others were to go on


class World:
    """A simulated deployment. Raises ValueError with one clear line for a bad option."""

    submitter: Node = SUBMITTER  # its number; whoever would have that one has 0 instead

    def __init__(
        self,
        nodes: int | None = None,
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
        piece_timeout: float | None = None,
        keep_going: bool = False,
        tick: float = 0.001,
        replicas: str = "shared",
        listening: float = 1.0,
        arrivals: str | None = None,
        faults: str | Iterable[Fault] | None = None,
        heartbeat: float = 5.0,
        trace: str | Path | None = None,
        sample: int = 1,
    ) -> None:
        given = {name: value for name, value in locals().items() if name != "self"}
        for name in ("prepare", "compute", "collect", "arrivals", "trace"):
            good = isinstance(given[name], str | PathLike | None)
            _require(name, given[name], good, "text, or left out")
        replayed = None if arrivals is None else recorded.trace(arrivals)
        self.nodes = nodes = _nodes(nodes, replayed)
        self.shape = _shape(nodes if partitions is None else partitions, fanout, keep_going)
        rate = nodes / ARRIVAL_SECONDS if arrival_rate is None else arrival_rate
        _require_in_range(rate, service_time, tick, listening, heartbeat, replicas)
        _require("sample", sample, _whole(sample) and sample >= 1, "a whole number, 1 or more")
        if replayed is not None:
            _require_fit(replayed, nodes, arrival_rate, lifetime)
        _require("seed", seed, values.is_seed(seed), f"a whole number {values.SEEDS}")
        if piece_timeout is not None:
            _require_number("piece_timeout", piece_timeout, lambda x: x > 0, "above 0 seconds")
        try:
            self.input = values.plain(input)
        except TypeError as error:
            raise ValueError(f"input: {error}") from None
        self.seed = seed
        self.service_seconds = service_time
        self.listening = listening
        self.heartbeat = heartbeat

        self.clock = Clock(tick)
        self.record = Record(nodes, self.shape, self.clock)
        self._mask = _draws(nodes, self.shape.partitions) - 1
        self._arriving = arriving.arrivals(nodes, rate, replayed, tick)
        delays = None if delay is None else self._table("delay", delay)
        piece_seconds = self._piece_seconds(one_each=partitions is None)
        loaded = load(job, prepare, compute, collect)
        self.work = Work(loaded, self.clock, delays, piece_seconds, piece_timeout)
        self.network = self._network(replicas, latency, service_time)
        self.network.submitter = self.record.submitter = self.submitter
        self.root = Place(ROOT.session, (self.submitter,))
        self._lifetimes = self._stays(lifetime, replayed)
        self._listening = round(listening / tick)
        self._listens = self._table("listens", "uniform:0,1")
        # Where few nodes listen it would hold most of all messages: only if it may be needed.
        stores = listening == 1 or faults is not None
        self._store = MemoryStore() if stores else None
        self._key = blake2b(f"{seed}/key".encode(), digest_size=16).digest()  # of the root

        self.calm = False  # from now on nobody's lifetime ends, and no planned fault happens
        self._faults: Faults | None = None
        self._planned = 0  # faults that are still to happen
        self._leaving = 0  # nodes whose time is still to end
        self._longest = 0  # ticks that anything took, as far as it was seen
        wanted = None if faults is None else self._wanted(faults)
        self._wall_seconds = 0.0
        self._until = 0.0
        self._tracing = None if trace is None else self._traced(Path(trace), given)
        self._begin(wanted)

    # -- what it consists of ---------------------------------------------------------------

    def _table(self, what: str, distribution: str | float) -> list[int]:
        tick, draws = self.clock.tick_seconds, self._mask + 1
        return parse(distribution).ticks(f"{self.seed}/{what}", tick, draws)

    def _piece_seconds(self, one_each: bool) -> float:
        """What a piece takes unless it is said.

        One partition each is for watching all of them take part: then nobody is done before the
        last has arrived.
        """
        return self._arriving.last_seconds + SETTLING_SECONDS if one_each else 0.0

    def _stays(
        self, lifetime: str | float | None, trace: recorded.Trace | None
    ) -> Sequence[int | None] | None:
        """How many ticks each node stays; None where all do to the end."""
        if lifetime is not None:
            return self._table("lifetime", lifetime)
        return None if trace is None else arriving.stays(trace, self.clock.tick_seconds)

    def _network(self, replicas: str, latency: str | float, service_time: float) -> Network:
        others = (service_time, self.work, self.record)
        if not str(latency).startswith(places.PREFIX):
            ticks = self._table("latency", latency)
            return NETWORKS[replicas](self.nodes, self.clock, ticks, *others)
        table = places.read(str(latency).removeprefix(places.PREFIX))
        seed, tick = f"{self.seed}/places", self.clock.tick_seconds
        links = places.Links(table, self.nodes, seed, tick)
        return PLACED_NETWORKS[replicas](self.nodes, self.clock, links, *others)

    def _traced(self, folder: Path, given: dict[str, Any]) -> Tracing:
        from sim.tracing import Tracing  # what writes tables takes a while to load

        return Tracing(self, folder, given)

    # -- who comes and goes ----------------------------------------------------------------

    def _begin(self, faults: tuple[Fault, ...] | None) -> None:
        if self._lifetimes is not None:
            self.network.count_repeated()
        self._submit((1,))
        self.clock.at(0, (self._arrivals, None, None, None))
        if faults is not None:
            self._plan(faults)

    def _submit(self, epoch: m.Epoch, again: bool = False) -> None:
        """The submitter opens the root on its own host, joins and leads it, and gives the input."""
        network, node, root = self.network, self.submitter, self.root
        network.alive[node] = 1
        network.hosts[node] = host = Host(node, network, network.kind, self._store, self._key)
        host.open(node, m.Open(root, epoch, self.shape.plain(), again))
        submitter = network.arrive(node, root, listens=True, observes=True)
        network.send(submitter, root, m.Given(self.input))

    def _arrivals(self, _a: None = None, _b: None = None, _c: None = None) -> None:
        """Let those arrive who are due in this tick, in the order of their numbers."""
        clock, network, arrived = self.clock, self.network, self.record.arrived
        due = self._arriving.due(clock.tick)
        self.record.arrived = max(arrived, due)
        lifetimes, submitter, root = self._lifetimes, self.submitter, self.root
        for number in range(arrived + 1, due + 1):
            node = SUBMITTER if number == submitter else number
            network.arrive(node, root, self._listens[node & self._mask] < self._listening)
            stay = None if lifetimes is None else lifetimes[node % len(lifetimes)]
            if stay is not None:
                self._leaving += 1
                clock.at(clock.tick + stay, (self._leave, node, None, None))
        if due < self.nodes:
            upcoming = max(clock.tick + 1, self._arriving.tick(due + 1))
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
        faults = Faults(self.network, self.seed, self.heartbeat, self._restart)
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

    def _wanted(self, faults: str | Iterable[Fault]) -> tuple[Fault, ...]:
        given: Any = faults
        if isinstance(given, str):
            given = planned(given, self.nodes, self.shape, self.seed)
        given = tuple(given) if isinstance(given, Iterable) else (given,)
        if not all(isinstance(fault, Fault) for fault in given):
            wanted = "'light', 'heavy', the path of a file, or what sim.faults.script.read gives"
            raise ValueError(f"faults must be {wanted}, not {faults!r:.60}")
        return tuple(given)

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
        now = (self.record.ordered_count, self._planned, self.record.arrived, self._leaving)
        comes = self._planned or self._leaving or self.record.arrived < self.nodes
        if not (comes or self.work.running) and now == before:
            clock.stopped = True
        # What is left of its way may be little of what the next one takes.
        latest = max(clock.due, default=clock.tick) - clock.tick
        self._longest = max(self._longest, latest, self.network.longest_ticks)
        window = max(clock.ticks(STANDSTILL_SECONDS), STANDSTILL_TIMES * self._longest)
        if comes:  # the time at which it does may be far away
            window = clock.ticks(STANDSTILL_SECONDS)
        clock.at(clock.tick + window, (self._look_for_end, now, None, None))

    def _restart(self, node: int, memory: bool) -> None:
        if node == self.submitter:
            if not memory:
                self._store = MemoryStore()
            self._submit((self.clock.tick + 1,), again=True)
        else:
            listens = self._listens[node & self._mask] < self._listening
            self.network.arrive(node, self.root, listens)

    # -- running and looking ---------------------------------------------------------------

    def run(self, until: float | None = None) -> Report:
        """Go on until the submitter has the answer, nothing more can happen, or `until` seconds.

        Returns how things stand then; run again to go on.
        """
        if self.network.outcome is None:
            self.clock.stopped = False
        began = time.perf_counter()
        collecting = gc.isenabled()
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
            if self._tracing is not None:
                self._tracing.flush()
        report = self.report()
        if self._tracing is not None:
            self._tracing.conclude(attrs.asdict(report))
        return report

    def drain(self) -> None:
        """After the answer: run on until everyone has heard that it is over."""
        self.clock.stopped = False
        self.run()

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

    def report(self) -> Report:
        """How things stand now."""
        done = [] if self._faults is None else self._faults.done
        record, outcome, root = self.record, self.network.outcome, self.network.newest("0")
        return Report(
            result=values.given(outcome.result) if outcome else None,
            failure=m.Failure.of(outcome.failure) if outcome else None,
            nodes=self.nodes,
            partitions=self.shape.partitions,
            fanout=self.shape.fanout,
            levels=self.shape.levels,
            sessions=len(record.sessions),
            control_nodes=len(record.leaders),
            computation_nodes=record.computed.count(1),
            arrived=record.arrived,
            left=record.left,
            crashed=record.crashed,
            formed_seconds=self._seconds(min(record.formed_tick, self.clock.tick)),
            finished_seconds=self._seconds(self.clock.tick) if outcome else None,
            messages=self.clock.entries - self.clock.timers,
            root_messages=root.state.seq if root else 0,
            connections_max=record.connections_max,
            accepted=record.accepted,
            repeated=record.repeated,
            faults=len(done),
            faults_in_vain=[script.line(Fault(d.at, d.action)) for d in done if d.in_vain],
            faults_left=self._planned,
            divergences=len(record.divergences),
            digest=record.digest(),
            seed=self.seed,
            wall_seconds=self._wall_seconds,
            peak_rss_bytes=peak_rss_bytes(),
            lost=Lost.of(outcome.lost) if outcome else None,
        )


def _nodes(nodes: int | None, trace: recorded.Trace | None) -> int:
    if nodes is None:
        nodes = NODES if trace is None else len(trace.arrivals_seconds)
    _require("nodes", nodes, _whole(nodes) and nodes >= 1, "a whole number, 1 or more")
    return nodes


def _draws(nodes: int, partitions: int) -> int:
    """How many each table has: few for a small world, which would wait for them."""
    return min(DRAWS, 1 << (4 * max(nodes, partitions)).bit_length())


def _shape(partitions: int, fanout: int | None, keep_going: bool) -> Shape:
    good = _whole(partitions) and partitions >= 1
    _require("partitions", partitions, good, "a whole number, 1 or more")
    fanout = choose_fanout(partitions) if fanout is None else fanout
    good = _whole(fanout) and 2 <= fanout <= FANOUT_MAX
    _require("fanout", fanout, good, f"a whole number from 2 to {FANOUT_MAX}")
    _require("keep_going", keep_going, isinstance(keep_going, bool), "True or False")
    return Shape.root(partitions, fanout, keep_going)


def _require_in_range(
    rate: float,
    service_time: float,
    tick: float,
    listening: float,
    heartbeat: float,
    replicas: str,
) -> None:
    _require_number("arrival_rate", rate, lambda x: 0 < x < inf, "above 0, and finite")
    _require_number("service_time", service_time, lambda x: 0 <= x < inf, "0 or more seconds")
    _require_number("tick", tick, lambda x: 0 < x < inf, "above 0 seconds, and finite")
    _require_number("listening", listening, lambda x: 0 <= x <= 1, "from 0 to 1")
    _require_number("heartbeat", heartbeat, lambda x: 0 < x < inf, "above 0 seconds, and finite")
    _require("replicas", replicas, replicas in ("shared", "each"), "shared or each")


def _require_fit(
    trace: recorded.Trace, nodes: int, arrival_rate: float | None, lifetime: str | float | None
) -> None:
    rows = len(trace.arrivals_seconds)
    _require("nodes", nodes, nodes <= rows, f"{rows} or less, as arrivals has no more")
    rate, known = arrival_rate, trace.tells_lifetimes
    _require("arrival_rate", rate, rate is None, "left out, as arrivals tells when nodes arrive")
    good = lifetime is None or not known
    _require("lifetime", lifetime, good, "left out, as arrivals tells how long nodes stay")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require_number(
    name: str, value: object, allowed: Callable[[float], bool], wanted: str
) -> None:
    _require(name, value, isinstance(value, int | float) and allowed(value), wanted)


def _require(name: str, value: object, good: bool, wanted: str) -> None:
    if not good:
        raise ValueError(f"{name} must be {wanted}, not {value!r}")
