"""One process's copy of a session, with that process's views of it."""

from __future__ import annotations

from typing import Any

from core.sessions import messages as m
from core.sessions.chain import Seat
from core.sessions.messages import Node, Place
from core.sessions.session import Session
from core.sessions.votes import digests


class Replica(Seat):
    """One process's copy of a session, and the views of it there."""

    def __init__(self, state: Session, place: Place, seal: bytes = b"") -> None:
        super().__init__(place, state)
        self.seal = seal  # what shows that this process follows this incarnation
        self.views: dict[Node, Any] = {}  # of the participants that this process has in it

    def seal_of(self, node: Node) -> bytes:
        return self.seal

    def vote(self) -> m.Vote:
        """What this replica holds now."""
        return m.Vote(self.state.epoch, self.state.seq, digests(self.state.snapshot()))

    def apply(self, seq: int, now: float, message: Any) -> None:
        """Apply the next message and have the views do what follows from it.

        A message that was seen already is passed over. Raises ValueError for a gap.
        """
        state = self.state
        if seq <= state.seq:
            return
        if seq != state.seq + 1:
            raise ValueError(f"session {state.name}: message {seq} came after {state.seq}")
        told = state.apply(now, message)
        newcomer = message.node if isinstance(message, m.Joined) else None
        if newcomer in self.views:
            own = [command for node, command in told if node == newcomer]
            self.views[newcomer].seated(self, own)
        for node, command in told:
            if node != newcomer and node in self.views:
                self.views[node].on(self, command)
