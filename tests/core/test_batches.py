"""How many short pieces one is given at once: guided self-scheduling."""

from __future__ import annotations

from typing import Any

import pytest

from core import messages as m
from tests.core.byhand import Session, commands, compute


@pytest.mark.parametrize(
    ("pace", "free", "others", "expected"),
    [
        (0.001, 1000, 1, 50),  # 50 ms
        (0.01, 1000, 1, 5),
        (0.03, 1000, 1, 1),
        (0.06, 1000, 1, 1),
        (10.0, 1000, 1, 1),
        (0.0, 10, 1, 5),  # no time at all: its fair share
        (0.0001, 10, 2, 4),  # a third, rounded up
        (0.0001, 100, 9, 10),
        (0.0001, 3, 9, 1),
        (None, 1000, 1, 1),  # never measured
    ],
)
def test_a_batch_fills_50_ms_but_is_never_more_than_a_fair_share(
    pace: float | None, free: int, others: int, expected: int
) -> None:
    session = Session(free + others, free + others)
    session.join(*range(2, 2 + others))
    assert session.slots.free == free
    told = session.join(1, about=pace)
    assert len(told[-1][1].slots) == expected
    assert told[-1] == (1, compute(*range(others, others + expected)))


def test_an_observer_has_no_share() -> None:
    session = Session(8, 8)
    session.join(9, observes=True)
    assert session.join(1, about=0.0) == [(1, compute(*range(8)))]


def test_the_pace_is_what_the_last_batch_took() -> None:
    session = Session(100, 100)
    session.join(1, 2)
    assert session.finish(1, 0, seconds=0.01)[0][1].slots == (2, 3, 4, 5, 6)
    assert session.finish(1, 2, 3, 4, 5, 6, seconds=0.125)[0][1].slots == (7, 8)
    assert session.slots.paces == {1: 0.025}


def test_who_answers_a_batch_in_parts_is_not_idle_before_the_last() -> None:
    session = Session(4, 4)
    session.join(9, observes=True)
    session.join(1, about=0.0)
    for parts in ((0, 1), (2,)):  # so slowly that it is not given several any more
        session.finish(1, *parts, seconds=10.0)
        assert session.slots.idle == []
    session.finish(1, 3)
    assert session.slots.idle == [1]


def test_pieces_are_never_batched_in_an_interior_session() -> None:
    session = Session(9, 3)
    session.join(1, 2, about=0.0)
    assert session.workers() == [1, 2, None]
    session.order(m.Finished(1, (0,), ["out"], 0.0))
    assert session.workers() == [None, 2, 1]


def test_a_node_alone_finishes_in_batches_that_shrink() -> None:
    session = Session(64, 64)
    session.join(1)
    told: Any = session.join(2, about=0.0)
    sizes = []
    while commands(told, m.Compute):
        ((_, command),) = told
        sizes.append(len(command.slots))
        told = session.finish(2, *command.slots, seconds=0.0)
    assert sizes == [32, 16, 8, 4, 2, 1]
