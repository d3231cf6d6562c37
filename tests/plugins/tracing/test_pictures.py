"""Pictures of a trace: charts that are valid, and draw the numbers that were measured."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from plugins import tracing
from plugins.tracing import measures, pictures
from plugins.tracing.pictures import PICTURES
from plugins.tracing.reading import Trace
from tests.plugins.tracing.worlds import Ran, Runs, largest


def spec(chart: Any) -> dict[str, Any]:
    """Altair validates it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found: dict[str, Any] = chart.to_dict()
    json.dumps(found, allow_nan=False)
    return found


def parts(of: Any, key: str) -> Iterator[Any]:
    """All values of a key, wherever they are, in their order."""
    if isinstance(of, dict):
        for name, value in of.items():
            if name == key:
                yield value
            yield from parts(value, key)
    elif isinstance(of, list):
        for value in of:
            yield from parts(value, key)


def tables(found: dict[str, Any]) -> list[pl.DataFrame]:
    """The data of a chart."""
    texts = list(found.get("datasets", {}).values())
    texts += [data["values"] for data in parts(found, "data") if "values" in data]
    return [pl.read_csv(io.StringIO(text), infer_schema_length=None) for text in texts]


def the(found: dict[str, Any], *columns: str) -> pl.DataFrame:
    """The one table that has those columns."""
    (table,) = [table for table in tables(found) if set(columns) <= set(table.columns)]
    return table


def near(one: pl.Series, other: pl.Series) -> bool:
    """But for what is rounded to be drawn."""
    if len(one) != len(other) or not one.is_null().equals(other.is_null(), check_names=False):
        return False
    return bool(
        ((one.cast(pl.Float64) - other.cast(pl.Float64)).abs() < 1e-3).fill_null(True).all()
    )


