"""Replicas that differ are found by digest, and the majority says which are wrong.

Everyone who follows a session says what it holds at the same sequence number, the host too.
What more than half of them agree on is right; where there is no majority even when all have
voted, what most say, and among equals what the host says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import attrs

from core.sessions.digest import canonical, digest
from core.sessions.messages import Node, Value

Digests = dict[str, str]
HOST: Node = -1


def digests(snapshot: dict[str, Value]) -> Digests:
    """A digest of each field."""
    return {name: digest(value) for name, value in snapshot.items()}


@attrs.define
class Ballot:
    """The votes on one sequence number. `voters` counts the host."""

    voters: int
    votes: dict[Node, Digests] = attrs.Factory(dict)
    asked: frozenset[Node] = frozenset()  # who took part by then: nobody else votes on it

    @property
    def complete(self) -> bool:
        return len(self.votes) >= self.voters

    def without(self, wrong: Iterable[Node]) -> Ballot:
        """Of a later one: those who were wrong by then do not vote."""
        votes = {node: vote for node, vote in self.votes.items() if node not in wrong}
        asked = self.asked.difference(wrong)
        return Ballot(self.voters - len(self.asked) + len(asked), votes, asked)

    def outvoted(self) -> dict[Node, list[str]]:
        """Who differs from what is right, as far as that is known, and in which fields."""
        if all(vote == self.votes.get(HOST) for vote in self.votes.values()):
            return {}
        counts = Counter(canonical(vote) for vote in self.votes.values())
        (most, count), *_ = counts.most_common(1)
        if 2 * count <= self.voters and not self.complete:
            return {}
        own = self.votes.get(HOST)
        if own is not None and counts[canonical(own)] == count:
            most = canonical(own)
        right = next(vote for vote in self.votes.values() if canonical(vote) == most)
        return {
            node: [name for name in right if vote.get(name) != right[name]]
            for node, vote in self.votes.items()
            if vote != right
        }
