"""Repair: replicas that differ are found by digest and replaced.

Every so many messages all who follow say what they hold (`votes.py`). Who is outvoted gets a copy
of the host's state; where the host itself is, one of those who are right brings its replica, and
what was ordered since is applied to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.sessions import messages as m
from core.sessions.admission import NOBODY
from core.sessions.messages import Node
from core.sessions.session import Session
from core.sessions.votes import HOST, Ballot, digests

if TYPE_CHECKING:
    from core.sessions.reflector import Reflector

BALLOTS_MAX = 100  # that are open at a time
LOG_MAX = 10_000  # messages that are kept, though somebody does not vote


class Repair:
    """The votes on one session, and what comes of them."""

    __slots__ = ("_log", "_mender", "_menders", "_right", "ballots", "reflector")

    def __init__(self, reflector: Reflector) -> None:
        self.reflector = reflector
        self.ballots: dict[int, Ballot] = {}
        self._mender = NOBODY  # who was asked for the right replica
        self._menders: dict[Node, None] = {}  # all that were
        self._right: list[Node] = []  # who was right, when that was asked
        self._log: list[tuple[int, float, Any]] = []  # since everyone last agreed

    def is_mender(self, node: Node) -> bool:
        """Whether `node` was asked for its replica, because it is right."""
        return node == self._mender

    def lose(self, node: Node) -> None:
        """`node` has gone."""
        if node == self._mender:
            self._mender = NOBODY

    def ordered(self, now: float, message: Any) -> None:
        """A message was ordered; now and then there is a vote on what it led to."""
        state, carrier = self.reflector.state, self.reflector.carrier
        self._log.append((state.seq, now, message))
        if state.seq % carrier.vote_every == 0:
            members = frozenset(self.reflector.members)
            ballot = Ballot(carrier.voters(self.reflector), asked=members)
            ballot.votes[HOST] = digests(state.snapshot())
            self.ballots[state.seq] = ballot
            del self._log[:-LOG_MAX]
            if len(self.ballots) > BALLOTS_MAX:  # somebody left without a vote
                del self.ballots[next(iter(self.ballots))]

    def count(self, node: Node, vote: m.Vote) -> None:
        """Count a vote, and see to those who are wrong."""
        reflector, ballot = self.reflector, self.ballots.get(vote.seq)
        members, carrier = reflector.members, reflector.carrier
        here = ballot is not None and node in ballot.asked and node in members
        if ballot is None or not here or vote.epoch != reflector.state.epoch:
            return
        ballot.votes[node] = vote.digests
        wrong = ballot.outvoted()
        for outvoted, fields in wrong.items():
            carrier.diverged(reflector, vote.seq, outvoted, fields)
            if outvoted in members:
                carrier.repair(reflector, members[outvoted], outvoted)
            elif outvoted == HOST:
                self._ask([n for n in members if n in ballot.votes and n not in wrong])
        if wrong:  # what these said elsewhere was said before the repair; others are yet to vote
            right = next(votes for node, votes in ballot.votes.items() if node not in wrong)
            ballot.votes |= dict.fromkeys(wrong, right)
            later = {} if HOST in wrong else {n: b for n, b in self.ballots.items() if n > vote.seq}
            self.ballots = {vote.seq: ballot, **{n: b.without(wrong) for n, b in later.items()}}
        elif ballot.complete and self._mender == NOBODY:  # else the log is yet needed
            self.ballots = {seq: b for seq, b in self.ballots.items() if seq > vote.seq}
            self._log = [entry for entry in self._log if entry[0] > vote.seq]

    def _ask(self, right: list[Node]) -> None:
        """Have one of those who are right bring its replica, another one each time."""
        untried = [node for node in right if node not in self._menders] or right
        self._mender = next(iter(untried), NOBODY)  # with none left, the next ballot will tell
        if self._mender != NOBODY:
            self._menders = {**self._menders, **dict.fromkeys([self._mender])}
            self._right = right
            self.reflector.reply(self.reflector.members[self._mender], m.SendState())

    def mend(self, state: Session) -> None:
        """Continue from a replica that was right, with all that was ordered since.

        Those who were right keep theirs: so they outvote it if it was not.
        """
        reflector, before = self.reflector, self.reflector.state
        self._mender = NOBODY
        if (state.name, state.epoch) != (before.name, before.epoch) or state.seq > before.seq:
            return
        for seq, now, message in self._log:
            if seq == state.seq + 1:
                state.apply(now, message)
        if state.seq != before.seq or state.people.keys() != reflector.members.keys():
            return  # it is too old; or no replica of this session: the host knows who is here
        reflector.adopt(state)
        self.ballots.clear()
        for node, link in reflector.members.items():
            if node not in self._right:  # it came since, and began with what was wrong
                reflector.carrier.repair(reflector, link, node)
        reflector.order(m.Restored({}, None))  # who leads is told anew what there is to do
