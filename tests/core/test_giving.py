"""Slots are given, taken back, helped; where newcomers are sent."""

from __future__ import annotations

import time
from collections import Counter
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Shape, steps, stragglers
from core.losses import PIECE_ERROR_MAX, PIECES_MAX
from core.messages import Failure
from core.sessions.messages import NODE_BITS, process_of
from core.slots import Slots
from tests.core.crowd import Crowd, copied, helped, prepared
from tests.wired import wired

# -- the order of giving -------------------------------------------------------------------


def test_slots_are_given_in_order() -> None:
    slots, crowd = prepared(4), Crowd(1, 2, 3, 4, 5)
    assert [slots.take(node, crowd, 0.0) for node in crowd.people] == [[0], [1], [2], [3], []]
    assert (slots.free, slots.remaining) == (0, 4)


def test_what_was_given_back_is_given_first_and_the_last_of_it_before_the_others() -> None:
    slots, crowd = prepared(6), Crowd(*range(1, 9))
    for node in (1, 2, 3, 4):
        slots.take(node, crowd, 0.0)
    for node in (2, 4, 1):
        slots.drop(node)
    assert [slots.take(node, crowd, 1.0)[0] for node in (5, 6, 7, 8, 1)] == [0, 3, 1, 4, 5]


def test_who_is_there_again_gets_back_what_it_claims_and_nobody_else_does() -> None:
    slots, crowd = prepared(4), Crowd(1, 2, 3, 4)
    slots.give(1, 9, 0.0)
    slots.give(3, 9, 0.0)
    assert [slots.take(node, crowd, 0.0) for node in (1, 2, 3)] == [[0], [2], []]
    slots.drop(9)
    assert [slots.take(node, crowd, 0.0) for node in (3, 4)] == [[3], [1]]


def test_nothing_is_given_in_a_leaf_session_before_the_inputs_are_there() -> None:
    slots, crowd = Slots(Shape.root(4, 4)), Crowd(1)
    assert slots.take(1, crowd, 0.0) == []
    assert slots.free == 4
    slots.inputs = ["a", "b", "c", "d"]
    assert slots.take(1, crowd, 0.0) == [0]
    assert slots.chosen((0, 2)) == ("a", "c")


def test_child_sessions_are_given_before_their_inputs_are_there_one_at_a_time() -> None:
    slots, crowd = Slots(Shape.root(9, 3)), Crowd(1, 2)
    slots.measure(1, 0.0)
    assert slots.take(1, crowd, 0.0) == [0]
    assert slots.take(2, crowd, 0.0) == [1]
    assert slots.paces == {}


def test_who_failed_at_a_slot_gets_another_while_others_may_try() -> None:
    slots, crowd = prepared(2), Crowd(1, 2)
    assert slots.take(1, crowd, 0.0) == [0]
    slots.failed[0] = (1,)
    slots.drop(1)
    assert slots.take(1, crowd, 0.0) == [1]
    slots.drop(1)
    assert slots.take(2, crowd, 0.0) == [1]  # the last that was given back
    assert slots.take(1, crowd, 0.0) == []
    assert slots.free == 1
    assert slots.take(2, crowd, 0.0) == [0]
    slots.failed[0] = (1, 2)
    slots.drop(2)
    assert [slots.take(1, crowd, 0.0) for _ in range(2)] == [[1], [0]]  # all have tried


def test_nodes_of_one_process_that_fail_at_the_same_time_pause_it_once() -> None:
    slots, first = prepared(6), 7 << NODE_BITS + 20
    for i in range(3):
        slots.give(i, first + i, 0.0)
    for i in range(3):
        slots.fail(i, first + i, (), 1.0)
    ((process, (times, until)),) = slots.backoffs.items()
    assert (process, times, until) == (process_of(first), 1, 1.5)
    slots.resume(1.5)
    slots.fail(0, first, (), 1.5)
    assert slots.backoffs == {process: (2, 2.5)}


def test_what_is_lost_is_done_and_nobody_is_to_blame_for_it() -> None:
    slots = Slots(Shape.root(9, 3, keep_going=True))
    slots.give(1, 5, 0.0)
    slots.finish(1, 5, "out", 1.0)
    slots.give(0, 5, 1.0)
    slots.fail(0, 5, (5, 6), 2.0)
    assert slots.backoffs.present() == set()  # it has paused below
    slots.fail(0, 5, (), 2.0)
    assert slots.backoffs.present() == {5}
    slots.lose(0, Failure("0-0-1", 1, "x" * PIECE_ERROR_MAX + "end"), 3.0)
    assert (slots.remaining, slots.failed, slots.backoffs) == (1, {}, {})
    count, ((session, partition, error),) = slots.lost[0]
    assert (count, session, partition) == (3, "0-0-1", 1)
    assert (len(error), error[-4:]) == (PIECE_ERROR_MAX, "xend")
    assert slots.known() == {0: (None, 2.0, slots.lost[0]), 1: ("out", 1.0)}
    slots.finish(2, 6, "some", 4.0, (1, (("0-2", 7, "no"),)))
    assert steps.outputs_left(slots) == ["out", "some"]
    assert steps.loss_of(slots) == (4, (*slots.lost[0][1], ("0-2", 7, "no")))
    assert not steps.all_lost(slots)
    assert copied(slots).plain() == wired(slots.plain())


