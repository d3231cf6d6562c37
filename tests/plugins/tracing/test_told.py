"""What is said of runs that are not a plain success, and of odd ones."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from core.sessions.messages import NODE_BITS
from plugins import tracing
from plugins.tracing import story
from plugins.tracing.schema import NODES_OF_PROCESS, TABLES, in_sample
from plugins.tracing.writing import TEXT_MAX
from sim import World
from tests.plugins.tracing.worlds import Runs

Happening = tuple[float, str, int, str, int | None, int | None]


def trace_of(folder: Path, happenings: list[Happening], transport: str) -> tracing.Trace:
    """A trace with just these events: time, event, node, session, slot, partition."""
    World(nodes=4, trace=folder)
    told = json.loads((folder / "trace.json").read_text())
    (folder / "trace.json").write_text(json.dumps({**told, "transport": transport, "pieces": ""}))
    rows = [(*happening, None, None) for happening in happenings]
    table = pl.DataFrame(rows, schema=TABLES["events"], orient="row")
    table.write_parquet(folder / "events-x-000001.parquet")
    return tracing.read(folder)


def test_a_job_that_failed_is_not_said_to_have_a_result(runs: Runs) -> None:
    trace = runs["a job that fails"].trace
    assert "failed after" in story.facts(trace)
    assert "ZeroDivisionError" in story.told(trace)[-1]
    assert not any("result was there" in line for line in story.told(trace))


def test_of_a_sample_nothing_is_said_that_is_not_known(tmp_path: Path) -> None:
    World(nodes=1000, fanout=10, sample=50, trace=tmp_path / "trace").run()
    trace = tracing.read(tmp_path / "trace")
    told = "\n".join(story.told(trace))
    assert "ever taken" not in told
    assert "the last after" in told
    assert story.facts(trace)["accepted"] == "1,000"
    leaves = trace.tree().filter(pl.col("level") == 2)
    assert set(leaves["state"]) == {"complete"}
    assert leaves["taken"].null_count() == leaves["done"].null_count() == len(leaves) == 100
    assert trace.sessions().filter(pl.col("level") < 2)["given"].null_count() == 0


def test_who_came_in_vain_is_counted(runs: Runs) -> None:
    trace = runs["spares"].trace
    never = trace.nodes().filter(pl.col("joined").is_null()).height
    assert never > 0
    assert any(line.startswith(f"{never:,} nodes came and never") for line in story.told(trace))


@pytest.mark.parametrize("value", [{"a": b"\xff"}, b"x" * 10**6, list(range(10**5)), float("nan")])
def test_a_result_of_any_kind_ends_no_traced_run(tmp_path: Path, value: Any) -> None:
    World(nodes=3, input=value, trace=tmp_path / "trace")
    told = tracing.read(tmp_path / "trace").run.options["input"]
    assert len(json.dumps(told)) <= TEXT_MAX


def test_a_sample_is_drawn_alike_among_the_nodes_of_each_process() -> None:
    """By the lower bits of its number alone the first node of each process would be in it."""
    assert NODES_OF_PROCESS == 1 << NODE_BITS
    random = Random(1)
    processes = [random.getrandbits(40) for _ in range(500)]
    nodes = [(number << NODE_BITS) + i for number in processes for i in range(4)]
    for sample in (2, 7, 64):
        chosen = sum(in_sample(node, sample) for node in nodes)
        assert chosen == pytest.approx(len(nodes) / sample, rel=0.4)
        column = pl.DataFrame({"node": nodes}).filter(in_sample(pl.col("node"), sample))
        assert len(column) == chosen


@pytest.mark.parametrize(("transport", "gone"), [("tcp", 1), ("simulator", 0)])
def test_who_was_lost_on_tcp_and_not_heard_of_again_is_gone(
    tmp_path: Path, transport: str, gone: int
) -> None:
    trace = trace_of(
        tmp_path / "trace",
        [
            (0.0, "arrived", 1, "0", None, None),
            (0.0, "arrived", 2, "0", None, None),
            (0.1, "joined", 1, "0", None, None),
            (0.1, "joined", 2, "0", None, None),
            (0.2, "started", 1, "0", 0, 0),
            (1.0, "lost", 1, "0", None, None),
            (1.0, "left", 1, "0", None, None),
            (1.0, "lost", 2, "0", None, None),
            (1.5, "joined", 2, "0", None, None),
            (2.0, "ended", 0, "0", None, None),
            (2.1, "lost", 2, "0", None, None),
        ],
        transport,
    )
    last = trace.timeline().row(-1, named=True)
    assert (last["gone"], last["seated"], last["computing"]) == (gone, 2 - gone, 1 - gone)
    assert trace.nodes()["gone"].count() == gone


def test_a_node_with_two_pieces_computes_once(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path / "trace",
        [
            (0.0, "joined", 1, "0", None, None),
            (0.0, "started", 1, "0", 0, 0),
            (5.0, "started", 1, "0", 1, 1),
            (10.0, "finished", 1, "0", 0, 0),
            (12.0, "finished", 1, "0", 1, 1),
            (20.0, "ended", 0, "0", None, None),
        ],
        "simulator",
    )
    computing = dict(trace.timeline(21).select("time", "computing").rows())
    assert [computing[time] for time in (0.0, 6.0, 11.0, 13.0)] == [1, 1, 1, 0]


def test_pieces_of_another_run_in_the_folder_are_left_alone(runs: Runs, tmp_path: Path) -> None:
    whole = runs["one node"].trace
    for file in whole.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    for piece in runs["plain"].folder.glob("*.parquet"):
        other = piece.name.replace("-sim", "-another")
        (tmp_path / other).write_bytes(piece.read_bytes())
    found = tracing.read(tmp_path)
    assert found.events.equals(whole.events)
    assert found.connections.equals(whole.connections)
