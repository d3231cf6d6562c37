"""Who leads a session, where its team goes, and what is kept of it elsewhere."""

from __future__ import annotations

import pytest

from core.sessions import Model, Room, Session
from core.sessions import messages as m
from core.sessions.digest import differing
from core.sessions.messages import Address, Facts, Node
from core.sessions.session import Told
from tests.core.sessions.board import THERE, Read, Written, board, joined, with_people

# -- who leads -----------------------------------------------------------------------------


def test_the_next_leader_is_the_next_in_join_order() -> None:
    state = with_people(5, 3, 4)
    assert state.leader == 5
    state.apply(0.0, m.Left(3))
    state.apply(0.0, joined(3))
    assert state.apply(0.0, m.Left(5)) == [(4, m.TakeOver()), (4, Read(0))]
    assert state.apply(0.0, m.Left(4)) == [(3, m.TakeOver()), (3, Read(0))]
    assert state.apply(0.0, m.Left(3)) == []
    assert state.leader is None
    assert state.apply(0.0, joined(6)) == [(6, m.TakeOver()), (6, Read(0))]


def test_who_leaves_without_having_led_changes_no_leader() -> None:
    state = with_people(1, 2, 3)
    assert state.apply(0.0, m.Left(2)) == []
    assert state.leader == 1
    assert [node for node, _ in state.model.writers] == [1, 3]


def test_an_observer_leads_but_the_model_does_not_hear_of_it() -> None:
    state = board()
    assert state.apply(0.0, joined(9, observes=True)) == [(9, m.TakeOver()), (9, Read(0))]
    state.apply(0.0, joined(1))
    assert (state.leader, state.observers, state.workers) == (9, (9,), 1)
    assert [node for node, _ in state.model.writers] == [1]
    assert state.apply(0.0, m.Left(9)) == [(1, m.TakeOver()), (1, Read(0))]
    assert (state.observers, state.workers) == ((), 1)


def test_what_a_stranger_leaves_is_nothing() -> None:
    state = with_people(1, children=2, address=7)
    state.apply(0.0, Written(1, 0, "zero"))
    before = state.snapshot()
    assert state.apply(0.0, m.Left(7)) == [(1, m.KeepBackup({0: "zero"}))]  # said again, no harm
    assert differing(before, state.snapshot()) == ["seq"]


# -- moving on, and the end ----------------------------------------------------------------


def test_the_team_goes_where_its_leader_goes() -> None:
    state = with_people(4, 2, 3)
    assert state.apply(0.0, m.Moved(4, THERE)) == [(2, m.Go(THERE)), (3, m.Go(THERE))]
    assert (state.moved, state.people, state.leader) == (THERE, {}, None)


def test_nobody_but_the_leader_moves_the_team() -> None:
    state = with_people(4, 2)
    before = state.snapshot()
    assert state.apply(0.0, m.Moved(2, THERE)) == []
    assert state.apply(0.0, m.Moved(7, THERE)) == []
    assert differing(before, state.snapshot()) == ["seq"]


def test_who_the_host_was_telling_of_the_move_is_still_to_be_told() -> None:
    state = with_people(4, 2)
    people = state.people
    state.apply(0.0, m.Moved(4, THERE))
    assert list(people) == [4, 2]


def test_all_is_over_once() -> None:
    state = with_people(1, 2)
    ended = m.Ended("result")
    assert state.apply(0.0, ended) == [(1, m.Stop(ended)), (2, m.Stop(ended))]
    assert state.apply(0.0, ended) == []
    assert state.apply(0.0, m.Ended("other", {"error": "late"})) == []
    assert state.ended == ended


def test_who_leaves_when_all_is_over_is_still_missed() -> None:
    state = with_people(1, 2)
    state.apply(0.0, m.Ended("result"))
    assert state.apply(0.0, m.Left(1)) == [(2, m.TakeOver()), (2, Read(0))]
    assert list(state.people) == [2]


