"""What holds of the events of any run."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins import tracing
from plugins.tracing import measures
from sim import Report, World
from tests.plugins.tracing.worlds import rows, shape_of

END_SECONDS = 500.0  # some never finish, as everybody has left
STEPS = ("assigned", "started", "finished", "accepted")

sizes = st.fixed_dictionaries(
    {
        "nodes": st.integers(1, 60),
        "partitions": st.none() | st.integers(1, 120),
        "fanout": st.integers(2, 8),
        "seed": st.integers(0, 2**32),
        "delay": st.sampled_from([None, 0, 1.0, "uniform:0.1,2", "exponential:2"]),
        "latency": st.sampled_from(["uniform:0.02,0.08", "exponential:0.2", 0]),
        "listening": st.sampled_from([1.0, 0.3, 0.0]),
        "service_time": st.sampled_from([0.0, 0.003]),
        "arrival_rate": st.sampled_from([None, 5, 1000]),
        "replicas": st.sampled_from(["shared", "each"]),
    }
)
changes = st.sampled_from(
    [
        {"lifetime": "exponential:20"},
        {"lifetime": "uniform:1,30"},
        {"faults": "light"},
        {"faults": "heavy"},
    ]
)
calm = sizes
changing = st.builds(lambda size, change: {**size, **change}, sizes, changes)
any_world = calm | changing
examples = settings(max_examples=15)


def ran(options: dict[str, Any]) -> tuple[Report, tracing.Trace]:
    """The trace has been read, and its folder is gone."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        report = World(**options, trace=path).run(until=END_SECONDS)
        trace = tracing.read(path)
        assert len(trace.events) > 0
        assert len(trace.traffic) >= 0
        measures.connections(trace)
        return report, trace


@examples
@given(any_world)
def test_partitions_go_their_way(options: dict[str, Any]) -> None:
    report, trace = ran(options)
    parts = trace.partitions()
    assert parts["partition"].to_list() == list(range(report.partitions))
    for sooner, later in pairwise(STEPS):
        assert not (parts[sooner] > parts[later]).any(), (sooner, later)
        assert not (parts[sooner].is_null() & parts[later].is_not_null()).any(), (sooner, later)
    assert parts["accepted"].count() == parts["node"].count() == report.accepted
    assert not (parts["doubled"] < parts["assigned"]).any()


@examples
@given(any_world)
def test_an_output_is_accepted_once(options: dict[str, Any]) -> None:
    """From whoever has computed it, and it was given to."""
    _, trace = ran(options)
    accepted = rows(trace.events, "accepted", "session", "slot")
    assert len(accepted) == len(set(accepted))
    finished = set(rows(trace.events, "finished", "partition", "node"))
    given_to = {
        row for event in ("assigned", "doubled") for row in rows(trace.events, event, "partition",
                                                                 "node")
    }  # fmt: skip
    for partition, node in rows(trace.events, "accepted", "partition", "node"):
        if partition is not None:
            assert (partition, node) in finished
            assert (partition, node) in given_to


@examples
@given(any_world)
def test_everybody_arrives_first(options: dict[str, Any]) -> None:
    report, trace = ran(options)
    whose = trace.events.filter(pl.col("node").is_not_null() & (pl.col("event") != "fault"))
    first = whose.unique("node", keep="first", maintain_order=True)
    assert set(first["event"]) == {"arrived"}
    assert sorted(first["node"]) == list(range(report.arrived + 1))  # 0 is the submitter
    assert set(trace.nodes()["node"]) == set(first["node"])


@examples
@given(any_world)
def test_who_is_sent_on_goes_down_or_to_where_the_others_are(options: dict[str, Any]) -> None:
    report, trace = ran(options)
    moved = set(rows(trace.events, "moved", "session", "to"))
    again = report.left or report.faults
    for session, to in set(rows(trace.events, "sent_on", "session", "to")):
        anew = again and session == to  # it is open on another host by now
        assert to.rpartition("-")[0] == session or (session, to) in moved or anew


@examples
@given(any_world)
def test_sessions_are_opened_once_and_then_recovered(options: dict[str, Any]) -> None:
    report, trace = ran(options)
    seen: set[str] = set()
    events = trace.events.filter(pl.col("event").is_in(["opened", "recovered"]))
    for event, session in events.select("event", "session").rows():
        assert event == "recovered" or session not in seen
        seen.add(session)
    assert len(seen) == report.sessions
    if not (report.left or report.faults):
        assert set(events["event"]) == {"opened"}
    anew = trace.sessions()["recovered"]
    assert anew.sum() == len(rows(trace.events, "recovered", "session"))


