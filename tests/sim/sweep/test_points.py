"""Which runs there are, and what is refused before the first."""

from __future__ import annotations

import sys
from itertools import count
from typing import Any

import pytest

from sim import World
from sim.sweep import grid
from sim.sweep.points import size


def test_the_seed_changes_fastest_and_the_nodes_slowest() -> None:
    values = {"seed": range(2), "delay": [1, 2], "latency": 0.1, "fanout": [9, 3], "nodes": [2, 1]}
    points = grid(values, partitions=4)
    names = ("nodes", "fanout", "latency", "delay", "seed")
    found = [tuple(point[name] for name in names) for point in points]
    assert found == [
        (nodes, fanout, 0.1, delay, seed)
        for nodes in (2, 1)
        for fanout in (9, 3)
        for delay in (1, 2)
        for seed in (0, 1)
    ]
    assert all(point["partitions"] == 4 for point in points)


def test_a_parameter_that_is_not_given_is_left_to_the_world() -> None:
    assert grid({}) == [{}]
    assert grid({"seed": 7}) == [{"seed": 7}]
    World(**grid({"fanout": [None]})[0])


@pytest.mark.parametrize(
    ("values", "constants", "named"),
    [
        ({"fanot": [3]}, {}, "fanot"),
        ({}, {"fanot": 3}, "fanot"),
        ({"fanout": []}, {}, "fanout"),
        ({"fanout": [3, 4, 3]}, {}, "3"),
        ({"fanout": [3]}, {"fanout": 4}, "fanout"),
        ({"fanout": [3, 1]}, {}, "1"),
        ({"nodes": [10, 0]}, {}, "0"),
        ({"nodes": ["ten"]}, {}, "ten"),
        ({"latency": ["uniform:1,2", "uniform:2,1"]}, {}, "2,1"),
        ({"latency": "places:no-such.csv"}, {}, "no-such.csv"),
        ({"seed": count()}, {}, "1,000,001"),
        ({"seed": [0, 2**64]}, {}, "seed"),
        ({"seed": ["a"]}, {}, "seed"),
        ({"trace": ["a"]}, {}, "trace"),
        ({}, {"job": "no_such"}, "no_such"),
        ({}, {"job": sys}, "sys"),
        ({}, {"input": lambda: 0}, "lambda"),
        ({}, {"faults": "no-such.txt"}, "no-such.txt"),
        ({"seed": range(1001), "fanout": range(2, 1001), "nodes": range(1, 3)}, {}, "1,999,998"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    values: dict[str, Any], constants: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as raised:
        grid(values, **constants)
    assert named in str(raised.value)


def test_no_room_is_made_for_the_nodes_of_a_run_that_is_only_tried() -> None:
    grid({"nodes": [10**14]}, partitions=10**14)


def test_what_is_larger_is_known_before() -> None:
    sizes = [size(point) for point in grid({"nodes": [10, 1000, 100]})]
    assert sizes[1] > sizes[2] > sizes[0]
    assert size({"partitions": 10**6}) > size({}) > size({"nodes": 10})
