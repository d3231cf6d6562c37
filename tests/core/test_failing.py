"""What fails: who tries again, and when that is enough."""

from __future__ import annotations

import pytest

from core import messages as m
from core.messages import Node
from tests.core.byhand import Session, commands, compute, late_session, machine


def test_a_slot_that_failed_is_tried_by_others() -> None:
    session = Session(2, 2)
    session.join(1, 2, 3)
    assert session.fail(1, 0) == [(3, compute(0)), (1, m.Rest())]
    assert session.fail(3, 0) == [(3, m.Rest())]  # 2 has not tried yet
    assert session.finish(2, 1) == [(2, compute(0))]
    assert session.model.steps.failure is None
    assert commands(session.finish(2, 0), m.Collect) == [(1, m.Collect())]


def test_it_fails_with_the_last_error_after_three_tries() -> None:
    session = Session(1, 2)
    session.join(1, 2, 3)
    session.fail(1, 0)
    session.fail(2, 0)
    failure = m.Failure("0", 0, "error of 3")
    assert session.fail(3, 0) == [(1, m.Abort(failure, True, (1, 2, 3)))]
    assert session.model.steps.failure == failure


def test_a_node_alone_tries_three_times() -> None:
    session = Session(1, 2)
    session.join(1)
    for seconds in (0.5, 1.0):
        assert session.fail(1, 0) == [(1, m.Rest())]
        assert session.slots.look == session.now + seconds
        assert session.order(m.Alarm(), at=session.now + seconds) == [(1, compute(0))]
    failure = m.Failure("0", 0, "error of 1")
    assert session.fail(1, 0) == [(1, m.Abort(failure, False, (1, 1, 1)))]


def test_a_node_tries_again_when_the_others_have_left() -> None:
    session = Session(2, 2)
    session.join(1, 2)
    session.fail(2, 1)
    assert session.workers() == [1, None]
    session.order(m.Left(1))
    (told,) = commands(session.order(m.Alarm(), at=0.5), m.Compute)
    assert told[0] == 2
    assert session.workers().count(2) == 1


def test_a_failure_reported_twice_is_one_try() -> None:
    session = Session(1, 2)
    session.join(1)
    failed = m.Failed(2, 0, m.Failure("0", 0, "error"), final=False)
    session.order(m.Left(1))
    session.join(2, 3)
    for _ in range(3):
        session.order(failed)
    assert session.model.steps.failure is None
    assert session.workers() == [3]


def test_a_failure_of_a_node_alone_reported_twice_is_one_try() -> None:
    session = Session(1, 2)
    session.join(1)
    for before in (0, 0, 1, 1, 0):
        told = session.order(m.Failed(1, 0, m.Failure("0", 0, "error"), False, before))
        told = told if commands(told, m.Compute) else session.order(m.Alarm(), session.now + 1)
        assert told == [(1, compute(0))]
    assert session.model.steps.failure is None
    session.fail(1, 0)
    assert session.model.steps.failure == m.Failure("0", 0, "error of 1")


def test_a_failed_prepare_reported_twice_is_one_try() -> None:
    session = Session(2, 2, given=False)
    session.join(1)
    session.order(m.Given("all"))
    failed = m.Failed(1, None, m.Failure("0", None, "error"), final=False)
    assert session.order(failed) == []
    assert session.order(m.Alarm(), at=0.5) == [(1, m.Prepare("all"))]
    assert session.order(failed) == []
    assert session.model.steps.failed == [1]


def test_slots_fail_each_on_their_own() -> None:
    session = Session(3, 3)
    session.join(1, 2, 3)
    session.fail(1, 0)
    session.fail(2, 1)
    session.fail(3, 2)
    assert session.model.steps.failure is None


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("leaf", [False, True])
def test_what_fails_in_vain_costs_nothing(leaf: bool, final: bool) -> None:
    """Somebody else has done it: who was at it is free, and whatever went wrong does not matter."""
    session = Session(4, 4) if leaf else Session(16, 4)
    session.join(1, 2)
    session.slots.helpers[0] = 2
    session.slots.failed[0] = (8, 9)  # the next one would be the last
    session.order(m.Finished(2, (0,), ["out"], 0.1))
    failure = m.Failure("0", 0, "in vain")
    session.order(m.Failed(1, 0, failure, final))
    assert session.state.model.steps.failure is None
    assert session.slots.failed[0] == (8, 9)
    assert 1 in session.workers()[1:]  # it has something else to do
    assert session.workers()[0] is None


def test_the_rest_of_a_batch_that_failed_is_freed() -> None:
    session = Session(8, 8)
    session.join(1)
    session.join(2, about=0.0)
    assert session.workers()[:5] == [1, 2, 2, 2, 2]
    session.fail(2, 3)
    held = [i for i, worker in enumerate(session.workers()) if worker == 2]
    assert 3 not in held
    assert session.slots.free == session.workers().count(None)


def test_a_failure_after_the_slot_is_done_does_not_count() -> None:
    session = late_session()
    session.order(m.Alarm(), at=4.1)
    session.finish(1, 3, at=5.0)
    for _ in range(3):
        session.fail(4, 3)
    assert session.model.steps.failure is None


