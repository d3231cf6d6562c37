"""Who may say what in a computation: the role for each message, and what it may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import messages as m
from core.losses import may_be_lost
from core.messages import Node
from core.sessions.model import Right
from core.sessions.roles import COUNTS, HOLDER, LEADER, MEMBER, OFFENCE, PASSED_OVER, Role, Verdict
from core.slots import Slots
from core.tries import SECONDS_MAX

if TYPE_CHECKING:
    from core.computation import Computation


def _of_finished(model: Computation, node: Node, finished: m.Finished) -> Verdict:
    numbers = finished.slots
    if not (0 < len(numbers) == len(finished.outputs) and 0 <= finished.seconds < SECONDS_MAX):
        return OFFENCE
    if finished.lost is not None and not _may_lose(model, finished.lost, *numbers):
        return OFFENCE
    return _gave(model.slots, node, numbers)


def _may_lose(model: Computation, lost: m.Loss, slot: int, *more: int) -> bool:
    """Whether that can be what was lost in one child session."""
    alone = not (more or model.leaf) and 0 <= slot < len(model.slots)
    return alone and may_be_lost(model.shape, slot, lost)


def _of_failed(model: Computation, node: Node, failed: m.Failed) -> Verdict:
    slot, failure, shape = failed.slot, failed.failure, model.shape
    if slot is None:
        own = failure.session == shape.session and failure.partition is None and not failed.final
        return COUNTS if own else OFFENCE
    if not 0 <= slot < len(model.slots) or (model.leaf and (failed.final or failed.tried)):
        return OFFENCE  # what is carried up was tried further down
    if model.leaf:
        there = failure.session == shape.session and failure.partition == shape.first + slot
    else:
        there = f"{failure.session}-".startswith(f"{shape.session}-{slot}-")
    return _gave(model.slots, node, (slot,)) if there else OFFENCE


def _of_prepared(model: Computation, node: Node, prepared: m.Prepared) -> Verdict:
    if len(prepared.inputs) != len(model.slots):
        return OFFENCE
    return COUNTS if model.steps.takes(m.Prepare, node) else PASSED_OVER


def _of_collected(model: Computation, node: Node, collected: m.Collected) -> Verdict:
    return COUNTS if model.steps.takes(m.Collect, node) else PASSED_OVER


def _gave(slots: Slots, node: Node, numbers: tuple[int, ...]) -> Verdict:
    """Whether each of these slots that is not done is, or was, given to `node`."""
    worker = slots.worker
    for i in numbers:
        if not 0 <= i < len(worker):
            return OFFENCE
        if worker[i] != node and not slots.done[i] and node not in slots.ever(i):
            return PASSED_OVER
    return COUNTS


SAYS: dict[type, Role] = {
    m.Given: LEADER,
    m.Prepared: MEMBER,
    m.Collected: MEMBER,
    m.Finished: HOLDER,
    m.Failed: HOLDER,
}
RIGHTS: dict[type, Right] = {
    m.Prepared: _of_prepared,
    m.Collected: _of_collected,
    m.Finished: _of_finished,
    m.Failed: _of_failed,
}
