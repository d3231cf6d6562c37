"""What holds of the model of a session after every message, whatever happened before."""

from __future__ import annotations

from core import Computation
from core.messages import Node
from sim.search.invariants import SOUND


class Broken(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, detail: str, session: str = "", node: Node = -1) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant
        self.detail = detail
        self.session = session
        self.node = node


def check_sound(model: Computation) -> None:
    """Raises Broken where people, slots and counts do not fit together."""
    people, idle, session = model.people, model.idle, model.shape.session

    def need(good: bool, what: str) -> None:
        if not good:
            raise Broken(SOUND, f"message {model.seq}: {what}", session)

    leader = next(iter(people), None)
    need(model.leader == leader, f"{model.leader} leads, and not the first, {leader}")
    open_slots = [slot for slot in model.slots if not slot.done]
    need(
        model.remaining == len(open_slots),
        f"{model.remaining} are counted as remaining, but {len(open_slots)} are",
    )
    free = sum([slot.worker is None for slot in open_slots])
    need(model.free == free, f"{model.free} are counted as free, but {free} are")
    held: dict[Node, None] = {}
    for slot in open_slots:
        worker, helper = slot.worker, slot.helper
        if worker is not None:
            need(worker in people, f"{worker} holds a slot and is not there")
            need(worker not in idle, f"{worker} holds a slot and is idle")
            need(model.shape.leaf or worker not in held, f"{worker} leads two child sessions")
            held[worker] = None
        if helper is not None:
            need(helper in people and helper not in idle, f"{helper} helps and is idle or gone")
            need(worker not in (None, helper), f"{helper} helps {worker}")
    busy = {node for slot in model.slots for node in (slot.worker, slot.helper)}
    for node, person in people.items():
        if not (person.observes or model.ended or model.failure):
            need(node in idle or node in busy, f"{node} has neither work nor rest")
    for node in idle:
        need(node in people and not people[node].observes, f"{node} is idle and not there")
    if free and idle and not model.failure and (model.prepared or not model.shape.leaf):
        tried = [slot for slot in open_slots if slot.worker is None and not slot.failed]
        need(not tried, f"{list(idle)} are idle beside {len(tried)} free slots")
