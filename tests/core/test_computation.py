"""The model of one session, by hand: messages in, commands out."""

from __future__ import annotations

from typing import Any

import pytest

from core import Shape
from core import messages as m
from tests.core import story
from tests.core.byhand import Session, commands, compute, late_session

# -- assignment ----------------------------------------------------------------------------


def test_slots_are_given_in_order_with_their_inputs() -> None:
    session = Session(3, 3)
    assert session.join(1, 2, 3, 4) == [
        (1, m.TakeOver()),
        (1, compute(0)),
        (2, compute(1)),
        (3, compute(2)),
    ]
    assert session.slots.idle == [4]
    assert session.finish(1, 0) == [(1, m.Rest())]


def test_a_compute_names_the_session_and_its_first_partition() -> None:
    shape = Shape.root(9, 3).child(2)
    state = story.session(shape)
    state.apply(0, m.Given("third"))
    state.apply(0, m.Prepared(["a", "b", "c"]))
    told = state.apply(0, m.Joined(7, None, None, (), False))
    assert told[-1] == (7, m.Compute("0-2", 6, (0,), ("a",)))


def test_those_who_came_before_the_inputs_are_served_in_the_order_in_which_they_came() -> None:
    session = Session(2, 2, given=False)
    assert session.join(5, 3, 4) == [(5, m.TakeOver())]
    assert session.order(m.Given("all")) == [(5, m.Prepare("all"))]
    assert session.order(m.Prepared(["in 0", "in 1"])) == [(5, compute(0)), (3, compute(1))]
    assert session.slots.idle == [4]


def test_only_the_first_input_and_the_first_cut_count() -> None:
    session = Session(1, 2)
    session.join(1)
    before = session.state.snapshot()
    assert session.order(m.Given("other")) == []
    assert session.order(m.Prepared(["other"])) == []
    assert session.state.snapshot() == {**before, "seq": before["seq"] + 2}


def test_a_slot_of_an_interior_session_is_led_and_supplied_later() -> None:
    session = Session(9, 3, given=False)
    (_, over), (node, lead) = session.join(1)
    assert over == m.TakeOver()
    assert isinstance(lead, m.Lead)
    assert (node, lead.child, lead.first) == (1, 0, None)
    session.order(m.Given("all"))
    assert session.order(m.Prepared(["a", "b", "c"])) == [(1, m.Supply(0, m.Given("a")))]
    ((node, lead),) = session.join(2)
    assert isinstance(lead, m.Lead)
    assert (node, lead.child, lead.first) == (2, 1, m.Given("b"))


def test_an_observer_takes_no_slot() -> None:
    session = Session(2, 2)
    assert session.join(9, observes=True) == [(9, m.TakeOver())]
    assert session.join(1, 2) == [(1, compute(0)), (2, compute(1))]
    session.order(m.Left(1))
    assert session.workers() == [None, 2]
    assert session.state.leader == 9
    session.finish(2, 1)
    assert session.workers() == [2, None]
    assert 9 not in session.slots.idle


def test_a_newcomer_keeps_what_it_was_at_if_nobody_else_has_it() -> None:
    session = Session(4, 4)
    session.join(1)
    told = session.join(2, claims=(0, 2))
    assert session.workers() == [1, None, 2, None]
    assert commands(told, m.Compute) == []  # it is computing that already
    session.join(3)
    assert session.workers() == [1, 3, 2, None]


def test_a_newcomer_whose_slots_were_done_meanwhile_gets_another() -> None:
    session = Session(3, 3)
    session.join(1)
    session.finish(1, 0)
    assert session.join(2, claims=(0,)) == [(2, compute(2))]


# -- batches (guided self-scheduling) ------------------------------------------------------


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


# -- outcomes ------------------------------------------------------------------------------


def test_the_first_result_counts_and_a_second_changes_nothing() -> None:
    session = Session(2, 2)
    session.join(1, 2)
    session.order(m.Left(1))
    session.join(3)
    session.finish(3, 0)
    session.finish(2, 0)
    assert session.outputs() == ["out 0 of 3", None]
    assert (session.slots.remaining, session.slots.free) == (1, 0)


def test_a_result_that_comes_twice_does_no_harm() -> None:
    session = Session(3, 3)
    session.join(1, 2)
    session.finish(1, 0)
    workers = session.workers()
    session.finish(1, 0)
    assert session.outputs() == ["out 0 of 1", None, None]
    assert session.slots.remaining == 2
    assert session.workers() == workers == [None, 2, 1]


def test_a_result_for_a_slot_that_is_free_counts() -> None:
    session = Session(3, 3)
    session.join(1)
    session.finish(1, 2)
    assert session.outputs() == [None, None, "out 2 of 1"]
    assert (session.slots.free, session.slots.remaining) == (session.workers().count(None) - 1, 2)


@pytest.mark.parametrize("seconds", [0.0, 1.0])
@pytest.mark.parametrize("fanout", [4, 2])  # leaf, interior
def test_a_result_of_somebody_believed_lost_counts_and_does_no_harm(
    fanout: int, seconds: float
) -> None:
    session = Session(4, fanout)
    session.join(1, 2)
    session.order(m.Left(2))
    session.finish(2, 1, seconds=seconds)
    assert session.outputs()[1] == "out 1 of 2"
    assert 2 not in session.state.people
    assert 2 not in session.slots.idle
    assert 2 not in session.workers()


def test_a_failure_of_somebody_believed_lost_does_no_harm() -> None:
    session = Session(2, 2)
    session.join(1, 2)
    session.order(m.Left(2))
    session.fail(2, 1)
    assert 2 not in session.slots.idle
    assert 2 not in session.workers()


