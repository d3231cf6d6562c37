"""The same job with the same nodes leaves the same trace, but for times and for who did what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import trio

from core import Shape
from plugins.tracing.schema import TABLES
from sim import World
from tests.conformance.tcp import tcp

JOB, VALUE = "plugins.demo", 3
NODES, PARTITIONS, FANOUT = 12, 12, 3
ONCE = ("accepted", "opened", "completed", "collected")  # for each slot, or each session
AT_LEAST_ONCE = ("assigned", "started", "finished")
Row = tuple[Any, ...]


def rows(folder: Path, table: str) -> pl.DataFrame:
    pieces = [pl.read_parquet(path) for path in sorted(folder.glob(f"{table}-*.parquet"))]
    return pl.concat(pieces)


def what(folder: Path, *events: str) -> list[Row]:
    """What happened, and to which slot of which session."""
    found = rows(folder, "events").filter(pl.col("event").is_in(events))
    return sorted(found.select("session", "event", "slot", "partition").rows(), key=repr)


async def test_the_same_happens_to_all_slots_and_sessions(tmp_path: Path) -> None:
    simulated, real = tmp_path / "simulated", tmp_path / "real"
    shape = {"partitions": PARTITIONS, "fanout": FANOUT}
    pieces = {"delay": "1", "arrival_rate": 100.0}  # long enough for all to come
    World(nodes=NODES, **shape, **pieces, job=JOB, input=VALUE, trace=simulated).run()
    real.mkdir()
    with trio.fail_after(20.0):
        async with tcp(PARTITIONS, FANOUT, JOB, VALUE, real) as there:
            await there.start(NODES, together=3)
            await there.until(lambda: there.outcome is not None)

    once = what(real, *ONCE)
    assert once == what(simulated, *ONCE)
    assert len(once) == len(set(once))
    assert set(what(real, *AT_LEAST_ONCE)) == set(what(simulated, *AT_LEAST_ONCE))
    for table in TABLES:
        assert rows(real, table).schema == rows(simulated, table).schema
    levels = set(range(Shape.root(PARTITIONS, FANOUT).levels))
    for folder in (real, simulated):
        events = rows(folder, "events")
        assert events.filter(pl.col("event") == "arrived").height == NODES + 1
        assert set(rows(folder, "traffic")["level"]) == levels
        ended = events.filter((pl.col("event") == "ended") & (pl.col("session") == "0"))
        assert ended.height == 1
