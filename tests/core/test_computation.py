"""The model of one session, by hand: messages in, commands out."""

from __future__ import annotations

from typing import Any

import pytest

from core import Computation, Shape, lateness
from core import messages as m
from core.messages import Command, Epoch, Message, Node, Value
from tests.core import story

LEADER, SECOND, THIRD, FOURTH = 1, 2, 3, 4


class Session:
    """A session, and the commands of each message as (node, command) pairs."""

    def __init__(
        self, partitions: int, fanout: int, given: bool = True, epoch: Epoch = (1,)
    ) -> None:
        self.state = story.session(Shape.root(partitions, fanout), epoch)
        self.model: Computation = self.state.model
        self.slots = self.model.slots
        self.now = 0.0
        if given:
            self.order(m.Given("all"))
            self.order(m.Prepared([f"in {i}" for i in range(len(self.slots))]))

    def order(self, message: Message, at: float | None = None) -> list[tuple[Node, Command]]:
        self.now = self.now if at is None else at
        return list(self.state.apply(self.now, message))

    def join(self, *nodes: Node, **more: Any) -> list[tuple[Node, Command]]:
        told = []
        for node in nodes:
            joined = {"address": node, "about": None, "claims": (), "observes": False, **more}
            told += self.order(m.Joined(node=node, **joined))
        return told

    def finish(
        self, node: Node, *slots: int, at: float | None = None, seconds: float = 1.0
    ) -> list[tuple[Node, Command]]:
        outputs: list[Value] = [f"out {slot} of {node}" for slot in slots]
        return self.order(m.Finished(node, slots, outputs, seconds), at)

    def fail(self, node: Node, slot: int | None, final: bool = False) -> list[tuple[Node, Command]]:
        failure = m.Failure("0", slot, f"error of {node}")
        before = self.model.steps.failures(node, slot)
        return self.order(m.Failed(node, slot, failure, final, before))

    def workers(self) -> list[Node | None]:
        return [None if self.slots.done[i] else node for i, node in enumerate(self.slots.worker)]

    def outputs(self) -> list[Value]:
        return self.slots.outputs

    def restored(self) -> m.Restored:
        """What a session opened anew is told by one with this replica."""
        return m.Restored(self.model.facts(), self.model.context())


def compute(*slots: int) -> m.Compute:
    return m.Compute("0", 0, slots, tuple(f"in {slot}" for slot in slots))


def commands(told: list[tuple[Node, Command]], *kinds: type) -> list[tuple[Node, Command]]:
    return [(node, command) for node, command in told if isinstance(command, kinds)]


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
    session.order(m.Late(), at=4.1)
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


# -- lateness ------------------------------------------------------------------------------


def late_session() -> Session:
    """Five slots, all taken at 0; done after 1, 2 and 3 seconds, so that 4 is late."""
    session = Session(5, 5)
    session.join(1, 2, 3, 4, 5)
    session.finish(1, 0, at=1.0)
    session.finish(2, 1, at=2.0)
    session.finish(3, 2, at=3.0)
    return session


def test_others_are_wanted_for_what_is_late_where_all_who_are_idle_have_failed_it() -> None:
    session = Session(1, 2)
    session.join(1)
    session.fail(1, 0)
    session.join(2)
    assert session.workers() == [2]  # and is at it for ever
    session.order(m.Late(), at=0.5)
    assert not session.slots.wanted()
    assert session.slots.due() == 30.0
    session.order(m.Late(), at=30.0)
    session.fail(1, 0)
    assert session.slots.wanted()


def test_what_is_late_is_tried_again_by_who_failed_it_and_what_comes_late_counts() -> None:
    session = Session(1, 2)
    session.join(1)
    session.fail(1, 0)
    session.join(2)
    session.order(m.Late(), at=0.5)
    assert session.order(m.Late(), at=30.0) == [(1, compute(0))]
    assert session.workers() == [1]  # nobody counts on 2
    assert session.finish(2, 0) == [(2, m.Rest()), (1, m.Collect())]
    assert session.slots.idle == [2]


