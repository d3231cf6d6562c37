"""Who leaves a session, and what a later incarnation of it knows, by hand."""

from __future__ import annotations

import pytest

from core import messages as m
from tests.core.byhand import Session, commands, compute

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
