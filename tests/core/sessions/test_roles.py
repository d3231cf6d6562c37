"""Who may say what: each entry of the tables, on one host, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from core import Computation, Host
from core import messages as m
from core.messages import Node, Place
from core.rights import SAYS as OWN
from core.sessions.roles import SAYS
from tests.core.sessions.setup import (
    COUNTS,
    HOLDER,
    KEY,
    LATE,
    LEADER,
    LEAF,
    OFFENDS,
    OTHER,
    RETURNED,
    STRANGER,
    Carrier,
    Setup,
    finished,
    with_one_who_was_away,
)


def failed(node: Node, slot: int | None, partition: int | None, final: bool = False) -> m.Failed:
    return m.Failed(node, slot, m.Failure("0", partition, "error"), final)


@pytest.mark.parametrize(
    ("node", "message", "verdict"),
    [
        (HOLDER, finished(HOLDER, 1), "counts"),
        (OTHER, finished(OTHER, 1), "offence"),
        (OTHER, finished(HOLDER, 1), "offence"),  # for another
        (HOLDER, finished(HOLDER, -1), "offence"),
        (HOLDER, finished(HOLDER, 3), "offence"),
        (HOLDER, m.Finished(HOLDER, (), [], 0.1), "offence"),
        (HOLDER, m.Finished(HOLDER, (1,), ["a", "b"], 0.1), "offence"),
        (HOLDER, m.Finished(HOLDER, (1,), ["a"], float("nan")), "offence"),
        (HOLDER, failed(HOLDER, 1, 1), "counts"),
        (HOLDER, failed(HOLDER, 1, 2), "offence"),  # another partition
        (HOLDER, failed(HOLDER, 1, 1, final=True), "offence"),  # in a leaf
        (OTHER, failed(OTHER, 1, 1), "offence"),
        (LEADER, m.Given("other"), "counts"),
        (OTHER, m.Given("other"), "passed over"),
        (LEADER, m.Prepared(["a", "b", "c"]), "passed over"),  # it is prepared
        (LEADER, m.Collected("out"), "passed over"),  # nothing is done yet
        (LEADER, m.Prepared(["a"]), "offence"),
        (OTHER, m.Prepared(["a", "b", "c"]), "passed over"),
        (LEADER, m.Moved(LEADER, Place("0-1", (0, 7))), "counts"),
        (LEADER, m.Moved(LEADER, Place("0", (0,))), "passed over"),  # it is there
        (OTHER, m.Moved(OTHER, Place("0-1", (0, 7))), "passed over"),
        (LEADER, m.Ended("result", None, b"the end"), "counts"),
        (OTHER, m.Ended("result", None, b"the end"), "counts"),  # it has heard so
        (LEADER, m.Ended("result", None, b"a guess"), "offence"),
        (LEADER, m.Joined(9, None, None, (), False), "offence"),
        (LEADER, m.Left(OTHER), "offence"),
        (LEADER, m.Restored({0: ("out", 0.1)}, None), "offence"),
        (LEADER, m.Alarm(), "offence"),
        (STRANGER, finished(STRANGER, 1), "passed over"),  # who is not there
        (HOLDER, m.Key("0-1", b"key"), "offence"),
        (HOLDER, m.Arrive(OTHER, OTHER, None), "offence"),
        (HOLDER, m.Arrive(HOLDER, HOLDER, None, observes=True), "offence"),
    ],
)
def test_each_message_counts_of_who_may_say_it(node: Node, message: Any, verdict: str) -> None:
    setup = Setup(LEAF)
    before = setup.reflector.state.snapshot()
    assert setup.say(node, message) == verdict
    if verdict != "counts":
        assert setup.reflector.state.snapshot() == before


def test_every_message_has_a_role() -> None:
    for message in m.Message.__args__:
        assert (message in SAYS) != (message in OWN)


# Whoever says it: the leader, the holder of slot 1, somebody who has slot 2, one who was away
# and has slot 3, and one who is not there. What each says is in its own name, if in any.
SPEAKERS = (LEADER, HOLDER, OTHER, RETURNED, STRANGER)
TABLE: dict[type, tuple[Any, tuple[str, ...]]] = {
    m.Finished: (lambda node: finished(node, 1), (OFFENDS, COUNTS, OFFENDS, LATE, LATE)),
    m.Failed: (lambda node: child_failed(node, 1), (OFFENDS, COUNTS, OFFENDS, LATE, LATE)),
    m.Given: (lambda node: m.Given("other"), (COUNTS, LATE, LATE, LATE, LATE)),
    m.Prepared: (lambda node: m.Prepared(["in"] * 5), (LATE,) * 5),  # it is prepared
    m.Collected: (lambda node: m.Collected("out"), (LATE,) * 5),  # nothing is done yet
    m.Moved: (lambda node: m.Moved(node, ELSEWHERE), (COUNTS, LATE, LATE, LATE, LATE)),
    m.Ended: (
        lambda node: m.Ended("out", None, b"the end"),
        (COUNTS, COUNTS, COUNTS, COUNTS, LATE),
    ),
    m.Joined: (lambda node: m.Joined(node, 5, None, (), False), (*[OFFENDS] * 4, LATE)),
    m.Left: (m.Left, (*[OFFENDS] * 4, LATE)),
    m.Restored: (lambda node: m.Restored({0: ("out", 0.1)}, None), (*[OFFENDS] * 4, LATE)),
    m.Alarm: (lambda node: m.Alarm(), (*[OFFENDS] * 4, LATE)),
}
ELSEWHERE = Place("0-1", (0, 7))


def child_failed(node: Node, slot: int) -> m.Failed:
    return m.Failed(node, slot, m.Failure(f"0-{slot}", None, "error"), final=True)


@pytest.mark.parametrize(
    ("node", "message", "verdict"),
    [
        pytest.param(node, made(node), verdict, id=f"{kind.__name__}-{node}")
        for kind, (made, verdicts) in TABLE.items()
        for node, verdict in zip(SPEAKERS, verdicts, strict=True)
    ],
)
def test_the_same_message_counts_of_some_and_not_of_others(
    node: Node, message: Any, verdict: str
) -> None:
    setup = with_one_who_was_away()
    before = setup.reflector.state.snapshot()
    assert setup.say(node, message) == verdict
    assert (setup.reflector.state.snapshot() == before) == (verdict != COUNTS)
    assert setup.reflector.live == (not isinstance(message, m.Ended | m.Moved) or verdict != COUNTS)


def test_the_table_is_whole() -> None:
    assert TABLE.keys() == {*SAYS, *OWN}


def test_before_anybody_has_joined_nothing_counts() -> None:
    carrier = Carrier()
    host = Host(0, carrier, Computation, None, KEY)
    host.open(LEADER, m.Open(Place("0", (0,)), (5,), LEAF.plain()))
    for node in (LEADER, OTHER):
        host.receive(node, node, "0", m.Given("all"))
    assert host.reflectors["0"].state.seq == 0
    assert not carrier.offences


@pytest.mark.parametrize("session", ["0", "0-1"])
def test_what_is_said_of_a_session_that_is_not_here_is_passed_over(session: str) -> None:
    carrier = Carrier()
    host = Host(0, carrier, Computation)
    for message in (finished(HOLDER, 1), m.Ended("out"), m.Alarm(), m.Leave(), m.StateTransfer({})):
        host.receive(HOLDER, HOLDER, session, message)
    host.receive(HOLDER, HOLDER, session, m.Backup(f"{session}-1", {0: ("out", 0.1)}))
    child = Place(f"{session}-1", (0, 0, 0)[: session.count("-") + 2])
    host.receive(HOLDER, HOLDER, child.session, m.Open(child, (5, 1), LEAF.plain()))
    assert not carrier.offences
    assert not host.reflectors
    assert not host.backups.facts
