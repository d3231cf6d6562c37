"""What is late in a session, and who is put on it as well.

Rules it keeps:
- A slot is late when it is in progress for twice as long as slots take there: the median of those
  done. Where none is done it is late after a while. Whoever is idle helps, of another process if
  there is one, unless its process failed there, or fails just now.
- Who is at a piece that is late, where none of the idle can help, is not counted on any more: the
  piece is others' again, and those who failed at it may try again. The same where somebody helps
  and it takes far longer.
- A child session that is late all the same is led anew by who helps there. Who led it helps next
  where nobody else is idle, so that all have their turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from typing import TYPE_CHECKING, Final

from core.sessions.messages import Node, process_of
from core.tries import HOPELESS_SECONDS, processes_of

if TYPE_CHECKING:
    from core.slots import Slots

LATE_SECONDS: Final = 0.05  # at least
# At least, until a leader is replaced; until it is helped where none is done.
LEAD_SECONDS: Final = 30.0


def usual(slots: Slots) -> float | None:
    """The seconds that a slot takes; None where none is done."""
    took = sorted(compress(slots.seconds, slots.done))
    return took[len(took) // 2] if took else None


def _patience(seconds: float | None) -> float:
    """For how many seconds a slot may be in progress, where that is usual."""
    return LEAD_SECONDS if seconds is None else max(2 * seconds, LATE_SECONDS)


def _far_too_long(seconds: float | None) -> float:
    """The same, until nobody counts on it."""
    return HOPELESS_SECONDS if seconds is None else max(LEAD_SECONDS, 8 * seconds)


def overdue(slots: Slots) -> tuple[float, int] | None:
    """When which slot becomes late.

    None where nothing is in progress with which an idle node may help.
    """
    if slots.inputs is None and slots.leaf:
        return None  # nobody could help
    leaf, seconds = slots.leaf, usual(slots)
    patience, long = _patience(seconds), _far_too_long(seconds)
    anyone = leaf or not (slots.failed or slots.backoffs) or not slots.idle
    return min(
        [
            (slots.started[i] + (long if i in slots.helpers else patience), i)
            for i, worker in enumerate(slots.worker)
            if worker is not None and not slots.done[i]
            if (leaf if i in slots.helpers else anyone or _helper(slots, i) is not None)
        ],
        default=None,
    )


def _helper(slots: Slots, i: int) -> Node | None:
    """Who of the idle may help with slot `i`: of another process than is at it, if there is one."""
    failed = processes_of(slots.failed.get(i, ())) | slots.backoffs.present()
    at_it = processes_of([node for node in slots.holders(i) if node is not None])
    fit = [node for node in slots.idle if process_of(node) not in failed]
    return min(fit, key=lambda node: process_of(node) in at_it, default=None)


def helped(slots: Slots, now: float) -> Iterator[tuple[int, Node, Node]]:
    """The slots that are late now, each with who helps from now on, and whom."""
    while slots.idle and (due := overdue(slots)) and due[0] <= now:
        node, worker = _helper(slots, i := due[1]), slots.worker[i]
        if node is None or worker is None or i in slots.helpers:
            return
        slots.rouse(node)
        slots.helpers[i] = node
        yield i, node, worker


def set_aside(slots: Slots, now: float) -> None:
    """Count no more on those who are at a piece for too long, where the idle cannot help."""
    while slots.leaf and slots.idle and (due := overdue(slots)) and due[0] <= now:
        worker = slots.worker[i := due[1]]
        if worker is None or (i not in slots.helpers and _helper(slots, i) is not None):
            return
        slots.aside[worker] = slots.started[i]
        slots.drop(worker)
        slots.started[i] = now  # where its helper has it now


def unled(slots: Slots) -> tuple[float, int] | None:
    """When the leader of which child session is to be replaced; each time it takes longer."""
    took = None if slots.leaf or not slots.helpers else usual(slots)
    if took is None:
        return None
    seconds = _far_too_long(took)
    helped = [i for i in slots.helpers if not slots.done[i] and slots.worker[i] is not None]
    return min([(slots.started[i] + seconds * slots.assigned[i], i) for i in helped], default=None)


def led_anew(slots: Slots, now: float) -> Iterator[tuple[int, Node]]:
    """The child sessions that are led anew, each with who leads it from now on."""
    while (due := unled(slots)) and due[0] <= now:
        i, other = due[1], _helper(slots, due[1])
        leader, node = slots.helpers.pop(i), slots.worker[i]
        assert node is not None
        slots.recall(i, node)
        slots.free += 1
        slots.give(i, leader, now)
        if other is None:
            slots.helpers[i] = node
        else:
            slots.rest(node)  # behind the other one, whose turn comes when it is late again
        yield i, leader
