"""Who has which slot of a lobby, and who is sent where."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import messages as m
from core.lobby import Draining, Lobby, LobbySlots, Opened, Resident
from core.lobby.slots import ABLE_MAX, KEPT_SECONDS
from core.messages import Node
from core.sessions import Session
from core.sessions.messages import Joined, Lead, Left, Restored, TakeOver

FANOUT = 6


def session() -> Session:
    return Session("0-1", (1, 1), Lobby, [FANOUT])


def joined(node: Node, *claims: int, listens: bool = True, about: Any = None) -> Joined:
    return Joined(node, node if listens else None, about, claims, False)


def slots(state: Session) -> LobbySlots:
    model: Any = state.model
    found: LobbySlots = model.slots
    return found


def test_who_listens_has_the_first_slot_and_who_does_not_the_last() -> None:
    state = session()
    for node in (1, 2):
        state.apply(0.0, joined(node))
    for node in (3, 4):
        state.apply(0.0, joined(node, listens=False))
    assert slots(state).worker == [1, 2, None, None, 4, 3]


def test_half_of_the_slots_are_for_those_who_listen() -> None:
    state = session()
    for node in range(1, FANOUT + 1):
        state.apply(0.0, joined(node, listens=False))
    assert slots(state).worker == [None, None, None, 3, 2, 1]
    assert slots(state).free(False, 0.0) is None
    assert slots(state).free(True, 0.0) == 0
    assert state.leader is None


def test_who_does_not_listen_never_leads() -> None:
    state = session()
    state.apply(0.0, joined(1, listens=False))
    assert (2, TakeOver()) in state.apply(0.0, joined(2))
    state.apply(0.0, joined(3, listens=False))
    state.apply(0.0, joined(4))
    assert (4, TakeOver()) in state.apply(0.0, Left(2))
    state.apply(0.0, Left(4))
    assert state.leader is None


def test_a_session_is_opened_once_and_led_on_by_the_next_holder() -> None:
    state = session()
    state.apply(0.0, joined(1))
    assert state.apply(0.0, Opened(0)) == [(1, Lead(0, (1, 1, 1)))]
    assert state.apply(0.0, Opened(0)) == []
    state.apply(5.0, Left(1))
    state.apply(5.0, joined(2))
    assert slots(state).worker[:2] == [None, 2]  # the other one is kept
    assert (3, Lead(0, (1, 1, 2))) in state.apply(6.0, joined(3, 0))


@pytest.mark.parametrize("slot", [-1, 1, FANOUT, FANOUT - 1])
def test_nothing_is_opened_below_nobody_or_who_does_not_listen(slot: int) -> None:
    state = session()
    state.apply(0.0, joined(1))
    state.apply(0.0, joined(2, listens=False))
    assert state.apply(0.0, Opened(slot)) == []


def test_a_slot_is_kept_for_a_while() -> None:
    state = session()
    state.apply(0.0, joined(1))
    state.apply(0.0, joined(2))
    state.apply(0.0, Opened(0))
    state.apply(1.0, Left(1))
    assert slots(state).free(True, 1.0 + KEPT_SECONDS / 2) == 2
    assert slots(state).free(True, 1.0 + KEPT_SECONDS) == 0
    state.apply(2.0, Left(2))
    assert slots(state).free(True, 2.0) == 1


def test_a_kept_slot_is_given_where_nobody_else_is() -> None:
    state = session()
    for node in range(1, FANOUT + 1):
        state.apply(0.0, joined(node))
        state.apply(0.0, Opened(node - 1))
    for node in range(1, FANOUT + 1):
        state.apply(1.0, Left(node))
    assert slots(state).free(True, 1.0) == 0
    assert slots(state).free(False, 1.0) is None


def test_a_reopened_session_keeps_slots_that_are_free() -> None:
    state = session()
    state.apply(0.0, joined(1))
    state.apply(0.0, Restored({}, [0, 1, FANOUT, -1]))
    assert slots(state).led == bytearray([0, 1, 0, 0, 0, 0])
    assert slots(state).free(True, 0.0) == 2


def test_draining_is_said_for_oneself() -> None:
    state = session()
    state.apply(0.0, joined(1))
    state.apply(0.0, Draining(1))
    state.apply(0.0, Draining(7))
    assert slots(state).draining == bytearray([1, 0, 0, 0, 0, 0])


def test_what_nodes_say_of_themselves_is_kept_by_a_short_table() -> None:
    table = LobbySlots(4)
    for i in range(300):
        table.take(i % 4, i, True, ["python", i])
    assert len(table.kinds) == ABLE_MAX + 1
    table.take(0, 300, True, ["python", 5])
    assert table.kinds[table.able[0]] == ["python", 5]
    table.take(1, 301, True, "new")
    assert table.kinds[table.able[1]] is None


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 3)), max_size=60))
def test_a_copy_goes_on_alike(steps: list[tuple[int, bool, int]]) -> None:
    state = session()
    for i, (node, listens, kind) in enumerate(steps):
        message: Any = joined(node, listens=listens, about=kind)
        if node in state.people:
            message = (Left(node), Opened(node % FANOUT), Draining(node), Left(node))[kind]
        elif state.workers == FANOUT or slots(state).free(listens, float(i)) is None:
            continue
        copy = state.copy()
        assert copy.apply(float(i), message) == state.apply(float(i), message)
        assert copy.snapshot() == state.snapshot()
        held = [holder for holder in slots(state).worker if holder is not None]
        assert sorted(held) == sorted(state.people)


def test_who_is_turned_away_asks_later_each_time_and_not_all_at_once() -> None:
    view = Resident(None, 7, None, m.Place("0", (0,)))  # type: ignore[arg-type]
    waits = [view.pause(5.0) for _ in range(12)]
    assert all(0.75 <= wait / min(600, 5 * 2**i) <= 1.25 for i, wait in enumerate(waits))
    others = {Resident(None, n, None, m.Place("0", (0,))).pause(5.0) for n in range(100)}  # type: ignore[arg-type]
    assert len(others) > 90
