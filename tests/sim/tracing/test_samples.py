"""A trace of every seventh node tells what the trace of all tells."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import Any

import polars as pl
import pytest

from plugins import tracing
from plugins.tracing import measures
from plugins.tracing.reading import Trace
from plugins.tracing.recorder import BEFORE_ROWS
from sim import World

SAMPLE = 7
SAMPLED: dict[str, dict[str, Any]] = {
    "plain": {"nodes": 700, "fanout": 6},
    "churn": {
        "nodes": 700, "partitions": 1400, "fanout": 6,
        "lifetime": "exponential:40", "delay": "exponential:3",
    },
    "faults": {"nodes": 300, "partitions": 900, "fanout": 6, "faults": "heavy", "delay": 2.0},
}  # fmt: skip


@pytest.fixture(scope="module", params=SAMPLED)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The trace of everybody, and of a sample."""
    folder, options = tmp_path_factory.mktemp("sampled"), SAMPLED[request.param]
    reports = [
        World(**options, trace=folder / "all").run(),
        World(**options, trace=folder / "sample", sample=SAMPLE).run(),
    ]
    assert reports[0].digest == reports[1].digest
    return tracing.read(folder / "all"), tracing.read(folder / "sample")


def plain(events: pl.DataFrame) -> pl.DataFrame:
    """Comparable, and the same in any order."""
    text = [pl.col(name).cast(pl.String) for name in ("event", "session", "to")]
    return events.with_columns(text).sort(pl.all())


def absent(expected: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    one, other = plain(expected), plain(found)
    return one.join(other, on=other.columns, how="anti", nulls_equal=True)


LEADING = pl.col("event").is_in(["leads", "opened", "recovered"]) | (
    (pl.col("event") == "assigned") & pl.col("partition").is_null()
)


def test_each_seventh_node_has_all_its_events(both: tuple[Trace, Trace]) -> None:
    whole, sample = both
    assert sample.run.sample == SAMPLE
    known = pl.col("node").is_null() | (pl.col("node") % SAMPLE == 0)
    expected = whole.events.filter(known)
    assert len(expected) > 0
    assert plain(sample.events.filter(known)).equals(plain(expected))
    assert absent(sample.events, whole.events).is_empty()


def test_control_nodes_have_their_events_and_nobody_else(both: tuple[Trace, Trace]) -> None:
    """All of them, but for those of a time when they computed, and did not lead; of those before
    they had a place, the first and the last few."""
    whole, sample = both
    events = whole.events.with_row_index().filter(pl.col("node") % SAMPLE != 0)
    leading = events.filter(LEADING).group_by("node").agg(since=pl.col("index").min())
    assert len(leading) > SAMPLE
    assert set(sample.events.filter(pl.col("node") % SAMPLE != 0)["node"]) == set(leading["node"])
    computing = events.filter((pl.col("event") == "assigned") & pl.col("partition").is_not_null())
    first = computing.group_by("node").agg(computes=pl.col("index").min())
    of = events.join(leading, "node").join(first, "node", how="left")
    since, at_once = pl.col("index") >= pl.col("since"), ~(pl.col("computes") < pl.col("since"))
    number, count = pl.int_range(pl.len()).over("node"), pl.len().over("node")
    before = of.filter(~since).with_columns(number=number, count=count)
    ends = (pl.col("number") == 0) | (pl.col("number") > pl.col("count") - BEFORE_ROWS)
    kept = before.filter(at_once.fill_null(True) & ends)
    needed = pl.concat([kept, of.filter(since)], how="diagonal").select(sample.events.columns)
    assert len(needed) > len(of) / 2
    assert absent(needed, sample.events).is_empty()


def test_messages_and_connections_are_exact(both: tuple[Trace, Trace]) -> None:
    whole, sample = both
    assert sample.traffic.equals(whole.traffic)
    assert measures.messages(sample)["messages"].equals(measures.messages(whole)["messages"])
    assert measures.connections(sample).equals(measures.connections(whole))


def test_sessions_are_all_there(both: tuple[Trace, Trace]) -> None:
    whole, sample = both
    exact = ["session", "level", "first", "partitions", "slots", "host", "leader", "opened",
             "recovered", "completed", "collected"]  # fmt: skip
    assert sample.sessions().select(exact).equals(whole.sessions().select(exact))


def test_estimates_are_near(both: tuple[Trace, Trace]) -> None:
    """Five standard errors of a count of which every seventh is known."""
    whole, sample = both
    exact, found = whole.timeline(50), sample.timeline(50)
    assert found["time"].equals(exact["time"])
    for column in ("opened", "completed"):
        assert found[column].equals(exact[column])
    for column in ("arrived", "gone", "seated", "computing", "accepted"):
        most = exact[column].max()
        assert isinstance(most, int)
        error = 5 * sqrt(SAMPLE * max(most, 1)) + SAMPLE
        far = (found[column] - exact[column]).abs().max()
        assert isinstance(far, int)
        assert far <= error, column


def test_milestones_of_a_sample_are_in_order(both: tuple[Trace, Trace]) -> None:
    _, sample = both
    table = measures.milestones(sample)
    for of in ("given", "done"):
        names = [f"{of}_{share}" for share in measures.SHARES]
        for sooner, later in pairwise(names):
            assert not (table[sooner] > table[later]).any()
