"""What is late, and who is put on it as well."""

from __future__ import annotations

from core import messages as m
from core import stragglers
from tests.core.byhand import Session, commands, compute, late_session, machine


def stuck() -> Session:
    """1 has failed the only slot, and is idle; 2 is at it, maybe for ever."""
    session = Session(1, 2)
    session.join(1)
    session.fail(1, 0)
    session.join(2)
    session.order(m.Alarm(), at=0.5)
    assert session.workers() == [2]
    return session


def test_others_are_wanted_for_what_is_late_where_all_who_are_idle_have_failed_it() -> None:
    session = stuck()
    assert not session.slots.wanted()
    assert session.slots.due() == 30.0
    session.order(m.Alarm(), at=30.0)
    session.fail(1, 0)
    assert session.slots.wanted()


def test_what_is_late_is_tried_again_by_who_failed_it_and_what_comes_late_counts() -> None:
    session = stuck()
    assert session.order(m.Alarm(), at=30.0) == [(1, compute(0))]
    assert session.workers() == [1]  # nobody counts on 2
    assert session.finish(2, 0) == [(2, m.Rest()), (1, m.Collect())]
    assert session.slots.idle == [2]


def test_who_had_it_for_too_long_has_tried_it_when_it_fails() -> None:
    session = stuck()
    session.order(m.Alarm(), at=30.0)
    assert session.fail(2, 0) == [(2, m.Rest())]
    assert session.slots.failed == {0: (1, 2)}
    session.fail(1, 0)
    assert session.model.steps.failure is not None


def test_who_may_be_the_only_one_who_can_do_it_is_waited_for_an_hour() -> None:
    session = stuck()
    session.order(m.Alarm(), at=30.0)
    while session.now <= 3600.0:
        session.fail(1, 0)
        assert session.model.steps.failure is None
        assert session.order(m.Alarm(), at=session.slots.look) == [(1, compute(0))]
    assert len(session.slots.failed[0]) == 13
    session.fail(1, 0)
    assert session.model.steps.failure is not None


def test_two_who_are_at_a_piece_for_far_too_long_are_not_counted_on() -> None:
    session = late_session()
    session.order(m.Alarm(), at=4.1)
    assert session.slots.holders(3) == (4, 1)
    assert session.order(m.Alarm(), at=30.0) == []
    assert session.order(m.Alarm(), at=34.0) == [(3, compute(3))]
    assert session.slots.holders(3) == (1, 3)
    assert session.finish(4, 3) == [(4, m.Rest())]
    assert session.outputs()[3] == "out 3 of 4"


def test_before_something_is_done_a_slot_is_late_after_30_s() -> None:
    session = Session(2, 2)
    session.join(1, 2, 3)
    assert stragglers.overdue(session.slots) == (30.0, 0)
    assert session.order(m.Alarm(), at=29.9) == []
    assert session.slots.idle == [3]
    assert session.order(m.Alarm(), at=30.0) == [(3, compute(0))]


def test_late_is_more_than_twice_the_median_of_those_completed() -> None:
    session = late_session()
    due = stragglers.overdue(session.slots)
    assert due is not None
    assert due[0] == 4.0
    assert session.order(m.Alarm(), at=3.9) == []
    assert session.slots.idle == [1, 2, 3]


def test_the_idle_double_up_one_on_each_late_slot() -> None:
    session = late_session()
    assert session.order(m.Alarm(), at=4.1) == [(1, compute(3)), (2, compute(4))]
    assert session.slots.idle == [3]
    assert session.order(m.Alarm(), at=29.9) == []  # at most two on a slot
    assert stragglers.overdue(session.slots) == (30.0, 3)  # for far too long


def test_the_slot_that_was_begun_first_is_doubled_first() -> None:
    session = Session(3, 3)
    session.join(1, 2, 3)
    session.finish(3, 2, at=1.0)
    session.order(m.Left(1), at=1.0)
    assert session.workers() == [3, 2, None]
    session.join(4)
    assert session.order(m.Alarm(), at=2.5) == [(4, compute(1))]


