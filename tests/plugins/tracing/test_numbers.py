"""What is computed from a trace equals what the run says of itself."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from plugins.tracing import measures
from tests.plugins.tracing.worlds import CHANGING, FAULTY, Ran, Runs, largest, rows

SHARES = ("first", "quarter", "half", "three_quarters", "all")
PLAIN = ("arrived", "accepted", "sessions", "control_nodes", "messages", "connections_max")


def test_a_traced_run_is_the_same_run(ran: Ran) -> None:
    one, other = ran.untraced, ran.report
    assert other.digest == one.digest
    assert other.result == one.result
    assert (other.messages, other.connections_max) == (one.messages, one.connections_max)
    assert other.finished_seconds == one.finished_seconds
    assert (other.failure is None) == (one.failure is None) == (ran.name != "a job that fails")


def test_totals_are_those_of_the_summary(ran: Ran) -> None:
    totals = measures.totals(ran.trace)
    for name in PLAIN:
        assert totals[name] == getattr(ran.report, name), name
    assert totals["finished_seconds"] == pytest.approx(ran.report.finished_seconds)
    if ran.name not in CHANGING:
        assert totals["computation_nodes"] == ran.report.computation_nodes
    if ran.name not in FAULTY:  # nobody comes twice
        assert totals["gone"] == ran.report.left + ran.report.crashed


def test_who_crashes_twice_is_gone_twice(ran: Ran) -> None:
    gone = rows(ran.trace.events, "gone", "node")
    assert len(gone) == ran.report.left + ran.report.crashed


def test_pieces_that_are_computed_in_vain_can_be_seen(ran: Ran) -> None:
    accepted, again = set(), 0
    for event, partition in ran.trace.events.select("event", "partition").rows():
        if event == "accepted":
            accepted.add(partition)
        again += event == "started" and partition in accepted
    if ran.name in CHANGING:  # the others do not count them
        assert again == ran.report.repeated


def test_faults_are_those_that_happened(ran: Ran) -> None:
    table = measures.faults(ran.trace)
    lines = {(round(time, 6), what) for time, what in rows(ran.trace.events, "fault", "time", "to")}
    assert len(table) == len(lines) <= ran.report.faults
    assert bool(len(table)) == (ran.name in FAULTY)
    between = table["recovered"].sum()
    assert between <= len(rows(ran.trace.events, "recovered", "session"))
    (nodes,) = table.select(pl.col("nodes").sum()).row(0)
    assert nodes == len([n for (n,) in rows(ran.trace.events, "fault", "node") if n is not None])


# -- what pictures draw --------------------------------------------------------------------


def test_the_timeline_ends_with_the_totals(ran: Ran) -> None:
    table, report = ran.trace.timeline(), ran.report
    assert table["time"][0] == 0
    assert table["time"][-1] == pytest.approx(ran.trace.end)
    assert table["time"].is_sorted()
    last = table.row(-1, named=True)
    assert last["arrived"] == report.arrived
    assert last["accepted"] == report.accepted
    assert last["opened"] == report.sessions
    if report.result is not None:
        assert last["completed"] == report.sessions
        assert table["accepted"].max() == report.partitions
    for column in ("accepted", "opened", "completed"):
        assert table[column].is_sorted(), column


def test_the_timeline_adds_up(ran: Ran) -> None:
    table = ran.trace.timeline()
    for column in table.columns:
        assert (table[column] >= 0).all(), column
    assert (table["seated"] + table["gone"] <= table["arrived"]).all()
    assert (table["computing"] + table["idle"] == table["seated"]).all()
    if ran.name not in CHANGING:
        assert table["arrived"].is_sorted()
        assert table["seated"].is_sorted()
        assert largest(table["gone"]) == 0


@pytest.mark.parametrize("points", [1, 2, 7, 240, 1000])
def test_the_timeline_has_as_many_points_as_are_asked_for(points: int, runs: Runs) -> None:
    trace = runs["plain"].trace
    table = trace.timeline(points)
    assert len(table) == points
    if points > 1:
        assert table.row(-1) == trace.timeline().row(-1)


def test_the_timeline_knows_who_is_there(ran: Ran) -> None:
    """On a way of its own: event by event. What was on its way may happen to those who are gone."""
    table, there, seats = ran.trace.timeline(23), dict[int, bool](), set[int]()
    found, grid = [], list(table["time"])
    nodes = ran.trace.events.filter(pl.col("node") != 0)  # the submitter is none of them
    for row in [*nodes.iter_rows(named=True), None]:
        while grid and (row is None or row["time"] > grid[0]):
            gone = sum(not alive for alive in there.values())
            found.append((grid.pop(0), len(there), gone, len(seats)))
        match row:
            case {"event": "arrived", "node": node}:
                there[node] = True
            case {"event": "back", "node": node}:
                there[node] = True
            case {"event": "gone", "node": node}:
                there[node] = False
                seats.discard(node)
            case {"event": "joined", "node": node} if there[node]:
                seats.add(node)
    assert table.select("time", "arrived", "gone", "seated").rows() == found


def test_messages_are_all_there(ran: Ran) -> None:
    table = measures.messages(ran.trace)
    assert table["messages"].sum() == ran.report.messages == ran.trace.traffic["messages"].sum()
    assert set(table["level"]) == set(range(ran.report.levels))
    each = table["per_second"] / table["sessions"]
    assert (each - table["per_session"]).abs().max() < 1e-6  # type: ignore[operator]
    (step,) = {round(b - a, 6) for a, b in pairwise(table["time"].unique().sort())}
    assert (table["per_second"] * step).sum() == pytest.approx(ran.report.messages)


def test_connections_are_all_there(ran: Ran) -> None:
    most = ran.report.connections_max
    table = measures.connection_counts(ran.trace, 1)
    assert largest(table["low"]) == largest(measures.connections(ran.trace)["connections"]) == most
    assert table["nodes"].sum() == ran.report.nodes + 1  # and the submitter
    for step in (2, 5, 1000):
        wide = measures.connection_counts(ran.trace, step)
        assert wide["nodes"].sum() == table["nodes"].sum()
        last = wide.row(-1, named=True)
        assert last["low"] <= most < last["high"]
        assert (wide["high"] - wide["low"] == step).all()
    if ran.name not in ("few listen", *FAULTY):  # where all listen it is promised
        usual, bound = measures.connections_promised(ran.trace)
        assert usual == ran.report.fanout * ran.report.levels
        assert most <= bound


@pytest.mark.parametrize("bins", [1, 60])
def test_each_partition_took_some_time(ran: Ran, bins: int) -> None:
    table, parts = measures.took(ran.trace, bins), ran.trace.partitions()
    assert table["partitions"].sum() == ran.report.accepted
    late = table.filter(pl.col("which") == "doubled")["partitions"].sum()
    helped = parts.filter(pl.col("accepted").is_not_null() & pl.col("doubled").is_not_null())
    assert late == len(helped)
    longest = largest(parts["accepted"] - parts["assigned"])
    assert largest(table["high"]) >= longest * (1 - 1e-9)
    assert largest(table["low"]) <= longest


def test_milestones_come_one_after_the_other(ran: Ran) -> None:
    table = measures.milestones(ran.trace)
    for of in ("given", "done"):
        for sooner, later in pairwise(SHARES):
            a, b = table[f"{of}_{sooner}"], table[f"{of}_{later}"]
            assert not (a > b).any(), (of, sooner, later)
            assert not (a.is_null() & b.is_not_null()).any(), (of, sooner, later)
    for share in SHARES:  # nothing is done that was not given
        given, done = table[f"given_{share}"], table[f"done_{share}"]
        assert not (given > done).any(), share
        assert not (given.is_null() & done.is_not_null()).any(), share
    assert not (table["opened"] > table["given_first"]).any()
    if ran.report.result is not None:
        assert not table["done_all"].null_count()


def test_milestones_cover_the_tree(ran: Ran) -> None:
    """Below the sessions each partition once, and above them each level the whole width."""
    table, report = measures.milestones(ran.trace), ran.report
    places = table.filter(pl.col("session").is_null())
    assert set(places["level"]) == {report.levels}
    for level in range(report.levels + 1):
        of = table.filter(pl.col("level") == level).sort("first")
        ends = of["first"] + of["partitions"]
        assert (of["first"][0], ends[-1]) == (0, report.partitions), level
        assert of["first"][1:].equals(ends[:-1], check_names=False), level
    last = largest(ran.trace.partitions()["accepted"])
    assert largest(places["done_all"]) == (last if report.result is not None else
                                           largest(places["done_all"]))  # fmt: skip


def test_who_was_late_and_who_helped(ran: Ran) -> None:
    table, parts = measures.doubled(ran.trace), ran.trace.partitions()
    assert len(table) == parts["doubled"].count()
    of = table.join(parts, "partition", suffix="_of")
    assert of["doubled"].equals(of["doubled_of"], check_names=False)
    assert of["accepted"].equals(of["accepted_of"], check_names=False)
    assert (of["by"] == of["node"]).all()
    assert not (of["doubled"] < of["assigned"]).any()
    assert (of["saved"].drop_nulls() > 0).all()
    assert (of.filter(pl.col("saved").is_not_null())["by"] != of.filter(
        pl.col("saved").is_not_null())["worker"]).all()  # fmt: skip


def test_sessions_that_lost_their_leader(ran: Ran) -> None:
    table = measures.breaks(ran.trace)
    assert bool(len(table)) == (ran.name in CHANGING)
    assert not (table["mended"] < table["broken"]).any()
    assert table["session"].is_unique().all()


def test_no_trouble_where_there_was_none(ran: Ran) -> None:
    begin, end = measures.troubled(ran.trace)
    assert (begin, end) == (0, 0) or ran.name in CHANGING
    assert 0 <= begin <= end <= ran.trace.end
    if ran.name not in CHANGING:
        return
    table = measures.recovery(ran.trace, begin, end, 0.5)
    counted: dict[str, int] = dict(
        table.group_by("what").agg(pl.col("count").sum()).rows()  # type: ignore[arg-type]
    )
    between: Any = pl.col("time").is_between(begin, end)
    inside = ran.trace.events.filter(between)
    for what, event in (
        ("places left", "left"),
        ("places taken", "joined"),
        ("sessions opened anew", "recovered"),
    ):
        assert counted[what] == len(rows(inside, event, "node")), what