def test_who_had_it_for_too_long_has_tried_it_when_it_fails() -> None:
    session = Session(1, 2)
    session.join(1)
    session.fail(1, 0)
    session.join(2)
    session.order(m.Late(), at=0.5)
    session.order(m.Late(), at=30.0)
    assert session.fail(2, 0) == [(2, m.Rest())]
    assert session.slots.failed == {0: (1, 2)}
    session.fail(1, 0)
    assert session.model.steps.failure is not None


def test_who_may_be_at_it_for_ever_is_waited_for_until_others_have_tried_ten_times() -> None:
    session = Session(1, 2)
    session.join(1)
    session.fail(1, 0)
    session.join(2)
    session.order(m.Late(), at=0.5)
    session.order(m.Late(), at=30.0)
    for times in range(2, 10):
        session.fail(1, 0)
        assert session.model.steps.failure is None
        assert session.order(m.Late(), at=session.slots.look) == [(1, compute(0))]
        assert len(session.slots.failed[0]) == times
    session.fail(1, 0)
    assert session.model.steps.failure is not None


def test_two_who_are_at_a_piece_for_far_too_long_are_not_counted_on() -> None:
    session = late_session()
    session.order(m.Late(), at=4.1)
    assert session.slots.holders(3) == (4, 1)
    assert session.order(m.Late(), at=30.0) == []
    assert session.order(m.Late(), at=34.0) == [(3, compute(3))]
    assert session.slots.holders(3) == (1, 3)
    assert session.finish(4, 3) == [(4, m.Rest())]
    assert session.outputs()[3] == "out 3 of 4"


def test_before_something_is_done_a_slot_is_late_after_30_s() -> None:
    session = Session(2, 2)
    session.join(1, 2, 3)
    assert lateness.overdue(session.slots) == (30.0, 0)
    assert session.order(m.Late(), at=29.9) == []
    assert session.slots.idle == [3]
    assert session.order(m.Late(), at=30.0) == [(3, compute(0))]


def test_late_is_more_than_twice_the_median_of_those_completed() -> None:
    session = late_session()
    due = lateness.overdue(session.slots)
    assert due is not None
    assert due[0] == 4.0
    assert session.order(m.Late(), at=3.9) == []
    assert session.slots.idle == [1, 2, 3]


def test_the_idle_double_up_one_on_each_late_slot() -> None:
    session = late_session()
    assert session.order(m.Late(), at=4.1) == [(1, compute(3)), (2, compute(4))]
    assert session.slots.idle == [3]
    assert session.order(m.Late(), at=29.9) == []  # at most two on a slot
    assert lateness.overdue(session.slots) == (30.0, 3)  # for far too long


def test_the_slot_that_was_begun_first_is_doubled_first() -> None:
    session = Session(3, 3)
    session.join(1, 2, 3)
    session.finish(3, 2, at=1.0)
    session.order(m.Left(1), at=1.0)
    assert session.workers() == [3, 2, None]
    session.join(4)
    assert session.order(m.Late(), at=2.5) == [(4, compute(1))]


def test_whoever_comes_first_of_two_counts_and_both_are_employed_again() -> None:
    session = late_session()
    session.order(m.Late(), at=4.1)
    assert session.finish(1, 3, at=5.0) == [(1, m.Rest())]
    assert session.finish(4, 3, at=6.0) == [(4, m.Rest())]
    assert session.outputs()[3] == "out 3 of 1"
    assert session.slots.remaining == 1


def test_a_helper_carries_on_where_the_worker_leaves_and_the_other_way_round() -> None:
    session = late_session()
    session.order(m.Late(), at=4.1)
    assert session.order(m.Left(4)) == []
    assert session.workers()[3:] == [1, 5]
    assert session.order(m.Left(2)) == []  # the helper of 4
    assert session.workers()[3:] == [1, 5]
    assert session.slots.free == 0


