"""Replicas of real sessions, at any time, are believed."""

from __future__ import annotations

from typing import Any

import pytest

from core import Session
from core import messages as m
from core.messages import Place
from tests.transports.net.samples import shown
from tests.transports.process.claims import (
    FAILURE,
    HELLO,
    HERE,
    NODE,
    THERE,
    column,
    opened,
    snapshot,
)
from tests.wired import wired
from transports.net.errors import RemoteProtocolError
from transports.process.trust import Trust


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seq": 2**52 - 1}, m.Left(5)),
        (column("assigned", 2**30 - 1), m.Joined(NODE + 1, None, None, (), False)),
    ],
    ids=shown,
)
def test_whoever_follows_can_bring_what_it_has_then(
    trust: Trust, changes: dict[str, Any], message: Any
) -> None:
    place = Place("0", (HERE,))
    state = trust.followed(place, snapshot(**changes))
    trust.check_ordered(state, 1.0, message)
    state.apply(1.0, message)
    trust.check(HELLO, "0", NODE, m.StateTransfer(state.snapshot()))
    name, value = next(iter(changes.items()))
    more = [one + 1 for one in value] if isinstance(value, list) else value + 1
    with pytest.raises(RemoteProtocolError, match="it has such"):
        trust.followed(place, snapshot(**changes | {name: more}))


def test_real_replicas_are_whole(trust: Trust) -> None:
    """With people who wait, after a slot was done, lost, failed; and after the team has left."""
    state = opened(epoch=(5,))
    messages: list[m.Message] = [
        *[m.Joined(node, HERE, None, (), node == 0) for node in range(6)],
        m.Finished(1, (0,), [1], 0.1),
        m.Failed(2, 1, FAILURE, False),
        m.Alarm(),
        m.Left(3),
        m.Given(5),
        m.Prepared([1, 2, 3]),
        m.Left(0),
        m.Ended(None, FAILURE.plain()),
    ]
    for message in messages:
        state.apply(1.0, message)
        is_whole(trust, state, Place("0", (HERE,)))
    assert state.model.room.idle
    state.apply(1.0, m.Moved(1, Place("0", (THERE,))))
    is_whole(trust, state, Place("0", (HERE,)))


def test_real_replicas_of_a_leaf_are_whole(trust: Trust) -> None:
    state = opened("0-0-0")
    messages: list[m.Message] = [
        m.Joined(1, HERE, 0.001, (), False),
        m.Joined(2, HERE, None, (2,), False),
        m.Prepared([1, 2, 3]),
        *[m.Joined(node, HERE, None, (), False) for node in (3, 4)],
        m.Finished(1, (0,), [1], 0.001),
        m.Alarm(),
        m.Failed(2, 2, FAILURE, False),
        m.Left(1),
        m.Restored({1: (5, 0.5)}, None),
        m.Moved(2, Place("0", (THERE,))),
    ]
    for i, message in enumerate(messages):
        state.apply(float(i), message)
        is_whole(trust, state, Place("0-0-0", (HERE, HERE, HERE)))


def is_whole(trust: Trust, state: Session, place: Place) -> None:
    arrived = wired(state.snapshot())
    assert trust.followed(place, arrived).snapshot() == state.snapshot()
