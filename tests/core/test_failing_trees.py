"""Small trees in which a job fails: its error comes up, or others try it again."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Shape
from core import messages as m
from tests.core.growing import (
    FANOUTS,
    NODES,
    PARTITIONS,
    SEEDS,
    Life,
    check_released,
    check_result,
    grown,
)
from tests.core.harness import Net
from tests.core.spans import Spans


class Faulty(Spans):
    """Raises in one of its functions, `times` times, where it meets partition `at`."""

    def __init__(self, part: str, at: int, times: int) -> None:
        self.part, self.at, self.times = part, at, times

    def _meet(self, part: str, first: int, size: int) -> None:
        if part == self.part and self.times and first <= self.at < first + size:
            self.times -= 1
            raise ArithmeticError(f"{part} met {self.at}")

    def prepare(self, input: Any, sizes: list[int]) -> Any:
        self._meet("prepare", *input)
        return super().prepare(input, sizes)

    def compute(self, input: Any, index: int) -> Any:
        self._meet("compute", index, 1)
        return super().compute(input, index)

    def collect(self, outputs: list[Any]) -> Any:
        self._meet("collect", outputs[0][0][0], sum(map(len, outputs)))
        return super().collect(outputs)


PARTS = st.sampled_from(["prepare", "compute", "collect"])


@settings(max_examples=150)
@given(NODES, PARTITIONS, FANOUTS, SEEDS, PARTS, st.integers(0, 39))
def test_a_job_that_always_fails_ends_with_its_error_and_everyone_is_released(
    nodes: int, partitions: int, fanout: int, seed: int, part: str, at: int
) -> None:
    at %= partitions
    net = grown(nodes, partitions, fanout, seed, Faulty(part, at, -1))
    assert net.outcome is not None
    assert net.outcome.result is None
    failure = m.Failure.of(net.outcome.failure)
    assert failure is not None
    assert f"{part} met {at}" in failure.error
    assert failure.partition == (at if part == "compute" else None)
    check_released(net)


@settings(max_examples=100)
@given(NODES, PARTITIONS, FANOUTS, SEEDS, PARTS, st.integers(0, 39))
def test_a_job_that_always_fails_ends_while_nodes_leave_too(
    nodes: int, partitions: int, fanout: int, seed: int, part: str, at: int
) -> None:
    at %= partitions
    net = grown(nodes, partitions, fanout, seed, Faulty(part, at, -1), leaving=0.5)
    assert net.outcome is not None
    failure = m.Failure.of(net.outcome.failure)
    assert failure is not None
    assert f"{part} met {at}" in failure.error
    check_released(net)


@settings(max_examples=100)
@given(NODES, PARTITIONS, FANOUTS, SEEDS, PARTS, st.integers(0, 39))
def test_what_fails_once_or_twice_is_tried_again(
    nodes: int, partitions: int, fanout: int, seed: int, part: str, at: int
) -> None:
    net = grown(nodes, partitions, fanout, seed, Faulty(part, at % partitions, 1 + seed % 2))
    check_result(net)
    check_released(net)


@settings(max_examples=150)
@given(st.integers(2, 12), PARTITIONS, FANOUTS, SEEDS, st.integers(1, 4), st.booleans())
def test_broken_machines_cost_no_more_than_their_share(
    nodes: int, partitions: int, fanout: int, seed: int, broken: int, keep_going: bool
) -> None:
    """At most two whose every function raises, among others that are good."""
    net = Net(Shape.root(partitions, fanout, keep_going))
    net.broken = set(Random(seed).sample(range(1, nodes + 1), min(broken, 2, nodes - 1)))
    net.submit()
    for node in range(1, nodes + 1):
        net.arrive(node)
        net.settle({"prepare", "compute", "collect"})  # who is alone and broken fails the job
    random = Random(seed)
    while net.outcome is None:  # whoever is sent on is there before a pause is over
        lanes = net.busy()
        net.step(random.choice(lanes)) if lanes else net.tick()
    net.run(random)
    check_result(net)
    check_released(net)


@settings(max_examples=150)
@given(st.integers(2, 12), PARTITIONS, FANOUTS, SEEDS, st.sampled_from(["prepare", "collect"]))
def test_a_step_that_never_ends_on_one_machine_is_taken_on_another(
    nodes: int, partitions: int, fanout: int, seed: int, step: str
) -> None:
    net, random = Net(Shape.root(partitions, fanout)), Random(seed)
    net.hung = {(step, random.randint(0, nodes))}
    net.submit()
    net.run(random, list(Life(net, random).events(nodes)))
    net.run(random)
    check_result(net)
    check_released(net)


def test_a_failure_names_its_session_partition_and_error() -> None:
    net = grown(3, 8, 2, 5, Faulty("compute", 5, -1))
    assert net.outcome is not None
    failure = m.Failure("0-1-0", 5, "ArithmeticError('compute met 5')")
    assert m.Failure.of(net.outcome.failure) == failure
    assert net.outcome.failure == failure.plain()


@pytest.mark.parametrize("session", ["0", "0-1"])
def test_a_prepare_that_cuts_wrongly_is_a_failure(session: str) -> None:
    class Wrong(Spans):
        def prepare(self, input: Any, sizes: list[int]) -> Any:
            whole = super().prepare(input, sizes)
            return whole[:1] if input == {"0": [0, 4], "0-1": [2, 2]}[session] else whole

    net = Net(Shape.root(4, 2), Wrong())
    net.submit()
    for node in range(1, 5):
        net.arrive(node)
    net.run(Random(1))
    net.run(Random(1))
    assert net.outcome is not None
    failure = m.Failure.of(net.outcome.failure)
    assert failure is not None
    assert failure.session == session
    assert "prepare returned 1 inputs for 2 slots" in failure.error
    check_released(net)
