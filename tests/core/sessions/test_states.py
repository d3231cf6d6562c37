"""The table of a participant's states: what may happen in each, and what follows."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from core.sessions import Participant
from core.sessions.messages import Place
from core.sessions.states import (
    ASKING,
    GONE,
    LEADING,
    LIVE,
    NEXT,
    SEATED,
    STEPS,
    Event,
    IllegalStep,
    State,
)
from tests import TOP

ALL = list(product(State, Event))
LEGAL = [(state, event) for state, event in ALL if state in STEPS[event][0]]
ILLEGAL = [(state, event) for state, event in ALL if state not in STEPS[event][0]]


def participant(state: State = ASKING, seq: int | None = None) -> Participant:
    """One that is in a state, with a seat where messages up to `seq` were seen."""
    port: Any = None
    made = Participant(port, 6, 6, Place("0-4-2", (0, 3, 6)))
    made.state = state
    seat: Any = SimpleNamespace(state=SimpleNamespace(seq=seq))
    made.seat = None if seq is None else seat
    return made


def test_a_participant_begins_by_asking() -> None:
    port: Any = None
    assert Participant(port, 6, 6, Place("0", (0,))).state is ASKING


@pytest.mark.parametrize(("state", "event"), LEGAL)
def test_what_may_happen_leads_to_the_state_that_follows(state: State, event: Event) -> None:
    made = participant(state)
    made.step(event)
    assert made.state is STEPS[event][1]


@pytest.mark.parametrize(("state", "event"), ILLEGAL)
def test_what_may_not_happen_is_named_and_changes_nothing(state: State, event: Event) -> None:
    made = participant(state, seq=17)
    with pytest.raises(IllegalStep) as raised:
        made.step(event)
    assert str(raised.value) == f"session 0-4-2, message 17: {event.name} while {state.name}"
    assert made.state is state


def test_without_a_seat_no_message_was_seen() -> None:
    with pytest.raises(IllegalStep, match="session 0-4-2, message 0: APPOINT while ASKING"):
        participant().step(Event.APPOINT)


def test_the_table_has_every_event_and_the_quick_one_is_the_same() -> None:
    assert list(STEPS) == list(Event)
    assert len(NEXT) == len(Event)
    for event, (states, follows) in STEPS.items():
        assert NEXT[event] == [follows if state in states else None for state in State]


def test_gone_is_left_by_nothing() -> None:
    assert [event for event in Event if NEXT[event][GONE] not in (None, GONE)] == []
    assert [event for event in Event if NEXT[event][GONE] is GONE] == [Event.END]


def reached(beginning: State, without: tuple[State, ...] = ()) -> set[State]:
    """The states that may follow sooner or later, on ways that avoid some."""
    found, upcoming = {beginning}, [beginning]
    while upcoming:
        state = upcoming.pop()
        following = {STEPS[event][1] for one, event in LEGAL if one is state}
        upcoming += following - found - {*without}
        found |= following - {*without}
    return found


def test_every_state_can_be_reached_from_asking() -> None:
    assert reached(ASKING) == set(State)


@pytest.mark.parametrize("state", set(State) - {GONE})
def test_from_every_state_but_gone_one_may_ask_again_and_take_part_again(state: State) -> None:
    assert {ASKING, SEATED, LEADING, GONE} <= reached(state)


@pytest.mark.parametrize("state", State)
def test_a_process_may_end_at_any_time(state: State) -> None:
    made = participant(state)
    made.step(Event.END)
    assert made.state is GONE


@pytest.mark.parametrize("state", set(State) - {GONE})
def test_all_may_be_over_at_any_time(state: State) -> None:
    made = participant(state)
    made.step(Event.STOP)
    assert made.state is GONE


def test_nobody_leads_but_who_is_seated_and_appointed() -> None:
    assert LEADING not in reached(ASKING, without=(SEATED,))
    assert {event for _, event in LEGAL if STEPS[event][1] is LEADING} == {Event.APPOINT}
    assert {state for state, event in LEGAL if event is Event.APPOINT} <= {SEATED, LEADING}


@pytest.mark.parametrize("state", State)
def test_who_is_seated_or_leads_takes_part_and_nobody_else(state: State) -> None:
    assert participant(state).takes_part == (state in (SEATED, LEADING))


# -- the diagram in ARCHITECTURE.md --------------------------------------------------------

ARCHITECTURE = TOP / "ARCHITECTURE.md"


def diagram() -> str:
    """The table for Mermaid; what may happen in every live state has one arrow for all of them."""
    arrows: dict[tuple[str, State], list[str]] = {}
    for event, (states, follows) in STEPS.items():
        sources = ["LIVE"] if set(states) >= set(LIVE) else [state.name for state in states]
        for source in sources:
            arrows.setdefault((source, follows), []).append(event.name)
    lines = [f"    {a} --> {b.name}: {', '.join(names)}" for (a, b), names in arrows.items()]
    inside = [f"        {state.name}" for state in LIVE]
    head = ["stateDiagram-v2", "    [*] --> ASKING", "    state LIVE {", *inside, "    }"]
    return "\n".join([*head, *lines, "    GONE --> [*]"])


def test_the_diagram_in_the_architecture_is_that_of_the_table() -> None:
    assert f"```mermaid\n{diagram()}\n```\n" in ARCHITECTURE.read_text()
