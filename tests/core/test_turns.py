"""Where newcomers are sent: to child sessions, in turn."""

from __future__ import annotations

import time
from collections import Counter
from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from core import Shape
from core.slots import Slots
from tests.core.crowd import Crowd, prepared

interior = st.builds(Shape.root, st.integers(3, 60), st.sampled_from([2, 3, 5, 7])).filter(
    lambda shape: not shape.leaf
)


def led(shape: Shape) -> Slots:
    slots = Slots(shape)
    for i in range(len(slots)):
        slots.give(i, 100 + i, 0.0)
    return slots


def in_turn(turns: list[int], there: list[int]) -> bool:
    """Whether those who are there are named one after the other, over and over."""
    following = dict(zip(there, [*there[1:], *there[:1]], strict=True))
    return all(following[one] == other for one, other in pairwise(turns))


@given(interior)
def test_each_child_session_is_sent_who_there_is_work_for_and_then_all_the_same(
    shape: Shape,
) -> None:
    slots, sizes = led(shape), shape.sizes()
    quotas = slots.quotas()
    assert quotas == [size - 1 for size in sizes]  # its leader came by itself
    first = sum(quotas)
    turns = list(islice(slots.turns(quotas), first + 3 * len(slots)))
    assert Counter(turns[:first]) == +Counter({i: size - 1 for i, size in enumerate(sizes)})
    assert sorted(turns[first:]) == sorted(3 * list(range(len(slots))))
    assert in_turn(turns[first:], list(range(len(slots))))
    assert set(quotas) <= {0}


@given(interior, st.sets(st.integers(0, 6)), st.sets(st.integers(0, 6)), st.integers(0, 60))
def test_nobody_is_sent_to_a_child_session_that_is_done_or_has_no_leader(
    shape: Shape, done: set[int], unled: set[int], count: int
) -> None:
    slots = led(shape)
    for i in unled & {*range(len(slots))}:
        slots.drop(100 + i)
    for i in done & {*range(len(slots))}:
        slots.accept(i, "out", 1.0)
    there = [i for i in range(len(slots)) if i not in done | unled]
    quotas = slots.quotas()
    first = sum(quotas[i] for i in there)
    turns = list(islice(slots.turns(quotas), first + count))
    if not there:
        assert turns == []
    else:
        assert Counter(turns[:first]) == +Counter({i: shape.sizes()[i] - 1 for i in there})
        assert len(turns[first:]) == count
        assert in_turn(turns[first:], there)


@given(interior, st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5)), max_size=10))
def test_while_child_sessions_become_done_the_others_are_still_filled_first(
    shape: Shape, steps: list[tuple[int, int]]
) -> None:
    slots = led(shape)
    quotas = slots.quotas()
    turns = slots.turns(quotas)
    for finished, count in steps:
        for _ in range(count):
            wanting = {i for i in range(len(slots)) if not slots.done[i] and quotas[i]}
            child = next(turns, None)
            if child is None:
                assert slots.remaining == 0
                break
            assert not slots.done[child]
            assert not wanting or child in wanting
        if finished < len(slots) and not slots.done[finished]:
            slots.accept(finished, "out", 1.0)


@given(interior, st.integers(0, 30))
def test_turns_that_are_begun_anew_go_on_filling_where_they_were(shape: Shape, count: int) -> None:
    slots = led(shape)
    quotas = slots.quotas()
    count = min(count, sum(quotas))
    before = list(islice(slots.turns(quotas), count))
    after = list(islice(slots.turns(quotas), sum(quotas)))
    assert Counter(before + after) == +Counter(dict(enumerate(slots.quotas())))


def test_a_leaf_session_has_no_turns_to_give() -> None:
    slots = prepared(4)
    assert slots.quotas() == []
    assert list(slots.turns([])) == []


def test_who_had_a_slot_is_remembered_once_however_often_it_is_told() -> None:
    slots, many = Slots(Shape.root(3, 3)), 200_000
    began = time.process_time()
    for first in (0, many // 2):
        slots.remember([(0, [*range(first, first + many), *[first] * many])])
    assert time.process_time() - began < 5  # hours, if each were looked for among all
    assert [*slots.former[0]] == [*range(many + many // 2)]
    slots.inputs = [None] * 3
    slots.queue = [1] * many
    slots.failed[1] = (7,)
    began = time.process_time()
    assert slots.take(7, Crowd(7, *range(1000)), 0.0) == [0]
    assert time.process_time() - began < 1