def test_whoever_comes_first_of_two_counts_and_both_are_employed_again() -> None:
    session = late_session()
    session.order(m.Alarm(), at=4.1)
    assert session.finish(1, 3, at=5.0) == [(1, m.Rest())]
    assert session.finish(4, 3, at=6.0) == [(4, m.Rest())]
    assert session.outputs()[3] == "out 3 of 1"
    assert session.slots.remaining == 1


def test_a_helper_carries_on_where_the_worker_leaves_and_the_other_way_round() -> None:
    session = late_session()
    session.order(m.Alarm(), at=4.1)
    assert session.order(m.Left(4)) == []
    assert session.workers()[3:] == [1, 5]
    assert session.order(m.Left(2)) == []  # the helper of 4
    assert session.workers()[3:] == [1, 5]
    assert session.slots.free == 0


def test_a_helper_in_vain_has_other_work_when_it_answers_though_the_worker_has_left() -> None:
    session = Session(2, 2)
    session.join(1, 2)
    session.finish(2, 1)
    session.order(m.Alarm(), at=10.0)
    other = Session(2, 2)
    other.join(1)
    other.finish(1, 0)
    session.order(other.restored())  # done elsewhere: 1 and 2 are at it in vain
    session.order(m.Left(1))
    assert session.finish(2, 0) == [(2, m.Rest())]
    assert session.slots.idle == [2]


def test_no_one_doubles_up_while_slots_are_free() -> None:
    session = Session(3, 3)
    session.join(1, 2)
    session.finish(1, 0, at=1.0)
    session.order(m.Left(1), at=1.0)
    assert session.order(m.Alarm(), at=50.0) == []


def test_the_idle_leader_reinforces_a_late_child_session() -> None:
    session = Session(9, 3)
    session.join(1, 2, 3)
    session.finish(1, 0, at=1.0)
    session.finish(2, 1, at=1.5)
    due = stragglers.overdue(session.slots)
    assert due is not None
    assert due[1] == 2
    assert session.order(m.Alarm(), at=3.1) == [(1, m.Visit(2, 3))]
    assert session.slots.idle == [2]
    assert session.finish(3, 2, at=4.0) == [(3, m.Rest()), (1, m.Collect())]
    assert session.slots.idle == [2, 1, 3]


def test_a_reinforcement_leads_the_child_session_when_its_leader_leaves() -> None:
    session = Session(9, 3)
    session.join(1, 2, 3)
    session.finish(1, 0, at=1.0)
    session.finish(2, 1, at=1.0)
    session.order(m.Alarm(), at=3.0)
    (told,) = commands(session.order(m.Left(3)), m.Lead)
    assert isinstance(told[1], m.Lead)
    assert told[1].child == 2
    assert session.workers()[2] == told[0]
    assert session.slots.free == 0


def test_a_helper_that_brings_the_result_is_given_one_slot() -> None:
    session = Session(16, 4)
    session.join(1, 2, 3, 4)
    session.finish(1, 0, at=1.0)
    session.order(m.Alarm(), at=3.0)
    helped = next(i for i, helper in session.slots.helpers.items() if helper == 1)
    others = [node for node in (2, 3, 4) if node != session.slots.worker[helped]]
    for node in others:
        session.order(m.Left(node))
    assert session.slots.free == 2
    told = session.finish(1, helped, at=4.0)
    assert len(commands(told, m.Lead)) == 1
    assert session.workers().count(1) == 1


def test_who_helps_is_of_another_process_if_there_is_one() -> None:
    (one, same), (other,) = machine(1, 0, 1), machine(2, 0)
    session = Session(1, 2)
    session.join(one, same, other)
    assert session.slots.idle == [same, other]
    assert session.order(m.Alarm(), at=30.0) == [(other, compute(0))]


def test_it_is_of_the_same_process_where_there_is_no_other() -> None:
    one, same = machine(1, 0, 1)
    session = Session(1, 2)
    session.join(one, same)
    assert session.order(m.Alarm(), at=30.0) == [(same, compute(0))]
