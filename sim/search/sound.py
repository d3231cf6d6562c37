"""What holds of the model of a session after every message, whatever happened before."""

from __future__ import annotations

from collections.abc import Iterator

from core import Computation, Session
from core import messages as m
from core.messages import Node, process_of
from core.slots import Slots
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
    model = state.model
    assert isinstance(model, Computation)
    for rule in (_counts, _holders, _people, _use):
        for wrong in rule(state, model):
            raise Broken(SOUND, f"message {state.seq}: {wrong}", state.name)


# -- rules: each yields what breaks it -------------------------------------------------------


def _counts(state: Session, model: Computation) -> Iterator[str]:
    slots = model.slots
    leader = next(iter(state.people), None)
    if state.leader != leader:
        yield f"{state.leader} leads, and not the first, {leader}"
    remaining, free = len(_open(slots)), len(_free(slots))
    if slots.remaining != remaining:
        yield f"{slots.remaining} are counted as remaining, but {remaining} are"
    if slots.free != free:
        yield f"{slots.free} are counted as free, but {free} are"


def _open(slots: Slots) -> list[int]:
    return [i for i, done in enumerate(slots.done) if not done]


def _free(slots: Slots) -> list[int]:
    return [i for i in _open(slots) if slots.worker[i] is None]


def _holders(state: Session, model: Computation) -> Iterator[str]:
    """Who is at a slot, or was for too long."""
    people, slots, idle, leaf = state.people, model.slots, model.slots.idle, model.leaf
    held: dict[Node, None] = {}
    for i in _open(slots):
        worker, helper = slots.worker[i], slots.helpers.get(i)
        if worker is not None:
            if worker not in people:
                yield f"{worker} holds a slot and is not there"
            if worker in idle:
                yield f"{worker} holds a slot and is idle"
            if worker in held and not leaf:
                yield f"{worker} leads two child sessions"
            held[worker] = None
        if helper is not None:
            if helper not in people or helper in idle:
                yield f"{helper} helps and is idle or gone"
            if worker in (None, helper):
                yield f"{helper} helps {worker}"
    for node in slots.aside:
        if not leaf or node not in people:
            yield f"{node} had a piece for too long and is not there"
        if node in idle:
            yield f"{node} had a piece for too long and is idle"
        if node in held:
            yield f"{node} had a piece for too long and has another one"


def _people(state: Session, model: Computation) -> Iterator[str]:
    """Who is there has something to do, or is idle."""
    people, slots, idle = state.people, model.slots, model.slots.idle
    busy = {*slots.worker, *slots.helpers.values(), *slots.aside}
    for node in people if not (state.ended or model.steps.failure) else ():
        if not (node in state.observers or node in idle or node in busy):
            yield f"{node} has neither work nor rest"
    if len({*idle}) != len(idle):
        yield f"some of {idle} are idle twice"
    for node in idle:
        if node not in people or node in state.observers:
            yield f"{node} is idle and not there"


def _use(state: Session, model: Computation) -> Iterator[str]:
    """Nobody is idle while there is something to do for one more."""
    slots, free = model.slots, _free(model.slots)
    ready = [node for node in slots.idle if process_of(node) not in slots.backoffs.present()]
    if free and ready and not model.steps.failure and (slots.inputs is not None or not model.leaf):
        untried = [i for i in free if i not in slots.failed]
        if untried:
            yield f"{ready} are idle beside {len(untried)} free slots"


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
