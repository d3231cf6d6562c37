"""Faults as such: the same every time, with an end, and told of."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from plugins.console import telling
from sim import World
from sim.command import summary
from sim.faults import script
from tests.processes import printed
from tests.sim.faults.faulty import (
    HEARTBEAT_SECONDS,
    WORKING_SECONDS,
    Traffic,
    deep,
    left,
    right,
    wide,
    worker,
    working,
)
from tests.sim.worlds import noted

SEEDS = """
import sys
from sim import World
for seed in range(4):
    world = World(nodes=12, partitions=30, fanout=4, delay=1.0, seed=seed, faults="heavy",
                  replicas=("shared", "each")[seed % 2])
    print(world.run(until=200).digest)
"""


# -- whatever happens ----------------------------------------------------------------------


def test_what_is_done_now_happens_now(replicas: str) -> None:
    world = wide(replicas)
    world.run(until=WORKING_SECONDS + 1.0)  # between two pieces nothing happens
    node, log = worker(world, "0-1"), noted(world)
    world.do(f"crash node {node} silently")
    right(world)
    (noticed,) = left(log, node)
    assert noticed >= WORKING_SECONDS + 1.0 + HEARTBEAT_SECONDS


@pytest.mark.parametrize("build", [wide, deep])
def test_asking_for_the_faults_changes_nothing(replicas: str, build: Callable[..., World]) -> None:
    untouched, asked = build(replicas), build(replicas)
    assert not asked.faults.links.active
    assert right(untouched).digest == right(asked).digest


@pytest.mark.parametrize("seed", range(4))
def test_nothing_overtakes_anything(replicas: str, seed: int) -> None:
    world = World(nodes=12, partitions=40, fanout=4, replicas=replicas, seed=seed, faults="heavy")
    traffic = Traffic(world)
    world.run(until=120.0)
    assert traffic.in_order


def test_the_same_faults_from_the_same_seed_in_every_process() -> None:
    (digests,) = printed(SEEDS, "1", "2")
    assert len(set(digests.split())) == 4


@pytest.mark.parametrize("silently", ["", " silently"])
@pytest.mark.parametrize("nodes", ["node 0", "nodes 0-24"])
def test_a_run_without_its_submitter_ends(replicas: str, nodes: str, silently: str) -> None:
    world = working(wide(replicas))
    world.do(f"crash {nodes}{silently}")
    report = summary.with_cause(world.run())
    assert (report.result, report.finished_seconds) == (None, None)
    assert report.failure
    line = telling.failure_line(report.failure)
    assert line.startswith("the submitter crashed and was not restarted: ")
    assert f"{report.accepted} of 64 partitions were accepted" in line


def test_a_run_without_anybody_but_its_submitter_ends(replicas: str) -> None:
    world = working(wide(replicas))
    world.do("crash nodes 1-24")
    report = summary.with_cause(world.run())
    assert report.failure
    line = telling.failure_line(report.failure)
    assert f"{report.accepted} of 64 partitions were accepted" in line
    assert "24 crashes" in line
    world.do("restart node 5")
    right(world)


NOBODY = [
    "crash the host of 0-9",
    "crash the leader of 0-9",
    "kill everyone in 0-9",
    "kill the subtree of 0-9",
    "crash node 99",
    "crash 0 % of the nodes",
    "restart nodes 0-99",
    "restart 100 % of the nodes",
    "partition node 99",
    "slow node 99 by 2",
    "flap node 99 every 1 s for 3 times",
    "diverge 0-9",
    "diverge 0-1 on node 99",
    "drop 0 % of the messages",
    "duplicate 0 % of the publications",
    "hold 0 % of the messages for 1 s",
    "heal",
]


@pytest.mark.parametrize("action", NOBODY)
def test_what_concerns_nobody_changes_nothing(action: str) -> None:
    world, undisturbed = working(wide("shared")), wide("shared")
    assert world.do(action) == []
    assert right(world).digest == right(undisturbed).digest


# -- what is told of them ------------------------------------------------------------------


def test_the_report_tells_which_faults_concerned_nobody_and_which_came_too_late() -> None:
    text = "at 1 crash node 3\nat 2 crash the host of 0-99\nat 3 heal\nat 1000 crash node 4"
    report = World(nodes=30, faults=script.read(text)).run()
    assert report.faults == 3
    assert report.faults_in_vain == ["at 2 crash the host of 0-99"]
    assert report.faults_left == 1


def test_messages_are_counted_when_they_are_delivered() -> None:
    quiet = World(nodes=30, faults=()).run()
    later = World(nodes=30, faults=script.read("at 1000 crash node 4")).run()
    assert quiet.messages == later.messages > 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("crsh node 3", "'crsh' is wrong; the verbs are crash"),
        ("", "the verbs are crash"),
        ("at 3 crash node 3", "it is to happen now: leave the time out"),
        (None, "None is no fault; write one, such as 'crash node 3'"),
    ],
)
def test_words_that_say_nothing_are_answered_in_one_line(words: Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as error:
        World(nodes=3).do(words)
    assert "\n" not in str(error.value)
    assert "line 1" not in str(error.value)


@pytest.mark.parametrize("faults", [3, ["at 3 crash node 2"]])
def test_faults_that_are_none_are_refused(faults: Any) -> None:
    with pytest.raises(ValueError, match="faults must be 'light', 'heavy', the path of a file"):
        World(nodes=3, faults=faults)
