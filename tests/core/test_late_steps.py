"""Prepare, collect and child sessions that are late, and who takes them on."""

from __future__ import annotations

from core import messages as m
from tests.core.byhand import Session, commands, machine

# -- prepare and collect that are late -----------------------------------------------------


def test_a_leader_that_is_late_to_prepare_is_helped_by_more_and_more() -> None:
    session = Session(4, 4, given=False)
    session.join(1, 2, 3)
    assert session.order(m.Given("all"), at=1.0) == [(1, m.Prepare("all"))]
    assert session.slots.look == 6.0
    assert session.order(m.Alarm(), at=6.0) == [(2, m.Prepare("all"))]
    assert session.slots.look == 16.0
    assert session.order(m.Alarm(), at=15.0) == []
    assert session.order(m.Alarm(), at=16.0) == [(3, m.Prepare("all"))]
    told = session.order(m.Prepared(["a", "b", "c", "d"]), at=17.0)
    assert [node for node, _ in commands(told, m.Compute)] == [1, 2, 3]
    assert session.slots.look is None
    assert session.order(m.Prepared(["other"] * 4)) == []


def test_another_process_is_asked_before_another_node() -> None:
    here, there = machine(1, 0, 1, 2), machine(2, 0)
    session = Session(4, 4, given=False)
    session.join(*here, *there)
    session.order(m.Given("all"))
    (told,) = session.order(m.Alarm(), at=5.0)
    assert told == (there[0], m.Prepare("all"))


def test_what_another_collected_the_leader_hands_up() -> None:
    session = Session(2, 2)
    session.join(1, 2)
    session.finish(1, 0)
    assert commands(session.finish(2, 1, at=1.0), m.Collect) == [(1, m.Collect())]
    assert session.order(m.Alarm(), at=6.0) == [(2, m.Collect())]
    assert session.order(m.Collected("all of it")) == [(1, m.HandUp("all of it"))]
    assert session.order(m.Collected("late")) == []
    assert session.slots.look is None
    assert session.order(m.Left(1))[:2] == [(2, m.TakeOver()), (2, m.HandUp("all of it"))]


def test_a_newcomer_is_wanted_for_a_step_that_is_late_where_nobody_else_is() -> None:
    session = Session(1, 2)
    session.join(1)
    assert commands(session.finish(1, 0, at=1.0), m.Collect) == [(1, m.Collect())]
    assert not session.slots.wanted()
    assert session.order(m.Alarm(), at=6.0) == []  # there is nobody to be asked
    assert session.slots.wanted()
    session.join(2)
    assert not session.slots.wanted()  # one at a time
    assert session.slots.look == 6.0
    assert session.order(m.Alarm(), at=6.0) == [(2, m.Collect())]
    assert session.slots.look == 26.0  # before the next one is wanted
    session.order(m.Alarm(), at=26.0)
    assert session.slots.wanted()
    session.order(m.Collected("all of it"))
    assert not session.slots.wanted()


def test_a_step_is_taken_by_others_when_those_who_were_asked_have_left() -> None:
    session = Session(2, 2, given=False)
    session.join(1, 2, 3)
    session.order(m.Given("all"))
    assert session.fail(1, None) == [(2, m.Prepare("all"))]
    assert session.order(m.Left(2)) == [(3, m.Prepare("all"))]
    session.order(m.Left(3))
    assert session.slots.look == 5.0
    assert session.order(m.Alarm(), at=5.0) == [(1, m.Prepare("all"))]


# -- child sessions that are late all the same ---------------------------------------------


def late_child_session() -> Session:
    """Two of three child sessions are done, and one of the two who led these is idle yet."""
    session = Session(9, 3)
    session.join(1, 2, 3)
    session.finish(1, 0, at=1.0)
    session.finish(2, 1, at=1.0)
    return session


def test_all_have_their_turn_to_lead_what_is_late() -> None:
    session = late_child_session()
    session.order(m.Alarm(), at=3.0)
    session.order(m.Alarm(), at=30.0)
    assert session.slots.holders(2) == (1, None)
    assert session.slots.idle == [2, 3]
    assert session.slots.due() == 32.0
    assert session.order(m.Alarm(), at=32.0) == [(2, m.Visit(2, 1))]
    assert session.slots.look == 90.0  # now after twice as long
    told = session.order(m.Alarm(), at=90.0)
    assert told == [
        (2, m.Lead(2, (1, 3), m.Given("in 2"))),
        (3, m.Visit(2, 2)),
        (1, m.Visit(2, 2)),
    ]
    assert session.slots.idle == [3, 1]


def test_when_others_are_to_lead_is_known_once_something_is_done() -> None:
    session = Session(9, 3)
    session.join(1, 2, 3, 4)
    session.order(m.Alarm(), at=30.0)
    assert session.slots.helpers == {0: 4}
    assert session.slots.look is None
    session.finish(2, 1, at=31.0)
    assert session.slots.look == 8 * 31.0


def test_who_helps_in_a_late_child_session_leads_it_at_last() -> None:
    session = late_child_session()
    session.order(m.Left(2), at=1.0)
    assert session.order(m.Alarm(), at=3.0) == [(1, m.Visit(2, 3))]
    assert session.slots.look == 30.0
    told = session.order(m.Alarm(), at=30.0)
    assert told == [(1, m.Lead(2, (1, 2), m.Given("in 2"))), (3, m.Visit(2, 1))]
    assert session.slots.holders(2) == (1, 3)
    assert session.slots.look == 90.0  # and back, after twice as long
    told = session.finish(3, 2)  # who led it before may have been about to be done
    assert session.slots.remaining == 0
