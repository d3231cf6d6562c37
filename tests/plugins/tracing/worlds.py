"""Small worlds of every kind, each run without a trace and with one."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import polars as pl

from core.cutting import Shape
from plugins import tracing
from sim import Report, World


def _breaks(value: Any, index: int) -> int:
    return 1 // (index - 77)


FAILING = SimpleNamespace(
    prepare=lambda value, sizes: [value] * len(sizes), compute=_breaks, collect=sum
)
WORKING: dict[str, Any] = {"fanout": 6, "delay": "exponential:3"}
WORLDS: dict[str, dict[str, Any]] = {
    "plain": {"nodes": 300, "fanout": 7},
    "heavy": {"nodes": 200, "partitions": 600, **WORKING, "faults": "heavy", "seed": 3},
    "heavy, each a replica": {
        "nodes": 60, "partitions": 200, **WORKING, "faults": "heavy", "seed": 5, "replicas": "each",
    },
    "churn": {"nodes": 300, "partitions": 600, **WORKING, "lifetime": "exponential:20"},
    "few listen": {"nodes": 200, "partitions": 400, **WORKING, "listening": 0.3},
    "busy hosts": {"nodes": 200, "fanout": 8, "service_time": 0.002},
    "each a replica": {"nodes": 80, "partitions": 160, "fanout": 5, "replicas": "each", "delay": 1},
    "many partitions": {"nodes": 100, "partitions": 2000, "fanout": 10, "delay": "exponential:2"},
    "spares": {"nodes": 400, "partitions": 100, "fanout": 5, "delay": 12.0},
    "a job that fails": {"nodes": 100, "fanout": 5, "job": FAILING},
    "one node": {"nodes": 1},
}  # fmt: skip
FAULTY = {"heavy", "heavy, each a replica"}
CHANGING = {*FAULTY, "churn"}  # somebody is gone before the end


@attrs.frozen(slots=False, repr=False)
class Ran:
    """A world that was run."""

    name: str
    folder: Path
    untraced: Report
    report: Report
    trace: tracing.Trace

    def __repr__(self) -> str:
        return self.name

    @cached_property
    def options(self) -> dict[str, Any]:
        return WORLDS[self.name]


@attrs.frozen(eq=False)
class Runs:
    """Each world once, however many look at it."""

    folder: Path
    ran: dict[str, Ran] = attrs.Factory(dict)

    def __getitem__(self, name: str) -> Ran:
        if name not in self.ran:
            self.ran[name] = self._run(name)
        return self.ran[name]

    def _run(self, name: str) -> Ran:
        folder = self.folder / name.replace(" ", "_").replace(",", "")
        untraced = World(**WORLDS[name]).run()
        report = World(**WORLDS[name], trace=folder).run()
        return Ran(name, folder, untraced, report, tracing.read(folder))


def shape_of(trace: tracing.Trace, session: str) -> Shape:
    """From `core`, on a way of its own."""
    shape = Shape.root(trace.run.partitions, trace.run.fanout)
    for slot in session.split("-")[1:]:
        shape = shape.child(int(slot))
    return shape


def rows(table: pl.DataFrame, event: str, *columns: str) -> list[tuple[Any, ...]]:
    """What the rows of an event say, in their order."""
    return table.filter(pl.col("event") == event).select(columns).rows()


def largest(series: pl.Series) -> Any:
    """0 where there is nothing."""
    return series.max() or 0
