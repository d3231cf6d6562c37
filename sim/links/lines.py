"""What carries messages from node to node: each pair of nodes has a line, with its delay.

Lines that hold are here, and say what others are to do: those between places (`places.py`), and
those that fail (`failing.py`), which put themselves in front of any.
"""

from __future__ import annotations

from typing import Any

from mypy_extensions import mypyc_attr

from core.messages import Node
from sim.clock import NEAR, Clock, Function


@mypyc_attr(allow_interpreted_subclasses=True)
class Lines:
    """Lines between nodes. Nothing overtakes on one, either way."""

    def __init__(self, clock: Clock, longest_ticks: int) -> None:
        self.clock = clock
        self.longest_ticks = longest_ticks  # that a message takes on any of them

    def carry(self, sender: int, receiver: int, action: Function, a: Any, b: Any, c: Any) -> int:
        """Do that, with these, when it has passed the line between the two; returns the tick."""
        raise NotImplementedError

    def ticks(self, one: Node, other: Node) -> int:
        """How long a message takes from one to the other, either way."""
        raise NotImplementedError

    def cut(self, one: Node, other: Node) -> None:
        """The connection of the two is closed."""


class DrawnLines(Lines):
    """Lines whose delays are drawn: a power of two of them, looked up by the two numbers."""

    def __init__(self, clock: Clock, table: list[int]) -> None:
        super().__init__(clock, max(table))
        self._table = table
        self._mask = len(table) - 1

    def carry(self, sender: int, receiver: int, action: Function, a: Any, b: Any, c: Any) -> int:
        clock = self.clock
        tick = clock.tick
        if sender != receiver:
            tick += self._table[(sender + receiver) & self._mask]
        due = clock.near[tick & NEAR]  # as in `Clock.due_at`: this is the way of most messages
        if due.tick != tick:
            due = clock.search(tick)
        entries = due.entries
        entries.append(action)
        entries.append(a)
        entries.append(b)
        entries.append(c)
        return tick

    def ticks(self, one: Node, other: Node) -> int:
        return self._table[(one + other) & self._mask]
