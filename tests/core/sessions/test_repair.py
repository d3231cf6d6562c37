"""Replicas that lie about what is right: by hand, on one host."""

from __future__ import annotations

import pytest

from core import messages as m
from core.messages import Node
from core.sessions import repair
from core.sessions.votes import HOST, digests
from tests.core.sessions.setup import HOLDER, LEADER, LEAF, OTHER, Setup

PEOPLE = (LEADER, HOLDER, OTHER)


class Voting(Setup):
    """The same, where there is a vote on every message and the host's own state is wrong."""

    def __init__(self) -> None:
        super().__init__(LEAF)
        self.repaired: list[Node] = []
        self.carrier.vote_every = 1
        self.carrier.voters = lambda reflector: len(reflector.members) + 1  # type: ignore[attr-defined]
        self.carrier.diverged = lambda *_: None  # type: ignore[attr-defined]
        self.carrier.repair = lambda _, link, node: self.repaired.append(node)  # type: ignore[attr-defined]

    def vote(self, *people: Node) -> None:
        """All of them vote alike, on what the host's state was before it went wrong."""
        self.reflector.model.slots.inputs = ["wrong", "b", "c"]
        self.reflector.order(m.Alarm())
        right = self.reflector.state.copy()
        right.model.slots.inputs = ["a", "b", "c"]  # type: ignore[attr-defined]
        self.right = right
        for node in people:
            self.say(node, m.Vote((5,), right.seq, digests(right.snapshot())))

    def asked(self) -> list[Node]:
        return [node for node, reply in self.carrier.replies if isinstance(reply, m.SendState)]


def test_one_who_is_right_mends_the_host_and_those_who_are_right_keep_what_they_have() -> None:
    setup = Voting()
    setup.vote(*PEOPLE)
    assert setup.asked() == [LEADER]
    setup.say(LEADER, m.StateTransfer(setup.right.snapshot()))
    assert setup.reflector.model.slots.inputs == ["a", "b", "c"]
    assert setup.repaired == []


def test_who_brings_a_replica_of_another_time_or_incarnation_mends_nothing() -> None:
    for field, value in (("epoch", [10**9]), ("seq", 10**9), ("session", "0-1")):
        setup = Voting()
        setup.vote(*PEOPLE)
        setup.say(LEADER, m.StateTransfer({**setup.right.snapshot(), field: value}))
        assert setup.reflector.model.slots.inputs == ["wrong", "b", "c"]
        assert setup.reflector.state.epoch == (5,)


def test_what_is_kept_to_mend_with_is_bounded_and_what_is_older_mends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where somebody does not vote there is no end to it otherwise."""
    monkeypatch.setattr(repair, "LOG_MAX", 20)
    for later, mended in ((10, "a"), (20, "a"), (21, "wrong"), (1000, "wrong")):
        setup = Voting()
        setup.vote(*PEOPLE)
        for _ in range(later):
            setup.reflector.order(m.Alarm())
        assert len(setup.reflector.repair._log) <= 21
        setup.say(LEADER, m.StateTransfer(setup.right.snapshot()))
        assert setup.reflector.model.slots.inputs == [mended, "b", "c"]


def test_another_one_is_asked_each_time() -> None:
    setup = Voting()
    for _ in PEOPLE:
        setup.vote(*PEOPLE)
        lie = {**setup.right.snapshot(), "inputs": ["a lie", "b", "c"]}
        setup.say(setup.asked()[-1], m.StateTransfer(lie))
    assert setup.asked() == list(PEOPLE)


def test_who_joined_later_does_not_vote() -> None:
    setup = Voting()
    setup.reflector.order(m.Alarm())
    seq = setup.reflector.state.seq
    ballot = setup.reflector.repair.ballots[seq]
    for node in (7, 8, 9):
        setup.arrive(node)
        setup.say(node, m.Vote((5,), seq, {"people": "none"}))
    assert set(ballot.votes) == {HOST}
