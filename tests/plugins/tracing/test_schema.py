"""The files of a trace are what `plugins.tracing.schema` says."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import polars as pl
import pytest

from core.cutting import Shape
from plugins import tracing
from plugins.console.telling import by_name
from plugins.tracing.schema import (
    EVENT_COLUMNS,
    EVENTS,
    FORMAT,
    NEEDED,
    TABLES,
    TRAFFIC_SECONDS,
    VERSION,
    Run,
    TraceError,
)
from tests.plugins.tracing.worlds import WORLDS, Ran, Runs, rows, shape_of

PIECE = re.compile(r"(events|traffic|connections)-sim-\d+\.parquet")
HAS = {  # besides time and node; the rest is null
    "arrived": "session",
    "sent_on": "session to",
    "waits": "session",
    "turned_away": "session",
    "joined": "session",
    "left": "session",
    "lost": "session",
    "gone": "",
    "assigned": "session slot",
    "doubled": "session slot",
    "started": "session slot partition",
    "finished": "session slot partition seconds",
    "accepted": "session slot",
    "opened": "session to",
    "recovered": "session to",
    "leads": "session",
    "completed": "session",
    "collected": "session",
    "moved": "session to",
    "ended": "session",
}


def test_every_piece_has_the_documented_columns(ran: Ran) -> None:
    names = sorted(path.name for path in ran.folder.iterdir() if path.name != "trace.json")
    for name in names:
        found = PIECE.fullmatch(name)
        assert found, name
        piece = pl.read_parquet(ran.folder / name)
        assert dict(piece.schema) == dict(pl.DataFrame(schema=TABLES[found[1]]).schema), name
    assert {name.partition("-")[0] for name in names} == set(TABLES)


def test_what_was_run_is_told(ran: Ran) -> None:
    told = json.loads((ran.folder / "trace.json").read_text())
    assert set(told) == {"format", "version"} | {field.name for field in attrs.fields(Run)}
    assert (told["format"], told["version"]) == (FORMAT, VERSION)
    report = ran.report
    for name in ("nodes", "partitions", "fanout", "levels", "seed"):
        assert told[name] == getattr(report, name), name
    assert (told["transport"], told["sample"]) == ("simulator", 1)
    told_apart = {"nodes", "partitions", "fanout", "seed", "job"}
    assert told["options"] == {k: v for k, v in ran.options.items() if k not in told_apart}
    summary = json.loads(json.dumps(by_name(report), default=str))
    assert told["summary"] == summary
    assert ran.trace.run.summary == summary


def test_each_event_has_what_belongs_to_it(ran: Ran) -> None:
    """And nothing else. Only a fault, and what fails outside a slot, may lack more."""
    events = ran.trace.events
    for event, columns in HAS.items():
        of = events.filter(pl.col("event") == event)
        assert not of["node"].null_count(), event
        needed, allowed = set(columns.split()), {"time", "event", "node", *columns.split()}
        if "slot" in needed:
            allowed |= {"partition"}
        for column in EVENT_COLUMNS:
            if column in needed:
                assert not of[column].null_count(), (event, column)
            elif column not in allowed:
                assert of[column].null_count() == len(of), (event, column)
    faults = events.filter(pl.col("event") == "fault")
    assert not faults["to"].null_count()


def test_a_partition_is_the_global_index_of_a_leafs_slot(ran: Ran) -> None:
    places = ran.trace.events.filter(pl.col("slot").is_not_null())
    for session, slot, partition in places.select("session", "slot", "partition").unique().rows():
        shape = shape_of(ran.trace, session)
        assert 0 <= slot < shape.slots
        assert partition == (shape.first + slot if shape.leaf else None)
    assert ran.trace.events.filter(pl.col("slot").is_null())["partition"].drop_nulls().is_empty()


def test_times_are_in_order_and_from_the_opening_of_the_root_on(ran: Ran) -> None:
    pieces = sorted(ran.folder.glob("events-*.parquet"))
    times = pl.concat(pl.read_parquet(piece, columns=["time"]) for piece in pieces)["time"]
    assert times.is_sorted()
    first = ran.trace.events.filter(pl.col("event") == "opened").row(0, named=True)
    assert (times[0], first["session"], first["to"]) == (0, "0", "0")
    assert first["time"] <= ran.options.get("service_time", 0)  # for its first message


def test_traffic_is_counted_in_intervals(ran: Ran) -> None:
    traffic = ran.trace.traffic
    into = traffic["time"] / TRAFFIC_SECONDS
    assert (into - into.round()).abs().max() < 1e-6  # type: ignore[operator]
    assert set(traffic["level"]) <= set(range(ran.report.levels))
    assert (traffic["messages"] > 0).all()
    assert not traffic.select(pl.struct("time", "level").is_duplicated()).to_series().any()


def test_connections_only_grow(ran: Ran) -> None:
    pieces = sorted(ran.folder.glob("connections-*.parquet"))
    table = pl.concat(pl.read_parquet(piece) for piece in pieces)
    of = table.with_columns(before=pl.col("connections").shift(fill_value=0).over("node"))
    assert (of["connections"] > of["before"]).all()
    hosts = {int(to) for event in ("opened", "recovered")
             for (to,) in rows(ran.trace.events, event, "to")}  # fmt: skip
    assert set(table["node"]) <= hosts


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_happens_somewhere(event: str, runs: Runs) -> None:
    assert any(event in runs[name].trace.events["event"] for name in WORLDS)


def test_a_fault_is_told_in_the_words_of_the_simulator(runs: Runs) -> None:
    from sim.faults import script

    ran = runs["heavy"]
    told = {what for (what,) in rows(ran.trace.events, "fault", "to")}
    assert len(told) > 10
    for what in told:
        assert script.said(script.action(what)) == what
    assert ran.report.faults > len(ran.report.faults_in_vain)


def test_sessions_name_their_place(ran: Ran) -> None:
    deepest = ran.report.levels - 1
    names = set(ran.trace.events["session"].drop_nulls())
    assert max(name.count("-") for name in names) == deepest
    assert all(re.fullmatch(r"0(-\d+)*", name) for name in names)


def test_pieces_of_several_processes_belong_together(runs: Runs, tmp_path: Path) -> None:
    """They may be given any order of names."""
    whole = runs["plain"].trace
    (tmp_path / "trace.json").write_bytes((whole.folder / "trace.json").read_bytes())
    for who, nodes in (("a", pl.col("node") % 2 == 1), ("b", pl.col("node") % 2 == 0)):
        whole.events.filter(nodes).write_parquet(tmp_path / f"events-sim.{who}-000001.parquet")
    for table in ("traffic", "connections"):
        for piece in whole.folder.glob(f"{table}-*.parquet"):
            rows_of = pl.read_parquet(piece)
            for i, of in enumerate((rows_of[::2], rows_of[1::2])):
                of.write_parquet(tmp_path / f"{table}-sim.x{i}-000001.parquet")
    split = tracing.read(tmp_path)
    assert split.events["time"].is_sorted()
    assert len(split.events) == len(whole.events)
    assert split.partitions().equals(whole.partitions())
    assert split.sessions().equals(whole.sessions())
    assert split.traffic.equals(whole.traffic)
    assert split.timeline().equals(whole.timeline())


@pytest.fixture
def older(runs: Runs, tmp_path: Path) -> Callable[[str, str], Path]:
    """A trace like one of them, whose writer did not know some column of a table."""

    def made(table: str, column: str) -> Path:
        folder = shutil.copytree(runs["churn"].folder, tmp_path / f"{table}_{column}")
        for piece in folder.glob(f"{table}-*.parquet"):
            pl.read_parquet(piece).drop(column).write_parquet(piece)
        return folder

    return made


def test_a_trace_may_know_nothing_of_a_column_that_has_come_since(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = runs["churn"].trace
    events, partitions = whole.events, whole.partitions()
    monkeypatch.setitem(EVENT_COLUMNS, "weight", pl.Int32)
    read = tracing.read(whole.folder)
    assert read.events.columns == list(EVENT_COLUMNS)
    assert read.events["weight"].null_count() == len(events) > 0
    assert read.events.drop("weight").equals(events)
    assert read.partitions().equals(partitions)


def test_pieces_of_older_and_newer_processes_belong_together(runs: Runs, tmp_path: Path) -> None:
    folder = shutil.copytree(runs["churn"].folder, tmp_path / "both")
    for number, piece in enumerate(list(folder.glob("events-*.parquet"))):
        older = folder / f"events-sim.older-{number:06}.parquet"
        pl.read_parquet(piece).drop("to").write_parquet(older)
    events, whole = tracing.read(folder).events, runs["churn"].trace.events
    assert events["to"].count() == whole["to"].count()
    assert events["node"].count() == 2 * whole["node"].count()


@pytest.mark.parametrize(
    ("column", "table", "made_of_it", "unknown"),
    [("to", "sessions", "host", None), ("seconds", "nodes", "busy", 0)],
)
def test_only_what_is_made_of_a_column_is_unknown_without_it(
    column: str,
    table: str,
    made_of_it: str,
    unknown: object,
    runs: Runs,
    older: Callable[[str, str], Path],
) -> None:
    known = getattr(runs["churn"].trace, table)()
    found = getattr(tracing.read(older("events", column)), table)()
    assert found.drop(made_of_it).equals(known.drop(made_of_it))
    assert set(found[made_of_it]) == {unknown}


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in NEEDED for column in sorted(NEEDED[table])]
)
def test_a_column_without_which_rows_say_nothing_is_missed_by_name(
    table: str, column: str, older: Callable[[str, str], Path]
) -> None:
    with pytest.raises(TraceError, match=rf"has no column '{column}': give another trace") as told:
        getattr(tracing.read(older(table, column)), table)
    assert "\n" not in str(told.value)


def test_the_shape_is_told(ran: Ran) -> None:
    assert ran.trace.roots == {"0": Shape.root(ran.report.partitions, ran.report.fanout)}
