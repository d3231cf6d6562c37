"""One process's copy of a session's model, with that process's views of it."""

from __future__ import annotations

from core import messages as m
from core.computation import Computation
from core.messages import Message, Node, Place
from core.votes import digests
from core.worker import Worker


class Replica:
    """One process's copy of a session's model, and the views of it there."""

    def __init__(self, model: Computation, place: Place) -> None:
        self.model = model
        self.place = place
        self.session = model.shape.session
        self.epoch = model.epoch
        self.views: dict[Node, Worker] = {}

    def vote(self) -> m.Vote:
        """What this replica holds now."""
        return m.Vote(self.epoch, self.model.seq, digests(self.model.snapshot()))

    def apply(self, seq: int, now: float, message: Message) -> None:
        """Apply the next message and have the views do what follows from it.

        A message that was seen already is passed over. Raises ValueError for a gap.
        """
        if seq <= self.model.seq:
            return
        if seq != self.model.seq + 1:
            raise ValueError(
                f"session {self.model.shape.session}: message {seq} came after {self.model.seq}"
            )
        commands = self.model.apply(now, message)
        newcomer = message.node if isinstance(message, m.Joined) else None
        if newcomer in self.views:
            own = [command for node, command in commands if node == newcomer]
            self.views[newcomer].seated(self, own)
        for node, command in commands:
            if node != newcomer and node in self.views:
                self.views[node].on(self, command)
