"""What holds of the model of a session after every message, whatever happened before."""

from __future__ import annotations

from core import Computation, Session
from core import messages as m
from core.messages import Node, process_of
from sim.search.invariants import SOUND


class Broken(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, detail: str, session: str = "", node: Node = -1) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant
        self.detail = detail
        self.session = session
        self.node = node


def check_sound(state: Session) -> None:
    """Raises Broken where people, slots and counts do not fit together."""
    people, model = state.people, state.model
    assert isinstance(model, Computation)
    slots, idle, leaf = model.slots, model.slots.idle, model.leaf

    def need(good: bool, what: str) -> None:
        if not good:
            raise Broken(SOUND, f"message {state.seq}: {what}", state.name)

    leader = next(iter(people), None)
    need(state.leader == leader, f"{state.leader} leads, and not the first, {leader}")
    open_slots = [i for i, done in enumerate(slots.done) if not done]
    need(
        slots.remaining == len(open_slots),
        f"{slots.remaining} are counted as remaining, but {len(open_slots)} are",
    )
    free = [i for i in open_slots if slots.worker[i] is None]
    need(slots.free == len(free), f"{slots.free} are counted as free, but {len(free)} are")
    held: dict[Node, None] = {}
    for i in open_slots:
        worker, helper = slots.worker[i], slots.helpers.get(i)
        if worker is not None:
            need(worker in people, f"{worker} holds a slot and is not there")
            need(worker not in idle, f"{worker} holds a slot and is idle")
            need(leaf or worker not in held, f"{worker} leads two child sessions")
            held[worker] = None
        if helper is not None:
            need(helper in people and helper not in idle, f"{helper} helps and is idle or gone")
            need(worker not in (None, helper), f"{helper} helps {worker}")
    for node in slots.aside:
        need(leaf and node in people, f"{node} had a piece for too long and is not there")
        need(node not in idle, f"{node} had a piece for too long and is idle")
        need(node not in held, f"{node} had a piece for too long and has another one")
    busy = {*slots.worker, *slots.helpers.values(), *slots.aside}
    for node in people:
        if not (node in state.observers or state.ended or model.steps.failure):
            need(node in idle or node in busy, f"{node} has neither work nor rest")
    need(len({*idle}) == len(idle), f"some of {idle} are idle twice")
    for node in idle:
        need(node in people and node not in state.observers, f"{node} is idle and not there")
    ready = [node for node in idle if process_of(node) not in slots.backoffs.present()]
    if free and ready and not model.steps.failure and (slots.inputs is not None or not leaf):
        tried = [i for i in free if i not in slots.failed]
        need(not tried, f"{ready} are idle beside {len(tried)} free slots")


def check_tried(state: Session, failed: m.Failed) -> None:
    """Raises Broken where who failed a slot just now has it again, and others have not tried it."""
    model = state.model
    assert isinstance(model, Computation)
    slots = model.slots
    if (
        failed.slot is None
        or model.steps.failure
        or slots.done[failed.slot]
        or slots.worker[failed.slot] != failed.node
    ):
        return
    tried = slots.failed.get(failed.slot, ())
    in_vain = [node for node, done in zip(slots.worker, slots.done, strict=True) if done]
    barred = {*tried, *state.observers, *slots.aside, *in_vain}
    others = [n for n in state.people if n not in barred]
    if others and failed.node in tried:
        what = f"message {state.seq}: {failed.node} has slot {failed.slot} again, before {others}"
        raise Broken(SOUND, what, state.name, failed.node)
