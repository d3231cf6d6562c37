"""A session to which messages are given by hand, and what comes of each."""

from __future__ import annotations

from typing import Any

from core import Computation, Shape
from core import messages as m
from core.messages import Command, Epoch, Message, Node, Value
from tests.core import story

LEADER, SECOND, THIRD = 1, 2, 3


class Session:
    """A session, and the commands of each message as (node, command) pairs."""

    def __init__(
        self, partitions: int, fanout: int, given: bool = True, epoch: Epoch = (1,)
    ) -> None:
        self.state = story.session(Shape.root(partitions, fanout), epoch)
        self.model: Computation = self.state.model
        self.slots = self.model.slots
        self.now = 0.0
        if given:
            self.order(m.Given("all"))
            self.order(m.Prepared([f"in {i}" for i in range(len(self.slots))]))

    def order(self, message: Message, at: float | None = None) -> list[tuple[Node, Command]]:
        self.now = self.now if at is None else at
        return list(self.state.apply(self.now, message))

    def join(self, *nodes: Node, **more: Any) -> list[tuple[Node, Command]]:
        told = []
        for node in nodes:
            joined = {"address": node, "about": None, "claims": (), "observes": False, **more}
            told += self.order(m.Joined(node=node, **joined))
        return told

    def finish(
        self, node: Node, *slots: int, at: float | None = None, seconds: float = 1.0
    ) -> list[tuple[Node, Command]]:
        outputs: list[Value] = [f"out {slot} of {node}" for slot in slots]
        return self.order(m.Finished(node, slots, outputs, seconds), at)

    def fail(self, node: Node, slot: int | None, final: bool = False) -> list[tuple[Node, Command]]:
        failure = m.Failure("0", slot, f"error of {node}")
        before = self.model.steps.failures(node, slot)
        return self.order(m.Failed(node, slot, failure, final, before))

    def workers(self) -> list[Node | None]:
        return [None if self.slots.done[i] else node for i, node in enumerate(self.slots.worker)]

    def outputs(self) -> list[Value]:
        return self.slots.outputs

    def restored(self) -> m.Restored:
        """What a session opened anew is told by one with this replica."""
        return m.Restored(self.model.facts(), self.model.context())


def compute(*slots: int) -> m.Compute:
    return m.Compute("0", 0, slots, tuple(f"in {slot}" for slot in slots))


def commands(told: list[tuple[Node, Command]], *kinds: type) -> list[tuple[Node, Command]]:
    return [(node, command) for node, command in told if isinstance(command, kinds)]


def late_session() -> Session:
    """Five slots, all taken at 0; done after 1, 2 and 3 seconds, so that 4 is late."""
    session = Session(5, 5)
    session.join(1, 2, 3, 4, 5)
    session.finish(1, 0, at=1.0)
    session.finish(2, 1, at=2.0)
    session.finish(3, 2, at=3.0)
    return session


def machine(number: int, *nodes: int) -> list[Node]:
    """Nodes of one process."""
    return [(2**42 + number << 20) + node for node in nodes]
