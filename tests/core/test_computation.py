"""The model of one session, by hand: messages in, commands out."""

from __future__ import annotations

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