# -- one more copy -------------------------------------------------------------------------


def keeps(told: Told) -> list[tuple[Node, Facts]]:
    return [(node, command.facts) for node, command in told if isinstance(command, m.KeepBackup)]


def test_what_becomes_known_is_kept_where_everyone_is_in_the_leaders_process() -> None:
    state = with_people(1, 2, children=3, address=7)
    assert keeps(state.apply(0.0, Written(2, 1, "one"))) == [(1, {1: "one"})]
    assert state.noted == [1]
    assert keeps(state.apply(0.0, Written(2, 1, "other"))) == []  # the first counts
    assert list(state.noted) == []
    assert keeps(state.apply(0.0, Written(1, 2, "two"))) == [(1, {2: "two"})]


@pytest.mark.parametrize(
    ("children", "addresses"),
    [
        (0, [7, 7]),  # a leaf session: its people are elsewhere soon enough
        (3, [7, 8]),
        (3, [7, None]),  # it does not listen, but it is another process
        (3, [None, None]),
    ],
)
def test_nothing_is_kept_elsewhere_where_it_is_in_two_processes_or_in_a_leaf(
    children: int, addresses: list[Address | None]
) -> None:
    state = board(children)
    for node, address in enumerate(addresses, 1):
        state.apply(0.0, joined(node, address))
    assert keeps(state.apply(0.0, Written(1, 1, "one"))) == []
    assert state.model.lines == {1: "one"}


def test_all_that_is_known_is_kept_when_the_last_one_elsewhere_leaves() -> None:
    state = with_people(1, 2, children=3, address=7)
    state.apply(0.0, joined(3, 8))
    state.apply(0.0, Written(3, 0, "zero"))
    state.apply(0.0, Written(3, 2, "two"))
    assert keeps(state.apply(0.0, m.Left(3))) == [(1, {0: "zero", 2: "two"})]


def test_all_that_is_known_is_kept_for_whoever_leads_next() -> None:
    state = with_people(1, 2, children=3, address=7)
    state.apply(0.0, Written(1, 0, "zero"))
    assert keeps(state.apply(0.0, m.Left(1))) == [(2, {0: "zero"})]
    assert keeps(state.apply(0.0, m.Left(2))) == []
    assert keeps(state.apply(0.0, joined(3, 9))) == [(3, {0: "zero"})]


def test_what_a_replica_brought_is_kept_with_all_else() -> None:
    state = with_people(1, children=3, address=7)
    state.apply(0.0, Written(1, 0, "zero"))
    told = state.apply(0.0, m.Restored({0: "other", 1: "one"}, "title"))
    assert keeps(told) == [(1, {0: "zero", 1: "one"})]
    assert set(state.noted) == {0, 1}
    assert state.model.title == "title"


def test_nothing_is_kept_where_nothing_is_known_or_nobody_leads() -> None:
    state = with_people(1, children=3, address=7)
    assert keeps(state.apply(0.0, joined(2, 7))) == []
    assert keeps(state.apply(0.0, m.Left(2))) == []
    state.apply(0.0, m.Left(1))
    assert keeps(state.apply(0.0, m.Restored({1: "one"}, None))) == []


# -- what a model is not asked for ---------------------------------------------------------


def test_a_model_that_says_nothing_is_never_late_and_gives_nothing_out() -> None:
    state = Session("0", (1,), lambda plan, people: Model(plan, people, Room()), None)
    assert state.apply(0.0, joined(1)) == [(1, m.TakeOver())]
    assert state.apply(0.0, m.Alarm()) == []
    assert state.apply(0.0, m.Restored({1: "one"}, None)) == []
    assert state.apply(0.0, m.Left(1)) == []
    room = state.model.room
    assert (room.wanted(), room.open(), room.due()) == (True, True, None)
    assert (room.holder(0), room.times(0), room.over(0)) == (None, 0, False)
    assert list(room.turns(room.quotas())) == []
