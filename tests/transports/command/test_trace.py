"""What `--trace` writes: by real processes, the same tables as the simulator's, and true."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import polars as pl
import pytest

from core import Shape
from plugins.tracing.schema import EVENTS, FORMAT, TABLES, VERSION, in_sample
from tests.processes import free_port
from tests.running import Programs
from tests.transports.command.jobs_for_tests import SLEEPING
from tests.transports.command.traced import described, of, pieces, processes, rows

CONTROL = ("leads", "opened", "recovered")
ASYNCHRONOUS = SLEEPING.replace("import time", "import trio").replace(
    "def compute(input, index):\n    time", "async def compute(input, index):\n    await trio"
)


def sessions(shape: Shape) -> Iterator[str]:
    """All that there are to be."""
    yield shape.session
    if not shape.leaf:
        for slot in range(shape.slots):
            yield from sessions(shape.child(slot))


def see_the_order(found: pl.DataFrame, partitions: int) -> None:
    """Each partition was given to somebody, begun, done and accepted, one after the other."""
    steps = ("assigned", "started", "finished", "accepted")
    first = [
        dict(
            of(found, step)
            .filter(pl.col("partition").is_not_null())
            .group_by("partition")
            .agg(pl.col("time").min())
            .iter_rows()
        )
        for step in steps
    ]
    assert [sorted(times) for times in first] == [list(range(partitions))] * len(steps)
    for earlier, later in pairwise(first):
        assert all(earlier[partition] <= later[partition] for partition in earlier)


def test_it_has_the_tables_of_every_trace(run: Programs) -> None:
    trace = run.folder / "trace"
    run.run("--nodes", 10, "--partitions", 50, "--fanout", 5, "--trace", trace)
    for table, columns in TABLES.items():
        found = pieces(trace, table)
        assert found
        assert all(piece.schema == pl.DataFrame(schema=columns).schema for piece in found)
        assert all(piece["time"].is_sorted() for piece in found if table == "events")
    assert set(rows(trace)["event"]) <= set(EVENTS)
    assert not [path for path in trace.iterdir() if path.suffix not in (".parquet", ".json")]
    told = described(trace)
    assert (told["format"], told["version"]) == (FORMAT, VERSION)
    assert (told["transport"], told["job"], told["sample"]) == ("tcp", "plugins.demo", 1)


def test_it_agrees_with_what_is_told_at_the_end(run: Programs) -> None:
    trace = run.folder / "trace"
    shape = ("--nodes", 12, "--processes", 2, "--partitions", 300, "--fanout", 8)
    found = run.start(*shape, "--delay", 0.001, "--trace", trace, "--json").report()
    told, events = described(trace), rows(trace)
    assert told["summary"] == found
    alike = ("nodes", "partitions", "fanout", "levels", "seed")
    assert {name: told[name] for name in alike} == {name: found[name] for name in alike}
    assert told["options"] == {"delay": "0.001", "bots": "plugins.bots_local", "processes": 2}

    (submitter,) = of(events, "leads").filter(pl.col("session") == "0")["node"]
    assert of(events, "arrived").height == found["arrived"] + 1
    assert len(processes(events["node"].drop_nulls())) == found["processes"] + 1
    leaves = of(events, "accepted")["partition"].drop_nulls()
    assert leaves.n_unique() == found["accepted"] == 300
    opened = of(events, "opened", "recovered")["session"]
    assert set(opened) == set(sessions(Shape.root(300, 8)))
    assert max(name.count("-") for name in opened) + 1 == found["levels"]
    counted = rows(trace, "connections").filter(pl.col("node") == submitter)["connections"]
    assert counted.max() == found["connections_max"]
    assert set(rows(trace, "traffic")["level"]) == set(range(found["levels"]))
    (ended,) = of(events, "ended").filter(pl.col("session") == "0")["time"]
    assert of(events, "accepted")["time"].max() <= ended
    assert of(events, "lost", "failed").is_empty()
    assert of(events, "left").filter(pl.col("time") > ended).is_empty()  # before, some go elsewhere


@pytest.mark.parametrize("job", [SLEEPING, ASYNCHRONOUS], ids=["processes", "loop"])
def test_all_that_happens_to_a_partition_is_in_order(run: Programs, job: str) -> None:
    trace = run.folder / "trace"
    options = ("--job", run.job(job), "--input", 0.005, "--partitions", 120, "--fanout", 6)
    run.run(*options, "--nodes", 12, "--processes", 3, "--trace", trace)
    found = rows(trace)
    see_the_order(found, 120)
    first = found.filter(pl.col("node").is_not_null()).group_by("node", maintain_order=True).first()
    assert set(first["event"]) == {"arrived"}
    assert first.height == 12 + 1
    assert found["time"].min() >= 0
    seconds = of(found, "finished")["seconds"]
    assert seconds.min() >= 0.004  # of sleep, in single precision


def test_of_a_sample_all_who_lead_are_in_it(run: Programs) -> None:
    trace, sample = run.folder / "trace", 7
    run.run("--nodes", 40, "--partitions", 120, "--fanout", 5, "--trace", trace, "--sample", sample)
    found = rows(trace)
    assert described(trace)["sample"] == sample
    shape = Shape.root(120, 5)
    assert set(of(found, "leads")["session"]) == set(sessions(shape))
    interior = pl.col("event").eq("assigned") & pl.col("partition").is_null()
    control = set(found.filter(pl.col("event").is_in(CONTROL) | interior)["node"])
    assert control <= set(of(found, "arrived")["node"])
    others = set(found["node"].drop_nulls()) - control
    assert all(in_sample(node, sample) for node in others)
    assert len(control | others) < 41


def test_who_joins_may_come_before_the_host(run: Programs) -> None:
    trace, where = run.folder / "trace", f"127.0.0.1:{free_port()}"
    early = run.join(where, "--nodes", 3, "--trace", trace)
    early.says("nobody listens there")
    assert trace.is_dir()
    host = run.host("--partitions", 30, "--trace", trace, listen=where)
    assert host.report()["arrived"] == 3
    early.ended()
    see_the_order(rows(trace), 30)
    assert rows(trace)["time"].max() < time.monotonic() - host.began


def test_bots_that_may_be_elsewhere_write_none(run: Programs) -> None:
    (run.folder / "elsewhere.py").write_text("from plugins.bots_local import bots as bots")
    trace, path = run.folder / "trace", {"PYTHONPATH": str(run.folder)}
    options = ("--bots", "elsewhere", "--nodes", 4, "--processes", 2, "--partitions", 9)
    host = run.host(*options, "--trace", trace, env=path)
    host.says("bots of elsewhere write no trace: they may be elsewhere")
    assert host.report()["result"] == 9
    assert len(processes(of(rows(trace), "arrived")["node"])) == 1  # the host's own