def test_a_final_failure_is_passed_on_without_further_tries() -> None:
    session = Session(9, 3)
    session.join(1, 2)
    failure = m.Failure("0-1", 4, "error below")
    abort = m.Abort(failure, True, (2,))
    assert session.order(m.Failed(2, 1, failure, final=True)) == [(1, abort)]
    assert session.order(m.Left(1)) == [(2, m.TakeOver()), (2, abort)]


def test_prepare_is_tried_three_times() -> None:
    session = Session(2, 2, given=False)
    session.join(1, 2)
    session.order(m.Given("all"))
    assert session.fail(1, None) == [(2, m.Prepare("all"))]
    assert session.fail(2, None) == []
    assert session.slots.look == 1.0
    assert session.order(m.Alarm(), at=1.0) == [(1, m.Prepare("all"))]
    abort = m.Abort(m.Failure("0", None, "error of 1"), False, (1, 2, 1))
    assert session.fail(1, None) == [(1, abort)]


def test_collect_is_tried_three_times_whatever_slots_failed_before() -> None:
    session = Session(1, 2)
    session.join(1, 2, 3)
    session.fail(1, 0)
    session.fail(2, 0)
    assert commands(session.finish(3, 0), m.Collect) == [(1, m.Collect())]
    assert session.fail(1, None) == [(2, m.Collect())]
    assert session.fail(2, None) == [(3, m.Collect())]
    abort = m.Abort(m.Failure("0", None, "error of 3"), True, (1, 2, 3))
    assert session.fail(3, None) == [(1, abort)]


def test_nodes_of_one_process_are_one_try() -> None:
    broken, good = machine(1, 0, 1, 2), machine(2, 0)
    session = Session(2, 4)
    session.join(*broken, *good)
    session.fail(broken[0], 0)
    session.fail(broken[1], 1)
    assert session.model.steps.failure is None
    assert session.workers() == [good[0], None]  # the rest of the broken process is not asked
    assert commands(session.finish(good[0], 0), m.Compute) == [(good[0], compute(1))]


def test_three_processes_that_fail_are_enough_whoever_else_is_there() -> None:
    session = Session(1, 4)
    nodes = [node for number in range(5) for node in machine(number, 0, 1)]
    session.join(*nodes)
    for node in nodes[:5:2]:
        assert session.workers() == [node]
        session.fail(node, 0)
    assert session.model.steps.failure == m.Failure("0", 0, f"error of {nodes[4]}")


def test_what_is_wrong_with_machines_is_tried_by_all_of_them() -> None:
    session = Session(1, 4)
    session.join(1, 2, 3, 4)
    for node in (1, 2, 3):
        failure = m.Failure("0", 0, "no such module")
        session.order(m.Failed(node, 0, failure, local=True))
    assert session.model.steps.failure is None
    assert session.workers() == [4]
    session.order(m.Failed(4, 0, m.Failure("0", 0, "no such module"), local=True))
    assert session.model.steps.failure is not None


def test_who_fails_gets_nothing_for_a_growing_time() -> None:
    session = Session(8, 8)
    session.join(1, 2)
    for seconds in (0.5, 1.0, 2.0):
        failed = session.workers().index(1)
        session.fail(1, failed)
        assert 1 not in session.workers()
        assert session.slots.look == session.now + seconds
        session.order(m.Alarm(), at=session.now + seconds / 2)
        assert 1 not in session.workers()
        session.order(m.Alarm(), at=session.now + seconds / 2)
        assert 1 in session.workers()
    session.finish(1, session.workers().index(1))
    session.fail(1, session.workers().index(1))
    assert session.slots.backoffs == {1: (1, session.now + 0.5)}  # it has succeeded meanwhile


@pytest.mark.parametrize("other", [0, 7])
def test_whoever_else_is_there_may_try_whatever_its_number(other: Node) -> None:
    session = Session(2, 4)
    session.join(5, other)
    session.fail(5, 0)
    session.order(m.Alarm(), at=10.0)
    assert session.workers() == [None, other]  # what 5 has failed is for the other one now
    assert commands(session.finish(other, 1), m.Compute) == [(other, compute(0))]


def test_newcomers_are_wanted_where_those_who_are_idle_have_failed() -> None:
    session = Session(3, 4)
    session.join(1)
    session.fail(1, 0)
    assert session.slots.free == 3
    session.join(2, 3)
    assert session.slots.free == 1
    assert session.slots.idle == [1]
    assert session.slots.wanted()


def test_a_child_session_that_gave_up_is_given_to_another_process() -> None:
    session = Session(9, 3)
    session.join(1, 2)
    failure = m.Failure("0-0", 1, "error below")
    assert session.order(m.Failed(1, 0, failure, False, 0, (1, 1, 1))) == [(1, m.Rest())]
    assert session.model.steps.failure is None
    told = session.finish(2, 1)
    (lead,) = commands(told, m.Lead)
    assert lead == (2, m.Lead(0, (1, 2), m.Given("in 0")))
    assert (1, m.Visit(0, 2)) in told  # with its team, and what was done


def test_a_child_session_that_all_gave_up_is_the_parents_failure() -> None:
    session = Session(9, 3)
    session.join(1, 2)
    failure = m.Failure("0-0", 1, "error below")
    session.order(m.Failed(1, 0, failure, False, 0, (1, 1, 1)))
    session.finish(2, 1)
    told = session.order(m.Failed(2, 0, failure, False, 0, (2, 2, 2)))
    assert told == [(1, m.Abort(failure, False, (1, 1, 1, 2, 2, 2)))]
