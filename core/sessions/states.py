"""The states of a participant, as one table: what may happen in each, and what follows.

A view asks for a place and stands by, is seated, or is sent on. Once seated it may be appointed.
If its host is lost it is adrift until the node has found the session again, one level up. Where it
has nowhere to be it pauses and asks again, or is held until the view above it acts.

What arrives is first told apart from what was meant for somewhere else (`participant.py`); so what
is not in the table is an error of ours, or of a host that says what it may not.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class State(IntEnum):  # its members are hashed and compared as integers: several times a node
    ASKING = 0  # asked for a place, no answer yet
    STANDBY = 1  # will be called
    SEATED = 2  # takes part
    LEADING = 3  # takes part, and leads
    ADRIFT = 4  # took part, but the host is gone
    PAUSED = 5  # nowhere, until a timer
    HELD = 6  # nowhere, until the view above has something for it
    GONE = 7


class Event(IntEnum):
    ASK = 0  # it asks for a place, here or elsewhere
    WAIT = 1  # it is to stand by
    TURNED_AWAY = 2  # there is nothing for it: it has a timer
    TURNED_BACK = 3  # there is nothing for it, and a view above it
    SENT_OUTSIDE = 4  # sent to where only the view above it could go
    TAKEN = 5  # sent to where the view below it is already
    ROOT_LOST = 6  # nobody is at the root
    HOST_LOST = 7  # no seat was lost: the view above it acts
    SEAT_LOST = 8
    SEAT = 9  # it takes part from now on
    APPOINT = 10  # it leads from now on
    RETIRE = 11  # it gives way to the view below it
    STOP = 12  # all is over
    END = 13  # its process ends


# As names of a module they are found faster than as those of a class.
ASKING: Final = State.ASKING
STANDBY: Final = State.STANDBY
SEATED: Final = State.SEATED
LEADING: Final = State.LEADING
ADRIFT: Final = State.ADRIFT
PAUSED: Final = State.PAUSED
HELD: Final = State.HELD
GONE: Final = State.GONE

ASK: Final = Event.ASK
WAIT: Final = Event.WAIT
TURNED_AWAY: Final = Event.TURNED_AWAY
TURNED_BACK: Final = Event.TURNED_BACK
SENT_OUTSIDE: Final = Event.SENT_OUTSIDE
TAKEN: Final = Event.TAKEN
ROOT_LOST: Final = Event.ROOT_LOST
HOST_LOST: Final = Event.HOST_LOST
SEAT_LOST: Final = Event.SEAT_LOST
SEAT: Final = Event.SEAT
APPOINT: Final = Event.APPOINT
RETIRE: Final = Event.RETIRE
STOP: Final = Event.STOP
END: Final = Event.END

WAITING: Final = (ASKING, STANDBY)
LIVE: Final = (ASKING, STANDBY, SEATED, LEADING, ADRIFT, PAUSED, HELD)
# Answers come late: whoever had asked twice may be seated already, or rest, or be adrift again.
STEPS: dict[Event, tuple[tuple[State, ...], State]] = {  # in which states, and what follows
    ASK: (LIVE, ASKING),
    WAIT: (LIVE, STANDBY),
    TURNED_AWAY: (LIVE, PAUSED),
    TURNED_BACK: (LIVE, HELD),
    SENT_OUTSIDE: (LIVE, HELD),
    TAKEN: (LIVE, PAUSED),
    ROOT_LOST: (LIVE, PAUSED),
    HOST_LOST: (LIVE, HELD),
    SEAT_LOST: (LIVE, ADRIFT),
    SEAT: (LIVE, SEATED),
    APPOINT: ((SEATED,), LEADING),
    RETIRE: (LIVE, GONE),
    STOP: (LIVE, GONE),
    END: (tuple(State), GONE),
}
NEXT: Final[list[list[State | None]]] = [  # the same, by event and state
    [follows if state in states else None for state in State] for states, follows in STEPS.values()
]


class IllegalStep(Exception):
    """Something happened to a participant that cannot happen in its state."""

    def __init__(self, session: str, seq: int, state: State, event: Event) -> None:
        super().__init__(f"session {session}, message {seq}: {event.name} while {state.name}")
