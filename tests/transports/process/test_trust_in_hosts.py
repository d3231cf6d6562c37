"""What a host may say: answers, and what it has ordered."""

from __future__ import annotations

from typing import Any

import pytest

from core import messages as m
from core.messages import Place
from tests.transports.net.samples import shown
from tests.transports.process.claims import (
    END,
    FAILURE,
    HERE,
    INF,
    LONG,
    NAN,
    NODE,
    opened,
    snapshot,
)
from transports.net.errors import RemoteProtocolError
from transports.process.trust import Trust

CONTEXT: dict[str, Any] = {"given": True, "input": 5, "inputs": [1, 2, 3], "had": [[0, [NODE]]]}


@pytest.mark.parametrize(
    "reply",
    [
        m.Redirect(Place("0-0", (HERE,))),
        m.Redirect(Place("0-9", (HERE, HERE))),
        m.Redirect(Place("", (HERE,))),
        m.TurnedAway(NAN),
        m.TurnedAway(INF),
        m.TurnedAway(-1.0),
        m.Backup("0-0", {3: (1, 1.0)}),
        m.Backup("0-0", {0: [1]}),
        m.Stop(m.Ended(None, "no", END)),
        m.Stop(m.Ended(None, {**FAILURE.plain(), "partition": "x"}, END)),
        m.Stop(m.Ended(None, LONG.plain(), END)),
        m.Stop(m.Ended(1, None, b"")),
        m.Stop(m.Ended(1, None, b"another end")),
        m.Key("0-9", bytes(16)),
        m.Key("0-1", bytes(15)),
    ],
    ids=shown,
)
def test_an_answer_that_leads_nowhere_is_refused(trust: Trust, reply: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        trust.check_answer("0", reply, listens=True)


def test_who_does_not_listen_is_told_to_keep_nothing(trust: Trust) -> None:
    for kept in (m.Backup("0-0", {0: (1, 1.0)}), m.Key("0-0", bytes(16))):
        trust.check_answer("0", kept, listens=True)
        with pytest.raises(RemoteProtocolError, match="hosts nothing"):
            trust.check_answer("0", kept, listens=False)


def test_what_the_submitter_ended_is_over(trust: Trust) -> None:
    for failure in (None, FAILURE.plain()):
        ended = m.Ended(1, failure, END)
        trust.check_answer("0", m.Stop(ended), listens=False)
        trust.check_ordered(opened(), 1.0, ended)


@pytest.mark.parametrize(
    ("time", "message"),
    [
        (NAN, m.Left(1)),
        (INF, m.Left(1)),
        (1.0, m.Joined(1, None, NAN, (), False)),
        (1.0, m.Joined(1, None, None, (3,), False)),
        (1.0, m.Prepared([])),
        (1.0, m.Joined(1, None, True, (), False)),
        (1.0, m.Joined(1, None, "x", (), False)),
        (1.0, m.Restored({3: (1, 1.0)}, None)),
        (1.0, m.Restored({-1: (1, 1.0)}, None)),
        (1.0, m.Restored({0: (1, INF)}, None)),
        (1.0, m.Restored({0: (1, -1.0)}, None)),
        (1.0, m.Restored({0: 1}, None)),
        (1.0, m.Restored({0: ("x" * 3000, 1.0)}, None)),
        (1.0, m.Restored({}, {})),
        (1.0, m.Restored({}, 5)),
        (1.0, m.Restored({}, {**CONTEXT, "given": 1})),
        (1.0, m.Restored({}, {**CONTEXT, "more": 1})),
        (1.0, m.Restored({}, {**CONTEXT, "inputs": 5})),
        (1.0, m.Restored({}, {**CONTEXT, "inputs": [1]})),
        (1.0, m.Restored({}, {**CONTEXT, "inputs": [1, 2, "x" * 3000]})),
        (1.0, m.Restored({}, {**CONTEXT, "input": "x" * 3000})),
        (1.0, m.Restored({}, {**CONTEXT, "had": [[3, [NODE]]]})),
        (1.0, m.Restored({}, {**CONTEXT, "had": [[-1, [NODE]]]})),
        (1.0, m.Restored({}, {**CONTEXT, "had": [[0, NODE]]})),
        (1.0, m.Restored({}, {**CONTEXT, "had": [[0, ["x"]]]})),
        (1.0, m.Restored({}, {**CONTEXT, "had": None})),
        (1.0, m.Ended(None, 5, END)),
        (1.0, m.Ended(1, None)),
        (1.0, m.Ended(1, None, b"another end")),
        (1.0, m.Prepared([1, 2])),
        (1.0, m.Prepared([1, 2, "x" * 3000])),
        (1.0, m.Moved(1, Place("0-9", (HERE, HERE)))),
        (1.0, m.Failed(1, 3, FAILURE, False)),
        (1.0, m.Failed(1, None, LONG, False)),
        (1.0, m.Finished(1, (7,), [1], 0.1)),
        (1.0, m.Finished(1, (-1,), [1], 0.1)),
        (1.0, m.Finished(1, (0, 0), [1, 1], 0.1)),
        (1.0, m.Finished(1, (), [], 0.1)),
        (1.0, m.Finished(1, (0,), [1, 2], 0.1)),
        (1.0, m.Finished(1, (0,), [1], NAN)),
    ],
    ids=shown,
)
def test_what_cannot_be_next_is_refused(trust: Trust, time: float, message: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        trust.check_ordered(opened(), time, message)


def test_what_was_learnt_may_be_ordered(trust: Trust) -> None:
    state = opened("0-0")
    state.apply(1.0, m.Restored({0: (5, 0.5)}, None))
    known = state.model.facts()
    for context in (None, CONTEXT, state.model.context()):
        trust.check_ordered(opened("0-0"), 1.0, m.Restored(known, context))
        trust.check_ordered(opened("0-0"), 1.0, m.Restored({2: [None, 1]}, context))


def test_nobody_joins_twice(trust: Trust) -> None:
    state = trust.followed(Place("0", (HERE,)), snapshot())
    for observes in (False, True):
        with pytest.raises(RemoteProtocolError, match="Joined of somebody who is there"):
            trust.check_ordered(state, 1.0, m.Joined(NODE, None, None, (), observes))