def test_a_helper_in_vain_has_other_work_when_it_answers_though_the_worker_has_left() -> None:
    session = Session(2, 2)
    session.join(1, 2)
    session.finish(2, 1)
    session.order(m.Late(), at=10.0)
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
    assert session.order(m.Late(), at=50.0) == []


def test_the_idle_leader_reinforces_a_late_child_session() -> None:
    session = Session(9, 3)
    session.join(1, 2, 3)
    session.finish(1, 0, at=1.0)
    session.finish(2, 1, at=1.5)
    due = lateness.overdue(session.slots)
    assert due is not None
    assert due[1] == 2
    assert session.order(m.Late(), at=3.1) == [(1, m.Visit(2, 3))]
    assert session.slots.idle == [2]
    assert session.finish(3, 2, at=4.0) == [(3, m.Rest()), (1, m.Collect())]
    assert session.slots.idle == [2, 1, 3]


def test_a_reinforcement_leads_the_child_session_when_its_leader_leaves() -> None:
    session = Session(9, 3)
    session.join(1, 2, 3)
    session.finish(1, 0, at=1.0)
    session.finish(2, 1, at=1.0)
    session.order(m.Late(), at=3.0)
    (told,) = commands(session.order(m.Left(3)), m.Lead)
    assert isinstance(told[1], m.Lead)
    assert told[1].child == 2
    assert session.workers()[2] == told[0]
    assert session.slots.free == 0


def test_a_helper_that_brings_the_result_is_given_one_slot() -> None:
    session = Session(16, 4)
    session.join(1, 2, 3, 4)
    session.finish(1, 0, at=1.0)
    session.order(m.Late(), at=3.0)
    helped = next(i for i, helper in session.slots.helpers.items() if helper == 1)
    others = [node for node in (2, 3, 4) if node != session.slots.worker[helped]]
    for node in others:
        session.order(m.Left(node))
    assert session.slots.free == 2
    told = session.finish(1, helped, at=4.0)
    assert len(commands(told, m.Lead)) == 1
    assert session.workers().count(1) == 1


# -- failing -------------------------------------------------------------------------------


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
        assert session.order(m.Late(), at=session.now + seconds) == [(1, compute(0))]
    failure = m.Failure("0", 0, "error of 1")
    assert session.fail(1, 0) == [(1, m.Abort(failure, False, (1, 1, 1)))]


def test_a_node_tries_again_when_the_others_have_left() -> None:
    session = Session(2, 2)
    session.join(1, 2)
    session.fail(2, 1)
    assert session.workers() == [1, None]
    session.order(m.Left(1))
    (told,) = commands(session.order(m.Late(), at=0.5), m.Compute)
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
        told = told if commands(told, m.Compute) else session.order(m.Late(), session.now + 1)
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
    assert session.order(m.Late(), at=0.5) == [(1, m.Prepare("all"))]
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
    session.order(m.Late(), at=4.1)
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
    assert session.order(m.Late(), at=1.0) == [(1, m.Prepare("all"))]
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


def machine(number: int, *nodes: int) -> list[Node]:
    """Nodes of one process."""
    return [(2**42 + number << 20) + node for node in nodes]


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
        session.order(m.Late(), at=session.now + seconds / 2)
        assert 1 not in session.workers()
        session.order(m.Late(), at=session.now + seconds / 2)
        assert 1 in session.workers()
    session.finish(1, session.workers().index(1))
    session.fail(1, session.workers().index(1))
    assert session.slots.pauses == {1: (1, session.now + 0.5)}  # it has succeeded meanwhile


@pytest.mark.parametrize("other", [0, 7])
def test_whoever_else_is_there_may_try_whatever_its_number(other: Node) -> None:
    session = Session(2, 4)
    session.join(5, other)
    session.fail(5, 0)
    session.order(m.Late(), at=10.0)
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


# -- prepare and collect that are late -----------------------------------------------------


