"""What a world is made of, worked out from its options before anything runs.

Here is found out whether what was asked for goes together, and drawn what is drawn from the seed
once and for all: when nodes arrive, how long they stay, who listens, how long links are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from core import Shape
from plugins.console.distributions import DRAWS, parse
from plugins.fanout import choose_fanout
from plugins.jobs import values
from plugins.jobs.loading import load
from sim.clock import Clock
from sim.faults.actions import Fault
from sim.faults.plans import planned
from sim.links.each import EachNetwork
from sim.links.lines import DrawnLines, Lines
from sim.links.network import Network
from sim.links.places import PlacedLines
from sim.measured import arrivals as arriving
from sim.measured import places, tables
from sim.options import ARRIVAL_SECONDS, NODES, SETTLING_SECONDS, WorldOptions
from sim.record import Record
from sim.work import Work

NETWORKS: dict[str, type[Network]] = {"shared": Network, "each": EachNetwork}


class Blueprint:
    """Of one world. Raises ValueError with one clear line for what does not go together."""

    def __init__(self, options: WorldOptions) -> None:
        self.options = options
        replayed = None if options.arrivals is None else tables.trace(options.arrivals)
        self.nodes = nodes = _nodes(options, replayed)
        self.shape = shape = _shape(options, nodes)
        self._draws = _draws(nodes, shape.partitions)
        self.mask = self._draws - 1  # of a table: a draw is looked up by the last bits of a number
        rate = nodes / ARRIVAL_SECONDS if options.arrival_rate is None else options.arrival_rate
        self.arriving = arriving.arrivals(nodes, rate, replayed, options.tick)
        self.lifetimes = self._lifetimes(replayed)
        self._listens = self.table("listens", "uniform:0,1")
        self._listening = round(options.listening / options.tick)
        self.input = _input(options)
        self.faults = None if options.faults is None else _faults(options.faults, self)
        self.key = blake2b(f"{options.seed}/key".encode(), digest_size=16).digest()  # of the root

    def table(self, what: str, distribution: str | float) -> list[int]:
        """Draws in ticks, the same for the same seed."""
        options = self.options
        return parse(distribution).ticks(f"{options.seed}/{what}", options.tick, self._draws)

    def listens(self, node: int) -> bool:
        """Whether others can connect to it."""
        return self._listens[node & self.mask] < self._listening

    def _lifetimes(self, replayed: tables.Trace | None) -> Sequence[int | None] | None:
        """How many ticks each node stays; None where all do to the end."""
        if self.options.lifetime is not None:
            return self.table("lifetime", self.options.lifetime)
        return None if replayed is None else arriving.stays(replayed, self.options.tick)

    # -- what computes, and what carries ---------------------------------------------------

    def work(self, clock: Clock) -> Work:
        """The job's functions, and how long they take."""
        o = self.options
        delays = None if o.delay is None else self.table("delay", o.delay)
        loaded = load(o.job, o.prepare, o.compute, o.collect)
        return Work(loaded, clock, delays, self._piece_seconds(), o.piece_timeout)

    def _piece_seconds(self) -> float:
        """What a piece takes unless it is said.

        One partition each is for watching all of them take part: then nobody is done before the
        last has arrived.
        """
        one_each = self.options.partitions is None
        return self.arriving.last_seconds + SETTLING_SECONDS if one_each else 0.0

    def network(self, clock: Clock, work: Work, record: Record) -> Network:
        """Links as long as was asked for."""
        o = self.options
        lines = self.lines(clock)
        return NETWORKS[o.replicas](self.nodes, clock, lines, o.service_time, work, record)

    def lines(self, clock: Clock) -> Lines:
        """Those between places, or such as are drawn."""
        o, latency = self.options, str(self.options.latency)
        if not latency.startswith(places.PREFIX):
            return DrawnLines(clock, self.table("latency", o.latency))
        table = places.read(latency.removeprefix(places.PREFIX))
        return PlacedLines(clock, table, self.nodes, f"{o.seed}/places")


def _nodes(options: WorldOptions, replayed: tables.Trace | None) -> int:
    if replayed is None:
        return NODES if options.nodes is None else options.nodes
    rows = len(replayed.arrivals_seconds)
    nodes = rows if options.nodes is None else options.nodes
    _require("nodes", nodes, nodes <= rows, f"{rows} or less, as arrivals has no more")
    rate, life = options.arrival_rate, options.lifetime
    _require("arrival_rate", rate, rate is None, "left out, as arrivals tells when nodes arrive")
    good = life is None or not replayed.tells_lifetimes
    _require("lifetime", life, good, "left out, as arrivals tells how long nodes stay")
    return nodes


def _shape(options: WorldOptions, nodes: int) -> Shape:
    partitions = nodes if options.partitions is None else options.partitions
    fanout = choose_fanout(partitions) if options.fanout is None else options.fanout
    return Shape.root(partitions, fanout, options.keep_going)


def _draws(nodes: int, partitions: int) -> int:
    """How many each table has: few for a small world, which would wait for them."""
    return min(DRAWS, 1 << (4 * max(nodes, partitions)).bit_length())


def _input(options: WorldOptions) -> Any:
    try:
        return values.plain(options.input)
    except TypeError as error:
        raise ValueError(f"input: {error}") from None


def _faults(faults: Any, world: Blueprint) -> tuple[Fault, ...]:
    given = faults
    if isinstance(given, str):
        given = planned(given, world.nodes, world.shape, world.options.seed)
    given = tuple(given) if isinstance(given, Iterable) else (given,)
    if not all(isinstance(fault, Fault) for fault in given):
        wanted = "'light', 'heavy', the path of a file, or what sim.faults.script.read gives"
        raise ValueError(f"faults must be {wanted}, not {faults!r:.60}")
    return given


def _require(name: str, value: object, good: bool, wanted: str) -> None:
    if not good:
        raise ValueError(f"{name} must be {wanted}, not {value!r}")
