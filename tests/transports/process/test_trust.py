"""What a process may say of itself and of the computation, and what it may have others keep."""

from __future__ import annotations

from typing import Any

import pytest

from core import Host
from core import messages as m
from core.messages import Place
from tests.transports.net.samples import shown
from tests.transports.process.claims import (
    FAILURE,
    HELLO,
    HERE,
    INF,
    LONG,
    NAN,
    NODE,
    NODES,
    OTHER,
    SHAPE,
    THERE,
    opened,
    snapshot,
)
from transports.net.errors import RemoteProtocolError
from transports.process.trust import Trust

GOOD: list[tuple[str, Any]] = [
    ("0", m.Arrive(NODE, None, None)),
    ("0", m.Arrive(NODE, THERE, 0.5, m.Past("0-1", (0, 2), (4,), 9))),
    ("0", m.StateTransfer(snapshot())),
    ("0", m.StateTransfer(snapshot(former=[[0, [99]], [1, [NODE, 1]]], seq=2**53 - 1))),
    ("0", m.Key("0-1", bytes(16))),
    ("0", m.Key("0-1", b"")),
    ("0", m.Vote((5,), 1, {"outputs": "0" * 32})),
    ("0", m.Leave()),
    ("0-0", m.Given({"a": [1]})),
    ("0-0", m.Prepared([1, 2, 3])),
    ("0", m.Finished(NODE, (0, 2), [1, 2], 0.1)),
    ("0", m.Failed(NODE, None, FAILURE, False)),
    ("0-0", m.Moved(NODE, Place("0-1", (HERE, THERE)))),
    ("0-0", m.Ended(None, FAILURE.plain())),
]
BAD: list[tuple[str, Any]] = [
    ("1", m.Leave()),
    ("0-3", m.Leave()),
    ("0-00", m.Leave()),
    ("0-0-0-0", m.Leave()),
    ("", m.Leave()),
    ("0", m.Arrive(NODE, HERE, None)),
    ("0", m.Arrive(NODE, None, NAN)),
    ("0", m.Arrive(NODE, None, INF)),
    ("0", m.Arrive(NODE, None, -1.0)),
    ("0", m.Arrive(NODE, None, True)),
    ("0", m.Arrive(NODE, None, "1")),
    ("0", m.Arrive(NODE, None, [1.0])),
    ("0", m.Arrive(NODE, None, None, m.Past("0-9", (), (), 0))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (3,), (), 0))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (1, 1), (), 0))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (), (1,) * 9, 1))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (), (), -1))),
    ("0-1", m.Open(Place("0-1", (HERE,)), (5, 1), SHAPE.child(1).plain())),
    ("0-1", m.Open(Place("0-1", (HERE, HERE)), (5, 1), ["0-1", 9.0, 9, 2, 3, False])),
    ("0-1", m.Open(Place("0-1", (HERE, HERE)), (5, 1), ["0-1", 9, 9, 2, 3])),
    ("0-1", m.Open(Place("0-1", (HERE, HERE)), (5, 1), {"session": "0-1"})),
    ("0-1", m.Open(Place("0-1", (HERE, HERE)), (5, 1), None)),
    ("0", m.Backup("0-0", {3: (1, 1.0)})),
    ("0", m.Backup("0-0", {0: (1, NAN)})),
    ("0", m.Backup("0-0", {0: (1, -1.0)})),
    ("0", m.Backup("0-0", {0: (1, True)})),
    ("0", m.Backup("0-0", {0: (1, "1")})),
    ("0", m.Backup("0-0", {0: (1, 1.0, 1)})),
    ("0", m.Backup("0-0", {0: (1,)})),
    ("0", m.Backup("0-0", {0: 1})),
    ("0", m.Backup("0-0", {0: None})),
    ("0", m.Backup("0-7", {})),
    ("0", m.Backup("0-0", {0: ("x" * 3000, 1.0)})),
    ("0", m.Key("0-9", bytes(16))),
    ("0", m.Key("0-1", bytes(15))),
    ("0", m.Key("0-1", bytes(17))),
    ("0-1", m.Open(Place("0-2", (HERE, HERE)), (5, 1), SHAPE.child(2).plain())),
    ("0", m.Vote((5,), 1, {"x": ""})),
    ("0", m.Vote((5,), 1, {"outputs": "0" * 200})),
    ("0-0", m.Given("x" * 3000)),
    ("0-0", m.Ended("x" * 3000, None)),
    ("0-0", m.Ended(None, LONG.plain())),
    ("0-0", m.Ended(None, "no")),
    ("0-0", m.Ended(None, {})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "session": 0})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "session": "0\n"})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "partition": 1.5})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "partition": True})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "error": None})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "more": 1})),
    ("0-0", m.Moved(NODE, Place("0-1", (HERE,)))),
    ("0-0", m.Moved(NODE, Place("0-9", (HERE, HERE)))),
    ("0", m.Finished(NODE, (0, 0), [1, 1], 0.1)),
    ("0", m.Finished(NODE, (0,), [{"a": "x" * 3000}], 0.1)),
    ("0", m.Failed(NODE, 0, m.Failure("0", 0, "x" * 200_000), False)),
]