def test_no_session_tells_of_more_pieces_that_are_lost_than_fit_into_its_messages() -> None:
    slots = Slots(Shape.root(100, 100, keep_going=True))
    for i in reversed(range(100)):
        slots.lose(i, Failure("0", i, "no"), 1.0)
    loss = steps.loss_of(slots)
    assert loss is not None
    assert steps.all_lost(slots)
    assert loss[0] == 100
    assert [partition for _, partition, _ in loss[1]] == [*range(100 - PIECES_MAX, 100)]


def test_what_a_node_is_not_to_try_again_stays_the_next_for_others() -> None:
    slots, crowd = prepared(4), Crowd(1, 2)
    for _ in range(3):
        slots.take(1, crowd, 0.0)
    slots.failed[2] = (2,)
    slots.drop(1)
    assert slots.take(2, crowd, 1.0) == [1]  # but not 2
    assert [slots.take(1, crowd, 1.0) for _ in range(3)] == [[2], [0], [3]]


def test_an_observer_is_nobody_who_may_try() -> None:
    slots, crowd = prepared(1), Crowd(1, observers=(0,))
    slots.failed[0] = (1,)
    assert slots.take(1, crowd, 0.0) == [0]


def test_who_is_fast_gets_what_fills_50_ms_but_no_more_than_a_fair_share() -> None:
    for pace, workers, expected in [
        (0.0, 1, 100),
        (0.0, 3, 34),
        (0.004, 1, 12),
        (0.004, 10, 10),
        (0.025, 1, 2),
        (0.026, 1, 1),
    ]:
        slots = prepared(100)
        slots.measure(1, pace)
        crowd = Crowd(*range(1, workers + 1), observers=(0,))
        assert slots.take(1, crowd, 0.0) == list(range(expected))


def test_a_single_slow_piece_says_nothing_about_who_was_fast() -> None:
    slots = prepared(4)
    slots.measure(1, 0.01, 5)
    slots.measure(1, 3.0, 1)
    assert slots.paces == {1: 0.01}
    slots.measure(1, 3.0, 2)
    assert slots.paces == {}


# -- helpers -------------------------------------------------------------------------------

LEAF, INTERIOR = 3, 9  # partitions


def test_a_helper_in_a_leaf_session_carries_on_when_the_worker_is_gone() -> None:
    slots = helped(LEAF)
    slots.forget(2)
    assert (slots.worker[1], slots.helpers, slots.free) == (1, {}, 0)
    assert slots.idle == [4]
    slots.forget(1)
    assert (slots.worker[1], slots.free) == (None, 1)


def test_a_helper_in_a_child_session_is_idle_when_its_leader_is_gone() -> None:
    slots = helped(INTERIOR)
    slots.forget(2)
    assert (slots.worker[1], slots.helpers, slots.free) == (None, {}, 1)
    assert slots.idle == [4, 1]


def test_a_helper_in_a_child_session_is_idle_when_that_is_done() -> None:
    slots = helped(INTERIOR)
    slots.accept(1, "out", 2.0)
    assert slots.idle == [4, 1]
    assert slots.helpers == {}


def test_a_helper_in_a_leaf_session_is_at_it_till_it_answers() -> None:
    slots = helped(LEAF)
    slots.accept(1, "out", 2.0)
    assert slots.idle == [4]
    assert slots.holders(1) == (2, 1)
    slots.forget(2)
    assert slots.holders(1) == (1, None)
    assert slots.free == 0  # it is done
    assert slots.holds(1)


@pytest.mark.parametrize("partitions", [LEAF, INTERIOR])
def test_a_helper_that_goes_leaves_the_worker_at_it(partitions: int) -> None:
    slots = helped(partitions)
    slots.forget(1)
    assert slots.holders(1) == (2, None)
    assert (slots.free, slots.idle) == (0, [4])


@pytest.mark.parametrize("partitions", [LEAF, INTERIOR])
def test_what_is_helped_is_not_late_any_more(partitions: int) -> None:
    slots = helped(partitions)
    assert stragglers.overdue(slots) == (2.0, 2)
    slots.helpers[2] = 4
    assert stragglers.overdue(slots) == (None if partitions == INTERIOR else (30.0, 1))


@pytest.mark.parametrize("partitions", [LEAF, INTERIOR])
def test_where_none_is_done_a_slot_is_late_after_30_s_and_is_not_led_anew(partitions: int) -> None:
    slots = helped(partitions)
    slots.done[0], slots.remaining = False, 3
    slots.worker[0], slots.helpers[0] = 5, 6
    assert slots.due() == 30.0
    assert [i for i, _, _ in stragglers.helped(slots, 30.0)] == [2]
    slots.watch(None, False)
    assert slots.look is None


def test_nothing_is_late_within_50_ms() -> None:
    slots = helped(LEAF)
    slots.seconds[0] = 0.0
    assert slots.due() == 0.05


def test_who_is_idle_already_keeps_its_place() -> None:
    slots = helped(LEAF)
    for node in (5, 4, 6, 5):
        slots.rest(node)
    assert slots.idle == [4, 5, 6]
    slots.rouse(5)
    slots.rouse(7)
    assert slots.idle == [4, 6]


def test_nothing_is_late_while_something_is_free() -> None:
    slots = helped(LEAF)
    assert slots.due() == 2.0
    slots.drop(3)
    assert slots.due() is None


# -- where newcomers are sent --------------------------------------------------------------

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
