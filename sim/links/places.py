"""Nodes at places, and links as long as it was measured from place to place.

Every node, the submitter too, is at one of the places of a table, drawn from the seed, each as
likely as another. A link's delay, one way, is half the round trip of the two places.
"""

from __future__ import annotations

from array import array
from random import Random
from typing import Any

from core.messages import Node
from sim.clock import Clock, Function
from sim.links.lines import Lines
from sim.measured.places import Places


class PlacedLines(Lines):
    """Where each node is, and lines as long as it is from place to place."""

    def __init__(self, clock: Clock, places: Places, nodes: int, seed: str) -> None:
        count = len(places.names)
        self.places = array("H", Random(seed).choices(range(count), k=nodes + 1))  # by node
        self._ticks = [
            [round(round_trip / 2000 / clock.tick_seconds) for round_trip in row]
            for row in places.milliseconds
        ]
        super().__init__(clock, max(map(max, self._ticks)))

    def ticks(self, one: Node, other: Node) -> int:
        return self._ticks[self.places[one]][self.places[other]]

    def carry(self, sender: Node, receiver: Node, action: Function, a: Any, b: Any, c: Any) -> int:
        tick = self.clock.tick
        if sender != receiver:
            tick += self.ticks(sender, receiver)
        self.clock.put(tick, (action, a, b, c))
        return tick