@pytest.mark.parametrize(("session", "call"), GOOD, ids=shown)
def test_what_can_be_true_counts(trust: Trust, session: str, call: Any) -> None:
    assert trust.check(HELLO, session, NODE, call)


@pytest.mark.parametrize(("session", "call"), BAD, ids=shown)
def test_what_cannot_be_is_refused(trust: Trust, session: str, call: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        trust.check(HELLO, session, NODE, call)


@pytest.mark.parametrize("node", [NODE - 1, NODE + NODES, OTHER, -1, 2**62])
def test_nobody_speaks_for_the_nodes_of_others(trust: Trust, node: int) -> None:
    with pytest.raises(RemoteProtocolError, match="not one of its own"):
        trust.check(HELLO, "0", node, m.Leave())


def test_a_session_is_opened_by_the_way_to_the_one_above(trust: Trust, host: Host) -> None:
    place = Place("0-0", (HERE, HERE))
    assert trust.check(HELLO, "0-0", NODE, m.Open(place, (5, 1), SHAPE.child(0).plain()))
    assert trust.check(HELLO, "0-0", NODE, m.Open(place, (5, 1), tuple(SHAPE.child(0).plain())))
    other = m.Open(Place("0-0", (THERE, HERE)), (5, 1), SHAPE.child(0).plain())
    assert not trust.check(HELLO, "0-0", NODE, other)
    below = Place("0-2-0", (HERE, HERE, HERE))
    opening = m.Open(below, (5, 1, 1), SHAPE.child(2).child(0).plain())
    assert trust.check(HELLO, "0-2-0", NODE, opening)  # the core passes it over


def test_one_process_has_one_vote(trust: Trust, host: Host) -> None:
    for node in (NODE, NODE + 1):
        host.receive((THERE, node), node, "0", m.Arrive(node, THERE, None))
    reflector = host.reflectors["0"]
    vote = m.Vote((5,), max(reflector.repair.ballots), {"outputs": "x"})
    assert trust.check(HELLO, "0", NODE, vote)
    reflector.repair.ballots[vote.seq].votes[NODE] = vote.digests
    assert trust.check(HELLO, "0", NODE, vote)
    assert not trust.check(HELLO, "0", NODE + 1, vote)


def test_those_who_wait_for_sessions_are_bounded(
    trust: Trust, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.process.trust.WAITED_FOR_MAX", 1)
    arrive = m.Arrive(NODE, None, None)
    assert trust.check(HELLO, "0-1", NODE, arrive)
    host.receive((THERE, NODE), NODE, "0-1", arrive)
    assert trust.check(HELLO, "0-1", NODE, arrive)
    assert trust.check(HELLO, "0", NODE, arrive)
    assert not trust.check(HELLO, "0-2", NODE, arrive)


def test_a_member_brings_no_replica_of_what_is_elsewhere(trust: Trust, host: Host) -> None:
    state = opened()
    state.apply(1.0, m.Joined(NODE, None, None, (), False))
    state.apply(1.0, m.Moved(NODE, Place("0", (THERE,))))
    gone = m.StateTransfer(state.snapshot())
    assert trust.check(HELLO, "0", NODE, gone)
    host.receive((THERE, NODE), NODE, "0", m.Arrive(NODE, THERE, None))
    with pytest.raises(RemoteProtocolError, match="elsewhere"):
        trust.check(HELLO, "0", NODE, gone)