def test_a_leader_that_is_late_to_prepare_is_helped_by_more_and_more() -> None:
    session = Session(4, 4, given=False)
    session.join(1, 2, 3)
    assert session.order(m.Given("all"), at=1.0) == [(1, m.Prepare("all"))]
    assert session.slots.look == 6.0
    assert session.order(m.Late(), at=6.0) == [(2, m.Prepare("all"))]
    assert session.slots.look == 16.0
    assert session.order(m.Late(), at=15.0) == []
    assert session.order(m.Late(), at=16.0) == [(3, m.Prepare("all"))]
    told = session.order(m.Prepared(["a", "b", "c", "d"]), at=17.0)
    assert [node for node, _ in commands(told, m.Compute)] == [1, 2, 3]
    assert session.slots.look is None
    assert session.order(m.Prepared(["other"] * 4)) == []


def test_another_process_is_asked_before_another_node() -> None:
    here, there = machine(1, 0, 1, 2), machine(2, 0)
    session = Session(4, 4, given=False)
    session.join(*here, *there)
    session.order(m.Given("all"))
    (told,) = session.order(m.Late(), at=5.0)
    assert told == (there[0], m.Prepare("all"))


def test_what_another_collected_the_leader_hands_up() -> None:
    session = Session(2, 2)
    session.join(1, 2)
    session.finish(1, 0)
    assert commands(session.finish(2, 1, at=1.0), m.Collect) == [(1, m.Collect())]
    assert session.order(m.Late(), at=6.0) == [(2, m.Collect())]
    assert session.order(m.Collected("all of it")) == [(1, m.HandUp("all of it"))]
    assert session.order(m.Collected("late")) == []
    assert session.slots.look is None
    assert session.order(m.Left(1))[:2] == [(2, m.TakeOver()), (2, m.HandUp("all of it"))]


def test_a_newcomer_is_wanted_for_a_step_that_is_late_where_nobody_else_is() -> None:
    session = Session(1, 2)
    session.join(1)
    assert commands(session.finish(1, 0, at=1.0), m.Collect) == [(1, m.Collect())]
    assert not session.slots.wanted()
    assert session.order(m.Late(), at=6.0) == []  # there is nobody to be asked
    assert session.slots.wanted()
    session.join(2)
    assert not session.slots.wanted()  # one at a time
    assert session.slots.look == 6.0
    assert session.order(m.Late(), at=6.0) == [(2, m.Collect())]
    assert session.slots.look == 26.0  # before the next one is wanted
    session.order(m.Late(), at=26.0)
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
    assert session.order(m.Late(), at=5.0) == [(1, m.Prepare("all"))]


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
    session.order(m.Late(), at=3.0)
    session.order(m.Late(), at=30.0)
    assert session.slots.holders(2) == (1, None)
    assert session.slots.idle == [2, 3]
    assert session.slots.due() == 32.0
    assert session.order(m.Late(), at=32.0) == [(2, m.Visit(2, 1))]
    assert session.slots.look == 90.0  # now after twice as long
    told = session.order(m.Late(), at=90.0)
    assert told == [
        (2, m.Lead(2, (1, 3), m.Given("in 2"))),
        (3, m.Visit(2, 2)),
        (1, m.Visit(2, 2)),
    ]
    assert session.slots.idle == [3, 1]


def test_who_helps_in_a_late_child_session_leads_it_at_last() -> None:
    session = late_child_session()
    session.order(m.Left(2), at=1.0)
    assert session.order(m.Late(), at=3.0) == [(1, m.Visit(2, 3))]
    assert session.slots.look == 30.0
    told = session.order(m.Late(), at=30.0)
    assert told == [(1, m.Lead(2, (1, 2), m.Given("in 2"))), (3, m.Visit(2, 1))]
    assert session.slots.holders(2) == (1, 3)
    assert session.slots.look == 90.0  # and back, after twice as long
    told = session.finish(3, 2)  # who led it before may have been about to be done
    assert session.slots.remaining == 0


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