def test_all_results_are_collected_once_by_the_leader() -> None:
    session = Session(3, 3)
    session.join(1, 2)
    session.finish(2, 1)
    session.finish(1, 0)
    told = session.finish(2, 2)
    assert commands(told, m.Collect) == [(1, m.Collect())]
    assert session.outputs() == ["out 0 of 1", "out 1 of 2", "out 2 of 2"]


def test_the_end_is_told_to_all_and_only_once() -> None:
    session = Session(2, 2)
    session.join(1, 2, 3)
    ended = m.Ended("result", None)
    assert session.order(ended) == [(node, m.Stop(ended)) for node in (1, 2, 3)]
    assert session.order(m.Ended("other", None)) == []
    assert session.state.ended == ended


def test_a_result_that_comes_after_the_last_is_not_collected_again() -> None:
    session = late_session()
    session.order(m.Alarm(), at=4.1)
    session.finish(5, 4, at=5.0)
    assert commands(session.finish(4, 3, at=5.0), m.Collect) == [(1, m.Collect())]
    assert commands(session.finish(2, 4, at=6.0), m.Collect) == []


# -- leaving -------------------------------------------------------------------------------


def test_leaving_frees_slots_which_go_to_the_idle_first() -> None:
    session = Session(2, 2)
    session.join(1, 2, 3)
    assert session.order(m.Left(2)) == [(3, compute(1))]
    assert session.workers() == [1, 3]


def test_a_freed_batch_is_given_anew_in_order() -> None:
    session = Session(9, 9)
    session.join(1)
    session.join(2, about=0.0)
    assert session.workers() == [1, 2, 2, 2, 2, None, None, None, None]
    session.order(m.Left(2))
    assert (session.slots.free, session.slots.remaining) == (8, 9)
    given = [session.join(node)[0][1] for node in range(3, 11)]
    assert sorted(slot for command in given for slot in command.slots) == list(range(1, 9))


def test_the_next_leader_is_the_next_in_join_order() -> None:
    session = Session(4, 4)
    session.join(5, 3, 4)
    assert session.state.leader == 5
    session.order(m.Left(3))
    session.join(3)
    assert (4, m.TakeOver()) in session.order(m.Left(5))
    assert (3, m.TakeOver()) in session.order(m.Left(4))
    session.order(m.Left(3))
    assert session.state.leader is None
    assert session.join(6)[0] == (6, m.TakeOver())


def test_a_new_leader_is_told_what_is_left_for_a_leader_to_do() -> None:
    session = Session(1, 2, given=False)
    session.join(1, 2, 3, 4)
    session.order(m.Given("all"))
    assert session.order(m.Left(1)) == [(2, m.TakeOver()), (2, m.Prepare("all"))]
    session.order(m.Prepared(["in 0"]))
    assert session.order(m.Left(2)) == [(3, m.TakeOver()), (3, compute(0))]
    session.finish(3, 0)
    assert session.order(m.Left(3)) == [(4, m.TakeOver()), (4, m.Collect())]


def test_a_session_outlives_its_participants() -> None:
    session = Session(2, 2)
    session.join(1)
    session.finish(1, 0)
    session.order(m.Left(1))
    assert session.outputs() == ["out 0 of 1", None]
    assert session.join(2) == [(2, m.TakeOver()), (2, compute(1))]


def test_what_a_stranger_leaves_is_nothing() -> None:
    session = Session(2, 2)
    session.join(1)
    before = session.state.snapshot()
    assert session.order(m.Left(7)) == []
    assert session.state.snapshot() == {**before, "seq": before["seq"] + 1}


def test_moved_sends_everyone_but_the_mover() -> None:
    session = Session(2, 2)
    session.join(4, 2, 3)
    place = m.Place("0-1", (0, 5))
    assert session.order(m.Moved(4, place)) == [(2, m.Go(place)), (3, m.Go(place))]
    assert not session.state.people
    assert session.state.leader is None


@pytest.mark.parametrize("pace", [None, 0.0])
def test_what_comes_after_the_team_has_moved_is_work_for_nobody(pace: float | None) -> None:
    session = Session(4, 4, given=False)
    session.join(1, 2, 3, about=pace)
    session.order(m.Given("all"))
    session.order(m.Moved(1, m.Place("0-1", (0, 5))))
    assert session.order(m.Prepared(["a", "b", "c", "d"])) == []
    assert session.workers() == [None] * 4


# -- reopening -----------------------------------------------------------------------------


def test_what_another_replica_knows_counts_here() -> None:
    before = Session(3, 3)
    before.join(1, 2)
    before.finish(1, 0, at=2.0)
    after = Session(3, 3, given=False)
    after.join(5, 6)
    told = after.order(before.restored())
    assert commands(told, m.Compute) == [(5, compute(1)), (6, compute(2))]  # 0 is done
    assert after.outputs() == ["out 0 of 1", None, None]
    assert after.slots.remaining == 2
    assert after.model.input == "all"
    assert list(after.state.people) == [5, 6]


def test_a_complete_replica_is_collected_again() -> None:
    before = Session(1, 2)
    before.join(1)
    before.finish(1, 0)
    after = Session(1, 2, given=False)
    after.join(5)
    assert commands(after.order(before.restored()), m.Collect)
    assert after.slots.remaining == 0


def test_each_assignment_is_newer_than_those_before_it_in_every_incarnation() -> None:
    epochs = []
    for incarnation in (1, 2):
        session = Session(9, 3, epoch=(incarnation,))
        for node in range(1, 4):
            (_, lead), *_ = commands(session.join(node), m.Lead)
            assert isinstance(lead, m.Lead)
            epochs.append(lead.epoch)
            session.order(m.Left(node))
    assert epochs == sorted(set(epochs))
    assert all(epoch > (1,) for epoch in epochs)