@pytest.mark.parametrize("picture", PICTURES)
def test_each_picture_is_a_chart(picture: str, ran: Ran) -> None:
    found = spec(PICTURES[picture](ran.trace))
    assert found["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
    assert tables(found)
    assert any(len(table) for table in tables(found)) or picture == "recovery"


def test_rings_are_a_chart(ran: Ran) -> None:
    moments = pictures.telling(ran.trace)
    assert 1 <= len(moments) <= 8
    assert moments == sorted(moments)
    assert all(0 <= moment <= ran.trace.end + 1e-3 for moment in moments)
    found = spec(pictures.rings(ran.trace, moments))
    assert len([text for text in parts(found, "text") if "after" in str(text)]) == len(moments)


@pytest.mark.parametrize("picture", PICTURES)
def test_pictures_of_a_trace_with_nothing_in_it(picture: str, empty: Path) -> None:
    trace = tracing.read(empty)
    assert trace.end == 0
    spec(PICTURES[picture](trace))
    spec(pictures.side_by_side(picture, {"one": trace, "other": trace}))
    spec(pictures.rings(trace, pictures.telling(trace)))


def test_tables_of_a_trace_with_nothing_in_it(empty: Path, runs: Runs) -> None:
    """Have the same columns as those of any other."""
    trace, other = tracing.read(empty), runs["plain"].trace
    for name in ("events", "traffic"):
        assert getattr(trace, name).is_empty()
    for name in ("sessions", "nodes", "tree"):
        table = getattr(trace, name)()
        assert table.is_empty(), name
        assert table.schema == getattr(other, name)().schema, name
    assert trace.partitions()["assigned"].null_count() == trace.run.partitions == 9
    assert trace.partitions().schema == other.partitions().schema
    assert trace.timeline().schema == other.timeline().schema
    assert not any(trace.timeline().drop("time").sum().row(0))
    for name in ("milestones", "breaks", "messages", "connections", "doubled", "faults", "took"):
        measure = getattr(measures, name)
        assert measure(trace).schema == measure(other).schema, name
    totals = measures.totals(trace)
    assert totals.pop("finished_seconds") is None
    assert set(totals.values()) <= {0, -1} or not any(totals.values())
    assert not any(value for value in totals.values()), totals


@pytest.mark.parametrize("picture", PICTURES)
def test_worlds_stand_side_by_side(picture: str, runs: Runs) -> None:
    """Whatever they have in common, or not."""
    names = ("plain", "heavy", "one node", "a job that fails")
    traces = {name: runs[name].trace for name in names}
    found = spec(pictures.side_by_side(picture, traces))
    assert len(found["hconcat"]) == len(names)
    said = [title["text"] for title in parts(found, "title") if isinstance(title, dict)]
    assert [text for text in said if isinstance(text, str) and text in traces] == list(traces)


# -- what they draw ------------------------------------------------------------------------


def test_the_timeline_draws_the_timeline(ran: Ran) -> None:
    table, found = ran.trace.timeline(), spec(pictures.timeline(ran.trace))
    drawn = [data for data in tables(found) if {"state", "count"} <= set(data.columns)]
    states = {}
    for data in drawn:
        for (state,), rows in data.group_by("state", maintain_order=True):
            states[state] = rows
    shown = {"arrived", "seated", "computing", "idle", "accepted", "opened", "completed"}
    assert set(states) == shown | ({"gone"} if largest(table["gone"]) else set())
    for state, rows in states.items():
        assert near(rows["time"], table["time"]), state
        assert near(rows["count"], table[str(state)]), state


def test_messages_are_drawn_as_they_are_measured(ran: Ran) -> None:
    found = the(spec(pictures.messages(ran.trace)), "per_session")
    expected = measures.messages(ran.trace)
    for column in ("time", "level", "messages", "sessions", "per_second", "per_session"):
        assert near(found[column], expected[column]), column
    assert found["messages"].sum() == ran.report.messages
    assert found["of"].n_unique() == ran.report.levels


def test_connections_are_drawn_as_they_are_measured(ran: Ran) -> None:
    found = spec(pictures.connections(ran.trace))
    bars, bounds = the(found, "low", "nodes"), the(found, "at", "what")
    assert bars["nodes"].sum() == ran.report.nodes + 1
    assert bars["low"].max() <= ran.report.connections_max < bars["high"].max()  # type: ignore[operator]
    assert tuple(bounds["at"]) == measures.connections_promised(ran.trace)


def test_stragglers_are_drawn_as_they_are_measured(ran: Ran) -> None:
    found = spec(pictures.stragglers(ran.trace))
    assert the(found, "low", "partitions")["partitions"].sum() == ran.report.accepted
    doubled = measures.doubled(ran.trace)
    if not doubled.is_empty():
        late = the(found, "helper")
        assert len(late) == min(len(doubled), 40)
        expected = doubled.filter(pl.col("partition").is_in(late["partition"].to_list()))
        assert near(late.sort("partition")["accepted"], expected.sort("partition")["accepted"])


def test_the_tree_draws_each_session_where_it_is(ran: Ran) -> None:
    table = the(spec(pictures.tree(ran.trace)), "what", "opened")
    drawn = {
        what.removeprefix("session "): (first, partitions, opened)
        for what, first, partitions, opened in
        table.select("what", "first", "partitions", "opened").rows() if what.startswith("session")
    }  # fmt: skip
    sessions = ran.trace.sessions()
    assert set(drawn) == set(sessions["session"])
    for name, first, partitions, opened in sessions.select(
        "session", "first", "partitions", "opened"
    ).rows():
        assert drawn[name] == (first, partitions, pytest.approx(opened, abs=1e-3))
    assert (table["last"] <= ran.report.partitions * 1.01).all()


def test_a_tree_at_a_moment_has_no_slider_and_one_without_has(runs: Runs) -> None:
    trace = runs["plain"].trace
    for at, sliders in ((None, 1), (3.0, 0)):
        found = spec(pictures.tree(trace, at=at))
        ranges = [bind for bind in parts(found, "bind") if isinstance(bind, dict)]
        assert len([bind for bind in ranges if bind.get("input") == "range"]) == sliders


def test_the_sliders_moments_are_in_order(ran: Ran) -> None:
    moments = pictures.moments(ran.trace, 240)
    assert moments == sorted(set(moments))
    assert moments[0] == 0
    assert moments[-1] == pytest.approx(ran.trace.end, abs=1e-3)
    assert len(moments) <= 260


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_moments_will_do(count: int, ran: Ran) -> None:
    moments = pictures.moments(ran.trace, count)
    assert {0, round(ran.trace.end, 3)} <= set(moments)


@pytest.mark.parametrize("name", ["plain", "heavy"])
def test_faults_are_marked_where_they_happened(name: str, runs: Runs) -> None:
    ran = runs[name]
    faults = measures.faults(ran.trace)
    for picture in (pictures.timeline, pictures.messages, pictures.recovery):
        found = [t for t in tables(spec(picture(ran.trace))) if {"what", "nodes"} <= set(t.columns)]
        assert bool(found) == (not faults.is_empty())
        for table in found:
            if len(table) == len(faults):
                assert near(table["time"], faults["time"])


def test_a_trace_can_be_shown_in_a_few_words(runs: Runs) -> None:
    trace: Trace = runs["plain"].trace
    assert repr(trace) == "<Trace of 300 nodes, 300 partitions of plugins.demo>"
