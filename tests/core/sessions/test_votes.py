"""Replicas that differ are detected, named and repaired from the majority."""

from __future__ import annotations

from typing import Any

import pytest

from core import Session, Shape
from core import messages as m
from core.sessions.digest import digest
from core.sessions.votes import HOST, Ballot
from tests.core.harness import Net
from tests.core.spans import sequential

WORK = {"compute"}
RIGHT = {"free": "1", "slots": "2"}
WRONG = {"free": "1", "slots": "3"}


def ballot(voters: int, votes: dict[int, dict[str, str]]) -> Ballot:
    found = Ballot(voters)
    found.votes.update(votes)
    return found


@pytest.mark.parametrize(
    ("voters", "votes", "outvoted"),
    [
        (3, {HOST: RIGHT, 1: RIGHT, 2: RIGHT}, {}),
        (3, {HOST: RIGHT, 1: RIGHT, 2: WRONG}, {2: ["slots"]}),
        (3, {HOST: WRONG, 1: RIGHT, 2: RIGHT}, {HOST: ["slots"]}),
        (3, {HOST: RIGHT, 1: WRONG}, {}),  # 2 may have another view of it
        (2, {HOST: RIGHT, 1: WRONG}, {1: ["slots"]}),  # the host decides between equals
        (4, {HOST: RIGHT, 1: WRONG, 2: WRONG, 3: RIGHT}, {1: ["slots"], 2: ["slots"]}),
        (5, {HOST: WRONG, 1: RIGHT, 2: RIGHT, 3: RIGHT}, {HOST: ["slots"]}),
    ],
)
def test_the_majority_is_right(
    voters: int, votes: dict[int, dict[str, str]], outvoted: dict[int, list[str]]
) -> None:
    assert ballot(voters, votes).outvoted() == outvoted


def corrupt(state: Session) -> None:
    slots = state.model.slots
    slots.inputs = [*slots.inputs[:3], "something else"]


@pytest.fixture
def net() -> Net:
    """Four participants, the submitter's replica and the host's own."""
    found = Net(Shape.root(4, 4), vote_every=1)
    found.submit()
    for node in (1, 2, 3):
        found.arrive(node)
    found.settle(WORK)
    assert found.differences == []
    return found


def check_repaired(net: Net) -> None:
    reflector = net.reflector("0")
    expected = digest(reflector.state.snapshot())
    for node in reflector.members:
        replica = net.processes[node].replicas[reflector]
        assert digest(replica.state.snapshot()) == expected
    net.settle()
    assert net.outcome == m.Ended(sequential(4), None)
    assert len(net.differences) == 1


def test_a_replica_that_differs_is_named_and_repaired(net: Net) -> None:
    reflector = net.reflector("0")
    corrupt(net.processes[2].replicas[reflector].state)
    net.step(("compute", 1))
    net.settle(WORK)
    assert net.differences == [("0", reflector.state.seq, 2, ["inputs"])]
    check_repaired(net)


def test_the_hosts_own_replica_is_repaired_too(net: Net) -> None:
    reflector = net.reflector("0")
    corrupt(reflector.state)
    net.step(("compute", 1))
    net.settle(WORK)
    assert net.differences == [("0", reflector.state.seq - 1, HOST, ["inputs"])]  # then it was told
    check_repaired(net)


def test_repairs_lose_no_message_that_was_ordered_meanwhile(net: Net) -> None:
    reflector = net.reflector("0")
    corrupt(reflector.state)
    for node in (1, 2, 3):
        net.step(("compute", node))
    net.settle(WORK)
    assert {node for _, _, node, _ in net.differences} == {HOST}
    net.settle()
    assert net.outcome == m.Ended(sequential(4), None)


def test_nobody_differs_where_all_is_well() -> None:
    net = Net(Shape.root(12, 3), vote_every=1)
    net.submit()
    for node in range(1, 9):
        net.arrive(node)
    net.settle()
    assert net.outcome == m.Ended(sequential(12), None)
    assert net.differences == []


def test_votes_of_those_who_left_are_not_waited_for(net: Net) -> None:
    reflector = net.reflector("0")
    corrupt(net.processes[2].replicas[reflector].state)
    net.leave(3)
    net.settle(WORK)
    assert [named[2] for named in net.differences] == [2]
    net.settle()
    assert net.outcome == m.Ended(sequential(4), None)


def test_a_vote_is_about_what_the_replica_holds(net: Net) -> None:
    replica = net.processes[1].replicas[net.reflector("0")]
    before = replica.vote()
    assert before.seq == replica.state.seq
    assert set(before.digests) == set(replica.state.snapshot())
    corrupt(replica.state)
    after: Any = replica.vote()
    changed = [name for name in before.digests if before.digests[name] != after.digests[name]]
    assert changed == ["inputs"]
