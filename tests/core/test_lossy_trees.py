"""Small trees that go on without what fails: nothing else is lost."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Shape
from core import messages as m
from core.losses import PIECES_MAX
from tests.core.growing import FANOUTS, NODES, PARTITIONS, SEEDS, check_released, grown
from tests.core.harness import Net
from tests.core.spans import Spans, sequential


class Lossy(Spans):
    """Some partitions always fail."""

    def __init__(self, lost: Iterable[int]) -> None:
        self.lost = set(lost)

    def compute(self, input: Any, index: int) -> Any:
        if index in self.lost:
            raise ArithmeticError(f"compute met {index}")
        return super().compute(input, index)


LOST = st.sets(st.integers(0, 39))


def check_loss(net: Net, lost: Iterable[int]) -> None:
    """The result is that of the others, and it is told which are lost."""
    gone = sorted({*lost} & {*range(net.shape.partitions)})
    ended = net.outcome
    assert ended is not None
    whole = sequential(net.shape.partitions)
    if len(gone) == len(whole):
        assert ended.result is None
        assert f"compute met {ended.failure['partition']}" in ended.failure["error"]
    else:
        assert ended.failure is None
        assert ended.result == [piece for piece in whole if piece[2] not in gone]
    count, pieces = ended.lost or (0, ())
    told = [partition for _, partition, _ in pieces]
    assert count == len(gone)
    assert told == sorted({*told} & {*gone})
    assert len(told) == min(count, PIECES_MAX)
    assert all(error == f"ArithmeticError('compute met {p}')" for _, p, error in pieces)


@pytest.mark.parametrize(
    "troubles",
    [
        pytest.param({}, id="none"),
        pytest.param({"listening": 0.3}, id="most do not listen"),
        pytest.param({"leaving": 0.4, "breaking": 0.2}, id="nodes leave and connections break"),
        pytest.param({"compare": True}, id="replicas are compared"),
    ],
)
@settings(max_examples=100)
@given(NODES, PARTITIONS, FANOUTS, SEEDS, LOST)
def test_what_always_fails_is_lost_and_nothing_else(
    troubles: dict[str, float],
    nodes: int,
    partitions: int,
    fanout: int,
    seed: int,
    lost: set[int],
) -> None:
    net = grown(nodes, partitions, fanout, seed, Lossy(lost), keep_going=True, **troubles)
    check_loss(net, lost)
    check_released(net)


class Step(Spans):
    """`step` of one session always fails."""

    def __init__(self, shape: Shape, step: str) -> None:
        self.span, self.step = [shape.first, shape.partitions], step

    def prepare(self, input: Any, sizes: list[int]) -> Any:
        if self.step == "prepare" and input == self.span:
            raise ArithmeticError("prepare failed")
        return super().prepare(input, sizes)

    def collect(self, outputs: list[Any]) -> Any:
        output = super().collect(outputs)
        if self.step == "collect" and [output[0][2], len(output)] == self.span:
            raise ArithmeticError("collect failed")
        return output


@settings(max_examples=150)
@given(NODES, st.integers(3, 40), st.integers(2, 3), SEEDS, st.sampled_from(["prepare", "collect"]))
def test_what_lies_under_a_session_that_cannot_be_cut_or_combined_is_lost(
    nodes: int, partitions: int, fanout: int, seed: int, step: str
) -> None:
    """Unless it is the root: without that there is no result."""
    random, shape = Random(seed), Shape.root(partitions, fanout, True)
    failing = shape.child(random.randrange(shape.slots)) if not shape.leaf else shape
    while not failing.leaf and random.random() < 0.5:
        failing = failing.child(random.randrange(failing.slots))
    net = grown(nodes, partitions, fanout, seed, Step(failing, step), keep_going=True)
    ended = net.outcome
    assert ended is not None
    if failing is shape:
        assert (
            ended.failure == m.Failure("0", None, repr(ArithmeticError(f"{step} failed"))).plain()
        )
    else:
        gone = range(failing.first, failing.first + failing.partitions)
        assert ended.failure is None
        assert ended.result == [p for p in sequential(partitions) if p[2] not in gone]
        ((session, partition, error),) = ended.lost[1]
        assert (ended.lost[0], partition) == (len(gone), None)
        # Itself, or one above or below it that has the same partitions.
        assert session in failing.session or failing.session in session
        assert f"{step} failed" in error
    check_released(net)
