"""Traces of volunteers, replayed: nodes come and go as they did."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

import pytest

from sim import World
from sim.__main__ import main
from sim.measured import tables
from tests.sim.measurements import TICK, TRACE, refusal, written


def test_a_trace_is_in_order_of_arrival(here: Path) -> None:
    trace = tables.trace(written(TRACE, "trace.csv.gz"))
    assert trace.arrivals_seconds == (0, 1.25, 1.25, 4.5)
    assert trace.lifetimes_seconds == (None, 2, 1.5, 100)
    assert tables.trace(written("arrival\n2\n1\n")).lifetimes_seconds == (None, None)


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("lifetime\n1\n", ["line 1", "no column 'arrival'"]),
        ("arrival\n1\n\n-1\n", ["line 4", "'-1'", "a number from 0"]),
        ("arrival,lifetime\n,1\n", ["line 2", "''", "a number from 0"]),
        ("arrival,lifetime\n1,long\n", ["line 2", "'long'", "a number from 0"]),
        ("arrival\n", ["line 1", "nothing below"]),
    ],
)
def test_a_trace_that_cannot_be_is_told_in_one_line(
    here: Path, text: str, facts: list[str]
) -> None:
    line = refusal(World, arrivals=written(text))
    for fact in ["'file.csv'", *facts]:
        assert fact in line


def test_nodes_come_and_go_as_recorded(here: Path) -> None:
    world = World(arrivals=written(TRACE), partitions=4, delay=1000.0)
    there = []
    for seconds in (0, 1.249, 1.25, 2.749, 2.75, 3.249, 3.25, 4.499, 4.5, 99):
        world.run(until=seconds)
        there.append((seconds, [node for node in range(1, 5) if world.network.alive[node]]))
    assert there == [
        (0, [1]),
        (1.249, [1]),
        (1.25, [1, 2, 3]),
        (2.749, [1, 2, 3]),
        (2.75, [1, 2]),
        (3.249, [1, 2]),
        (3.25, [1]),
        (4.499, [1]),
        (4.5, [1, 4]),
        (99, [1, 4]),
    ]
    assert (world.nodes, world.report().arrived, world.report().left) == (4, 4, 2)


def test_nodes_are_as_many_as_the_trace_has_or_the_first_so_many(here: Path) -> None:
    path = written(TRACE)
    assert World(arrivals=path).nodes == World(arrivals=path, nodes=4).nodes == 4
    report = World(arrivals=path, nodes=3, partitions=3, delay=1.0).run()
    assert (report.nodes, report.arrived, report.result) == (3, 3, 3)
    assert World().nodes == 1000
    path = written("arrival\n0\n1\n5000\n")
    assert 3 <= (World(arrivals=path, nodes=2).run().finished_seconds or 0) < 10


def test_a_trace_of_even_arrivals_is_a_world_like_any_other(here: Path) -> None:
    seconds = [(ceil(node * 100 - 1e-9) - 1) * TICK for node in range(1, 101)]  # 10 a second
    path = written("\n".join(["arrival", *map(str, seconds)]))
    for options in ({}, {"lifetime": "exponential:8", "delay": 0.5, "partitions": 300}):
        replayed = World(arrivals=path, fanout=4, **options).run()  # type: ignore[arg-type]
        even = World(nodes=100, fanout=4, **options).run()  # type: ignore[arg-type]
        assert replayed.digest == even.digest


@pytest.mark.parametrize("last", [0, 3, 5000])
def test_by_default_nobody_is_done_before_the_last_has_arrived(here: Path, last: int) -> None:
    path = written("arrival\n" + "0.5\n" * 30 + f"{last}\n")
    report = World(arrivals=path, fanout=5).run()
    assert report.computation_nodes == report.nodes == report.partitions == 31
    assert report.result == 31


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"nodes": 5}, "nodes must be 4 or less, as arrivals has no more, not 5"),
        ({"nodes": 0}, "nodes must be a whole number, 1 or more, not 0"),
        (
            {"arrival_rate": 2.5},
            "arrival_rate must be left out, as arrivals tells when nodes arrive, not 2.5",
        ),
        (
            {"lifetime": 7.5},
            "lifetime must be left out, as arrivals tells how long nodes stay, not 7.5",
        ),
    ],
)
def test_what_a_trace_already_says_is_not_to_be_said_again(
    here: Path, options: dict[str, Any], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(TRACE)
    assert refusal(World, arrivals=path, **options) == line
    named = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    assert main(["--arrivals", path, *named]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