@examples
@given(any_world)
def test_sessions_are_cut_as_the_core_cuts_them(options: dict[str, Any]) -> None:
    _, trace = ran(options)
    table = trace.sessions()
    assert table["session"].is_unique().all()
    for row in table.iter_rows(named=True):
        shape = shape_of(trace, row["session"])
        assert (row["first"], row["partitions"], row["slots"]) == (
            shape.first,
            shape.partitions,
            shape.slots,
        )
        assert row["level"] == trace.run.levels - shape.levels
        parent, _, slot = row["session"].rpartition("-")
        assert (row["parent"] or "") == parent
        assert row["slot"] == (int(slot) if parent else None)
        assert row["given"] <= shape.slots
        assert row["accepted"] <= row["given"]
    order = list(zip(table["level"], table["first"], strict=True))
    assert order == sorted(order)


@examples
@given(any_world)
def test_a_session_is_opened_filled_and_complete_in_this_order(options: dict[str, Any]) -> None:
    _, trace = ran(options)
    table = trace.sessions()
    steps = ("opened", "first_accepted", "completed", "collected")
    for sooner, later in pairwise(steps):
        assert not (table[sooner] > table[later]).any(), (sooner, later)
    assert not (table["opened"] > table["full"]).any()
    assert not (table["full"] > table["completed"]).any()


@examples
@given(any_world, st.lists(st.floats(-0.1, 1.1), max_size=6))
def test_the_tree_at_any_moment(options: dict[str, Any], shares: list[float]) -> None:
    report, trace = ran(options)
    before: dict[str, tuple[int, int]] = {}
    for share in sorted([0, 1, *shares]):
        table = trace.tree(share * trace.end)
        if share >= 1:
            assert table.equals(trace.tree())
        assert (table["taken"] <= table["slots"]).all()
        assert (table["done"] <= table["taken"]).all()
        states = [
            "complete" if done == slots else "working" if taken == slots else "forming"
            for slots, taken, done in table.select("slots", "taken", "done").rows()
        ]
        assert table["state"].to_list() == states
        names = set(table["session"])
        assert all(parent in names for parent in table["parent"].drop_nulls())
        now = {name: (taken, done) for name, taken, done in
               table.select("session", "taken", "done").rows()}  # fmt: skip
        for name, (taken, done) in before.items():
            assert now[name][0] >= taken
            assert now[name][1] >= done
        before = now
    if report.result is not None:
        assert set(trace.tree()["state"]) == {"complete"}
        assert len(trace.tree()) == report.sessions


@examples
@given(any_world)
def test_only_who_leads_completes_and_only_the_submitter_leads_the_root(
    options: dict[str, Any],
) -> None:
    _, trace = ran(options)
    leads = set(rows(trace.events, "leads", "session", "node"))
    assert {node for session, node in leads if session == "0"} <= {0}
    for event in ("completed", "collected"):
        assert set(rows(trace.events, event, "session", "node")) <= leads
    nodes = {row["node"]: row for row in trace.nodes().iter_rows(named=True)}
    computed = dict.fromkeys(nodes, 0)
    for (node,) in rows(trace.events, "finished", "node"):
        computed[node] += 1
    for node, row in nodes.items():
        controls = any(node == leader for _, leader in leads)
        roles = {(True, True): "both", (True, False): "control", (False, True): "computation"}
        assert row["computed"] == computed[node]
        assert row["role"] == roles.get((controls, computed[node] > 0), "none")


@examples
@given(any_world)
def test_the_same_numbers_as_the_summary(options: dict[str, Any]) -> None:
    report, trace = ran(options)
    totals = measures.totals(trace)
    for name in ("arrived", "accepted", "sessions", "control_nodes", "messages"):
        assert totals[name] == getattr(report, name), name
    calm = not (report.left or report.faults)
    if calm:
        assert totals["computation_nodes"] == report.computation_nodes
    assert measures.messages(trace)["messages"].sum() == report.messages
    assert (totals["finished_seconds"] is None) == (report.finished_seconds is None)
