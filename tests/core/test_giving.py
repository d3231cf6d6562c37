"""Slots are given and taken back: which, in which order, and to whom."""

from __future__ import annotations

from core import Shape, steps
from core.losses import PIECE_ERROR_MAX, PIECES_MAX
from core.messages import Failure
from core.sessions.messages import NODE_BITS, process_of
from core.slots import Slots
from tests.core.crowd import Crowd, copied, prepared
from tests.wired import wired


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
    assert wired(copied(slots).plain()) == wired(slots.plain())


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
