"""Links as long as it was measured from place to place, and a world with nodes at places."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sim import World
from sim.clock import Clock
from sim.links.places import PlacedLines
from sim.measured import places
from tests.sim.measurements import TABLE, TICK, table, written


def links(nodes: int = 5000, seed: str = "seed") -> PlacedLines:
    return PlacedLines(Clock(TICK), places.read(written(TABLE)), nodes, seed)


def test_a_link_takes_half_the_round_trip_of_its_places(here: Path) -> None:
    found, names = table(TABLE), places.read(written(TABLE)).names
    drawn = links(200)
    for one in range(0, 200, 7):
        for other in range(201):
            a, b = (names[drawn.places[node]] for node in (one, other))
            assert drawn.ticks(one, other) == drawn.ticks(other, one) == round(found[a][b] / 2)


def test_each_place_is_as_likely_and_drawn_from_the_seed(here: Path) -> None:
    drawn = links().places
    counts = Counter(drawn)
    assert len(drawn) == 5001  # the submitter too
    assert sorted(counts) == list(range(5))
    assert all(count == pytest.approx(1000, abs=120) for count in counts.values())
    assert drawn == links().places != links(seed="other").places
    assert len({links(1, str(seed)).places[0] for seed in range(40)}) == 5
    assert links(100).places == drawn[:101]  # a node stays where it is when others come


@pytest.mark.parametrize("replicas", ["shared", "each"])
def test_with_one_place_all_links_are_alike(here: Path, replicas: str) -> None:
    written("cty1,cty2,rtt_avg\nA,A,500\n")
    options: dict[str, Any] = {"nodes": 50, "fanout": 4, "replicas": replicas}
    known, measured = (World(**options, latency=value).run() for value in (0.25, "places:file.csv"))
    assert measured.digest == known.digest
    assert measured.messages == known.messages
    assert measured.finished_seconds == known.finished_seconds


def test_messages_take_as_long_as_it_is_between_the_places(here: Path) -> None:
    world = World(nodes=40, latency=f"places:{written(TABLE)}", seed=3)
    drawn = PlacedLines(Clock(TICK), places.read("file.csv"), 40, "3/places")
    lines, nothing = world.network.lines, (lambda a, b, c: None, None, None, None)
    for one in range(41):
        assert lines.carry(one, one, *nothing) == 0
        for other in range(one):
            assert lines.carry(one, other, *nothing) == drawn.ticks(one, other)
            assert lines.ticks(one, other) == drawn.ticks(one, other)
    assert world.run().result == 40


def test_a_world_of_places_is_the_same_again_and_with_own_replicas(here: Path) -> None:
    options: dict[str, Any] = {
        "nodes": 80,
        "partitions": 200,
        "fanout": 4,
        "lifetime": "exponential:20",
        "delay": "uniform:0.5,1.5",
        "latency": f"places:{written(TABLE)}",
    }
    first, again, each, other = (
        World(**options, **more).run() for more in ({}, {}, {"replicas": "each"}, {"seed": 1})
    )
    assert first.digest == again.digest == each.digest != other.digest
    assert first.result == 200
