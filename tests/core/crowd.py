"""Slots as they are set up by hand, and the people that they see."""

from __future__ import annotations

from core import Shape
from core.messages import Node
from core.slots import Slots
from tests.wired import wired


def copied(slots: Slots) -> Slots:
    made = Slots(slots.shape)
    made.load(wired(slots.plain()))
    return made


class Crowd:
    """The people of a session, as slots see them."""

    def __init__(self, *nodes: Node, observers: tuple[Node, ...] = ()) -> None:
        self.people: dict[Node, None] = dict.fromkeys((*observers, *nodes))
        self.observers = observers

    @property
    def workers(self) -> int:
        return len(self.people) - len(self.observers)


def prepared(partitions: int, fanout: int = 100) -> Slots:
    slots = Slots(Shape.root(partitions, fanout))
    slots.inputs = [f"in {i}" for i in range(len(slots))]
    return slots


def helped(partitions: int) -> Slots:
    """Of three slots the first is done, 2 and 3 are at the others, and 1 helps 2; 4 is idle."""
    slots, crowd = prepared(partitions, 3), Crowd(1, 2, 3, 4)
    for node in (1, 2, 3):
        slots.take(node, crowd, 0.0)
    slots.accept(0, "out", 1.0)
    slots.worker[0] = None
    slots.rest(4)
    slots.helpers[1] = 1
    return slots
