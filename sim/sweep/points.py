"""The points of a sweep: for each run the arguments of its World."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from itertools import islice, product
from math import prod
from typing import Any

import attrs

from sim.options import NODES, WorldOptions

Point = dict[str, Any]  # the arguments of World that were given

NOT_SWEPT = ("trace", "sample")  # a trace is of one run
PARAMETERS = {
    name: field for name, field in attrs.fields_dict(WorldOptions).items() if name not in NOT_SWEPT
}
LEADING = ("nodes", "partitions", "fanout", "latency")  # in this order, then any others, the seed
GIVEN = {**dict.fromkeys(LEADING, "int"), "latency": "str", "seed": "int"}  # columns of each table
RUNS_MAX = 1_000_000
SEED_MAX = 2**63  # in a column of whole numbers


def grid(values: Mapping[str, Any], **constants: Any) -> list[Point]:
    """A point for each combination of `values`, each with the `constants` besides.

    `values` has for any parameters of World what they are to be, one value or several. The seed
    changes fastest, before it the latency, the fanout, the partitions and the nodes; the values of
    each keep their order. Raises ValueError with one line for what cannot be.
    """
    axes = {name: _several(values[name]) for name in sorted(values, key=_rank)}
    for name in (*axes, *constants):
        _require_known(name)
    for name, several in axes.items():
        _require_apart(name, several, constants)
    if (runs := prod(len(several) for several in axes.values())) > RUNS_MAX:
        raise ValueError(f"these are {runs:,} runs, give values for at most {RUNS_MAX:,}")
    points = [dict(zip(axes, each, strict=True)) | constants for each in product(*axes.values())]
    _try(points[0], axes)
    return points


def size(point: Point) -> int:
    """What a run takes, in memory as in time, roughly: in nodes and partitions."""
    nodes = int(point.get("nodes") or NODES)
    return nodes + int(point.get("partitions") or nodes)


def words(point: Point) -> str:
    """`nodes 1000, seed 3`."""
    return ", ".join(f"{name} {value!s:.60}" for name, value in point.items())


def _several(value: Any) -> list[Any]:
    single = isinstance(value, str) or not isinstance(value, Iterable)
    return [value] if single else list(islice(value, RUNS_MAX + 1))


def _rank(name: str) -> int:
    if name == "seed":
        return len(LEADING) + 1
    return LEADING.index(name) if name in LEADING else len(LEADING)


def _require_known(name: str) -> None:
    if name not in PARAMETERS:
        raise ValueError(f"there is no parameter {name!r:.60}, give one of {', '.join(PARAMETERS)}")


def _require_apart(name: str, several: list[Any], constants: Mapping[str, Any]) -> None:
    """Each value once: two rows of the same run would count twice in whatever is made of them."""
    if name in constants:
        raise ValueError(f"{name} is both varied and constant, give it once")
    if not several:
        raise ValueError(f"{name} has no value, give one or more")
    if name == "seed" and not all(type(v) is int and abs(v) < SEED_MAX for v in several):
        raise ValueError(f"seed must be whole numbers below 2^63, not {several!s:.60}")
    met = set[str]()
    for value in map(repr, several):
        if value in met:
            raise ValueError(f"{name}: {value:.60} is given twice, give each value once")
        met.add(value)


# -- whether they can be ---------------------------------------------------------------------


def _try(point: Point, axes: Mapping[str, list[Any]]) -> None:
    """Find out before the first run what World says to each value. Raises ValueError."""
    _try_one(point)
    for name, several in axes.items():
        for value in several[1:] if name != "seed" else ():
            _try_one({**point, name: value})


def _try_one(point: Point) -> None:
    # They take a while to load, and the help of a sweep, which shows the parameters, has no points.
    from multiprocessing.reduction import ForkingPickler

    from sim.world import World

    try:
        ForkingPickler.dumps(point)
    except Exception as error:  # noqa: BLE001 - each kind of object has its own way to refuse
        why = " ".join(str(error).split())
        raise ValueError(
            f"{words(point)} cannot be given to another process: {why:.100}; "
            "give numbers, texts and plain data, a job by its name or path"
        ) from None
    if not isinstance(point.get("job", ""), str | os.PathLike):
        raise ValueError(f"job must be the name of a module or a path, not {point['job']!r:.60}")
    with redirect_stdout(sys.stderr):  # what a job prints while it is loaded is no result
        World(**_small(point))


def _small(point: Point) -> Point:
    """The same, if wrong just as wrong, but made in no time: a World has room for all its nodes.

    Recorded arrivals are as many as they are, and whether they suffice is to be found out.
    """
    if point.get("arrivals") is not None:
        return point
    small = {"nodes": 1, **point}
    for name in ("nodes", "partitions"):
        if isinstance(small.get(name), int):
            small[name] = min(small[name], 1)
    return small
