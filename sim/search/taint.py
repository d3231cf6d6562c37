"""What was in the hands of one who lies, and may therefore be wrong."""

from __future__ import annotations

from collections.abc import Sequence

from core import Reflector
from core import messages as m
from core.messages import Node
from sim.search.liar import Liar


class Taint:
    """By name: sessions, and slots as `session-slot`. A leaf's slot is a partition."""

    def __init__(self, liars: Sequence[Liar]) -> None:
        self.liars = liars
        self.nodes: set[Node] = {liar.node for liar in liars}
        self.names: dict[str, None] = {}
        self._followed: set[tuple[Node, str]] = set()

    def of(self, name: str) -> bool:
        """Whether it is tainted, something above it, or something under it."""
        return any(
            name == other or name.startswith(other + "-") or other.startswith(name + "-")
            for other in self.names
        )

    def ordered(self, reflector: Reflector, message: m.Message) -> None:
        """Note what is in their hands by now."""
        if not self.liars:
            return
        state, slots, session = reflector.state, reflector.model.slots, reflector.session
        if {state.leader, reflector.host.address, *reflector.model.steps.asked} & self.nodes:
            self.names[session] = None
        for i in range(len(slots)):
            if not self.nodes.isdisjoint(slots.ever(i)):
                self.names[f"{session}-{i}"] = None
        for liar in self.liars:
            if liar.node in state.people:
                self._followed.add((liar.node, session))
            believed = not reflector.key or (liar.node, session) in self._followed
            if type(message) is m.Restored and session in liar.brought and believed:
                self.names[session] = None  # the inputs may be what it made up, too
