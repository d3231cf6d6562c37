"""What is left of a trial, for made-up reasons to fail."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import attrs
import pytest

from sim.faults import actions as a
from sim.faults.actions import Action, Crash, Fault, Nodes
from sim.search.shrink import RUNS_MAX, Shrunk, shrink
from sim.search.trial import Trial

WORLD: dict[str, Any] = {
    "nodes": 100,
    "partitions": 300,
    "seed": 17,
    "job": "sim.search.job",
    "input": [0, 300, -1],
    "latency": "uniform:0.02,0.08",
    "delay": "exponential:1",
    "lifetime": "lognormal:7,1",
    "replicas": "each",
    "arrival_rate": 12.345,
    "later": 40,
}
FAULTS = tuple(Fault(at + 0.123, Crash(Nodes((at,)), silently=True)) for at in range(1, 21))
TRIAL = Trial(17, WORLD, FAULTS, 60.0, tuple(range(30, 60)))


def shrunk(fails: Callable[[Trial], bool], trial: Trial = TRIAL) -> Shrunk:
    return shrink(trial, fails, clock=lambda: 0.0)


def with_action(action: Action) -> Trial:
    return attrs.evolve(TRIAL, faults=(Fault(1.5, action),))


def test_nothing_is_left_where_everything_fails() -> None:
    found = shrunk(lambda _: True)
    world = {"nodes": 1, "partitions": 1, "seed": 17, "job": "sim.search.job", "input": [0, 1, -1]}
    assert found.trial == Trial(17, world, (), 1.0, ())
    assert found.finished


def test_everything_is_left_where_nothing_else_fails() -> None:
    found = shrunk(lambda _: False)
    assert found.trial == TRIAL
    assert found.finished


def test_the_faults_that_matter_are_left() -> None:
    def fails(trial: Trial) -> bool:
        crashed = {n for f in trial.faults for n in getattr(f.action.target, "numbers", ())}  # type: ignore[union-attr]
        return {3, 4, 17} <= crashed

    found = shrunk(fails)
    assert found.trial.faults == tuple(Fault(float(at), Crash(Nodes((at,)))) for at in (3, 4, 17))
    assert found.trial.safety_seconds == 18.0
    assert found.trial.world["nodes"] == 17
    assert found.runs < RUNS_MAX / 2


@pytest.mark.parametrize("least", [1, 2, 3, 37, 64, 99, 100])
def test_numbers_are_halved_and_then_come_to_the_least(least: int) -> None:
    found = shrunk(lambda trial: trial.world["nodes"] >= least)
    assert found.trial.world["nodes"] == least
    found = shrunk(lambda trial: trial.world["partitions"] >= least)
    assert found.trial.world["partitions"] == found.trial.world["input"][1] == least
    found = shrunk(lambda trial: trial.world.get("later", 0) >= min(least, 40))
    assert found.trial.world["later"] == min(least, 40)


def test_the_first_smaller_number_is_half() -> None:
    tried: list[int] = []

    def fails(trial: Trial) -> bool:
        tried.append(trial.world["nodes"])
        return False

    shrunk(fails)
    assert next(nodes for nodes in tried if nodes != 100) == 50
    assert min(tried) == 50


def test_faults_of_nodes_that_are_gone_become_those_of_others() -> None:
    trial = with_action(Crash(Nodes((90, 91))))
    found = shrunk(lambda trial: bool(trial.faults) and trial.world["nodes"] >= 2, trial).trial
    assert found.world["nodes"] == 2
    (fault,) = found.faults
    assert isinstance(fault.action, Crash)
    assert isinstance(fault.action.target, Nodes)
    assert set(fault.action.target.numbers) <= {0, 1, 2}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Crash(a.Everyone("0"), silently=True), Crash(a.Everyone("0"))),
        (Crash(Nodes((1, 2, 3))), Crash(Nodes((3,)))),
        (
            a.Partition(a.HostOf("0"), a.Share(0.2), one_way=True),
            a.Partition(a.HostOf("0")),
        ),
        (a.Flap(a.LeaderOf("0"), 1.234, 9), a.Flap(a.LeaderOf("0"), 1.0, 1)),
        (a.Diverge("0", 5), a.Diverge("0")),
        (a.SlowLink(70, 80, 2.5), a.SlowLink(1, 1, 2.0)),
    ],
)
def test_a_fault_is_made_plain(before: Action, after: Action) -> None:
    found = shrunk(lambda trial: len(trial.faults) == 1, with_action(before)).trial
    assert [type(fault.action) for fault in found.faults] == [type(after)]
    if not isinstance(before, a.SlowLink | Crash):
        assert found.faults[0].action == after


def test_faults_stay_in_the_order_of_time() -> None:
    def fails(trial: Trial) -> bool:
        times = [fault.at for fault in trial.faults]
        assert times == sorted(times)
        assert all(time <= trial.safety_seconds for time in times)
        return len(times) >= 2

    assert len(shrunk(fails).trial.faults) == 2


def test_an_option_that_must_be_there_gets_a_simple_value() -> None:
    needed = {"latency", "delay", "lifetime", "arrival_rate"}
    world = shrunk(lambda trial: needed <= set(trial.world)).trial.world
    assert world["latency"] == 0.05
    assert world["delay"] == 1.0
    assert world["lifetime"] == 7.0
    assert world["arrival_rate"] == 10.0
    assert "replicas" not in world


def test_dead_nodes_that_matter_are_left() -> None:
    assert shrunk(lambda trial: {31, 58} <= set(trial.dead)).trial.dead == (31, 58)


def test_the_same_again() -> None:
    def fails(trial: Trial) -> bool:
        return len(repr(trial)) % 3 != 0

    assert shrunk(fails) == shrunk(fails)


def test_no_candidate_is_tried_twice_and_none_is_the_trial_itself() -> None:
    tried: list[str] = []

    def fails(trial: Trial) -> bool:
        tried.append(repr(trial))
        return len(trial.faults) >= 5

    found = shrunk(fails)
    assert len(tried) == len(set(tried)) == found.runs
    assert repr(TRIAL) not in tried


def test_runs_are_bounded() -> None:
    runs = count()
    found = shrink(TRIAL, lambda trial: next(runs) % 2 == 0, runs_max=9, clock=lambda: 0.0)
    assert (found.runs, next(runs), found.finished) == (9, 9, False)


def test_time_is_bounded() -> None:
    clock = count()
    found = shrink(TRIAL, lambda _: False, seconds_max=5, clock=lambda: next(clock))
    assert (found.trial, found.runs, found.finished) == (TRIAL, 4, False)
