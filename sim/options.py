"""What a world is asked for, in the groups that the command line shows: all options, each once.

A field has its default, its unit, its check and its help. `World(...)` takes them by name, `python
-m sim` and `python -m sim.sweep` are made of them (`sim.command.options`, `sim.sweep.options`), and
a sweep's columns are called as they are. What only shows when it is put together (faults that name
no node, a table that cannot be read) is found out by `sim.blueprint`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from math import inf
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import attrs

from plugins.console import checks, shared
from plugins.console.options import Must, option
from plugins.console.shared import real, whole
from sim.faults import plans
from sim.faults.actions import Fault
from sim.measured import places, tables

NODES = 1000  # where neither they nor recorded ones are given
FANOUT_MAX = 1000
ARRIVAL_SECONDS = 10.0  # by default all nodes arrive within this
SETTLING_SECONDS = 2.0  # for the last to find its place
TICK_SECONDS_MIN, TICK_SECONDS_MAX = 1e-9, 60.0
AT_ONCE, AT_ONCE_MAX = 4, 64  # jobs of a fleet that run
AT_MAX = 1e9  # seconds: the latest moment for which anything is planned
PARTS = "prepare, compute and collect, and maybe cost, the seconds that a piece takes"

_RATE = checks.number(float, "a number above 0, from 1e-09 to 1e+15", lambda x: 1e-9 <= x <= 1e15)
_TICK = checks.number(
    float,
    f"a number above 0, from {TICK_SECONDS_MIN:g} to {TICK_SECONDS_MAX:g}",
    lambda x: TICK_SECONDS_MIN <= x <= TICK_SECONDS_MAX,
)
REPLICAS = ("shared", "each")


def _latency(text: str) -> str:
    """A distribution of seconds, or a table of round trips."""
    if not text.startswith(places.PREFIX):
        return checks.distribution(text)
    places.read(text.removeprefix(places.PREFIX))
    return text


def _arrivals(text: str) -> str:
    tables.trace(text)
    return text


def _replicas(text: str) -> str:
    if text not in REPLICAS:
        raise checks.wrong(text, f"is wrong, give {' or '.join(map(repr, REPLICAS))}")
    return text


def _faults(text: str) -> str | tuple[Fault, ...]:
    return text if text in plans.LEVELS else plans.read(text)


@attrs.frozen(slots=False, eq=False, repr=False)
class Tree:
    """How many."""

    nodes: int | None = option(
        None,
        "N",
        checks.COUNT,
        "how many nodes arrive",
        f"{NODES}, or all of --arrivals",
        whole(1),
    )
    partitions: int | None = shared.partitions()
    fanout: int | None = shared.fanout(FANOUT_MAX)
    listening: float = option(
        1.0,
        "SHARE",
        checks.SHARE,
        "the share of the nodes, 0 to 1, that others can connect to; the rest connect only",
        must=real("from 0 to 1", lambda x: 0 <= x <= 1),
    )
    seed: int = shared.seed("all randomness is")
    replicas: str = option(
        REPLICAS[0],
        "|".join(REPLICAS),
        _replicas,
        "whether the participants of a session share one copy of its model, or each has its "
        "own, compared after every message",
        must=Must(lambda kind: kind in REPLICAS, " or ".join(REPLICAS)),
    )


@attrs.frozen(slots=False, kw_only=True, eq=False, repr=False)
class Job:
    """What they compute. A job may be an object that has the functions."""

    job: Any = shared.job(PARTS)
    prepare: str | None = shared.prepare()
    compute: str | None = shared.compute()
    collect: str | None = shared.collect()
    input: Any = shared.input()
    keep_going: bool = shared.keep_going()


@attrs.frozen(slots=False, kw_only=True, eq=False, repr=False)
class Times:
    """How long things take, in simulated seconds. A number, or what `distributions.parse` reads."""

    latency: str | float = option(
        "uniform:0.02,0.08",
        "DIST",
        _latency,
        "seconds that a message takes one way; each link has one latency; or "
        f"{places.PREFIX}FILE.csv, a table of measured round trips between places: columns cty1, "
        "cty2, rtt_avg, in milliseconds, a row for both directions. Each node, the submitter too, "
        "is at a place drawn from the seed, and a link takes half the round trip of its two "
        "places. A pair that has no row is as far apart as the best way by other places; nodes at "
        "one place that has no row of its own, as far as the place is from the nearest other",
    )
    service_time: float = option(
        0.0,
        "SECONDS",
        checks.SECONDS,
        "seconds that a host spends on each message it receives",
        must=real("0 or more seconds", lambda x: 0 <= x < inf),
    )
    arrival_rate: float | None = option(
        None,
        "NODES_PER_SECOND",
        _RATE,
        "nodes that arrive each second",
        f"so many that all have arrived within {ARRIVAL_SECONDS:g} seconds",
        real("above 0, and finite", lambda x: 0 < x < inf),
    )
    arrivals: str | None = option(
        None,
        "FILE.csv",
        _arrivals,
        "replay recorded nodes, a row a node: its seconds in column arrival, and in column "
        "lifetime, if there is one, how long it stays (empty: to the end); with --nodes the first "
        "so many. Where they leave early, give --partitions or --delay too",
        "nodes arrive at --arrival-rate",
        shared.TEXT,
    )
    lifetime: str | float | None = option(
        None,
        "DIST",
        checks.distribution,
        "seconds from a node's arrival to its leaving",
        "they stay",
    )
    delay: str | float | None = shared.delay(
        "for compute what the job's cost says, for the others 0; where the job has no cost and "
        "there are as many partitions as nodes by default, compute takes "
        f"{SETTLING_SECONDS:g} seconds longer than the nodes take to arrive, so that each node "
        "computes one",
    )
    piece_timeout: float | None = shared.piece_timeout()
    tick: float = option(
        0.001,
        "SECONDS",
        _TICK,
        "seconds that count as the same moment; times are rounded to it",
        must=shared.POSITIVE,
    )


@attrs.frozen(slots=False, kw_only=True, eq=False, repr=False)
class Trouble:
    """What goes wrong."""

    faults: str | Iterable[Fault] | None = option(
        None,
        "light|heavy|FILE",
        _faults,
        "faults drawn from the seed in the first "
        f"{plans.UNTIL_SECONDS:g} seconds, after which all is healed and restarted: about one in "
        f"{plans.LIGHT_GAP_SECONDS:g} seconds, or one a second and of every kind; or a file of "
        "them, one a line, as below",
        "none",
    )
    heartbeat: float = shared.heartbeat(5.0)


@attrs.frozen(slots=False, kw_only=True, eq=False, repr=False)
class Trace:
    """What is kept of it."""

    trace: str | Path | None = shared.trace(shared.traced())
    sample: int = shared.sample()


@attrs.frozen(slots=False, eq=False)
class WorldOptions(Trace, Trouble, Times, Job, Tree):  # attrs has the last one's fields first
    """All that a world is asked for. Raises ValueError with one clear line for what cannot be."""


@attrs.frozen(slots=False, kw_only=True, eq=False, repr=False)
class Queue:
    """How jobs share a fleet."""

    at_once: int = option(
        AT_ONCE,
        "N",
        checks.between(1, AT_ONCE_MAX),
        "with --jobs: how many of them run at the same time; those that wait go by priority, then "
        "in order",
        must=whole(1, AT_ONCE_MAX),
    )


@attrs.frozen(slots=False, eq=False)
class FleetOptions(Queue, WorldOptions):
    """All that a fleet is asked for. Raises ValueError with one clear line for what cannot be."""


# -- the arguments of a class --------------------------------------------------------------

Self = TypeVar("Self")
Asked = TypeVar("Asked")
Given = ParamSpec("Given")


def asked_for(
    options: Callable[Given, Asked],
) -> Callable[[Callable[[Self, Asked], None]], Callable[Concatenate[Self, Given], None]]:
    """Have `__init__` take what the class `options` takes, and be handed the options."""

    def outer(
        begin: Callable[[Self, Asked], None],
    ) -> Callable[Concatenate[Self, Given], None]:
        @wraps(begin)
        def inner(self: Self, /, *args: Given.args, **given: Given.kwargs) -> None:
            begin(self, options(*args, **given))

        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        asked = inspect.signature(options)
        inner.__signature__ = asked.replace(parameters=[own, *asked.parameters.values()])  # type: ignore[attr-defined]
        return inner

    return outer
