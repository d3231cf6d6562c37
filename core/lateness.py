"""What is late in a session, and who is put on it as well.

Rules it keeps:
- A slot is late when it is in progress for twice as long as slots take there: the median of those
  done. Where none is done it is late after a while. Whoever is idle helps, unless its process
  failed there, or fails just now.
- A child session that is late all the same is led anew by who helps there, and who led it helps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.sessions.messages import Node, process_of
from core.tries import processes_of

if TYPE_CHECKING:
    from core.slots import Slots

LATE_SECONDS = 0.05  # at least
LEAD_SECONDS = 30.0  # at least, until a leader is replaced; until it is helped where none is done


def usual(slots: Slots) -> float | None:
    """The seconds that a slot takes; None where none is done."""
    took = sorted([s for s, done in zip(slots.seconds, slots.done, strict=True) if done])
    return took[len(took) // 2] if took else None


def _patience(slots: Slots) -> float:
    """For how many seconds a slot may be in progress."""
    seconds = usual(slots)
    return LEAD_SECONDS if seconds is None else max(2 * seconds, LATE_SECONDS)


def unhelped(slots: Slots) -> float | None:
    """When a slot becomes late at which others have failed, so that they cannot help."""
    started = [
        slots.started[i]
        for i in slots.failed
        if not (slots.worker[i] is None or slots.done[i] or i in slots.helpers)
    ]
    return min(started) + _patience(slots) if started else None


def overdue(slots: Slots) -> tuple[float, int] | None:
    """When which slot becomes late.

    None where nothing is in progress with which an idle node may help.
    """
    if slots.inputs is None and slots.shape.leaf:
        return None  # nobody could help
    anyone = not (slots.failed or slots.pauses) or not slots.idle
    running = [
        (slots.started[i], i)
        for i, worker in enumerate(slots.worker)
        if worker is not None and not slots.done[i] and i not in slots.helpers
        if anyone or _helper(slots, i) is not None
    ]
    if not running:
        return None
    started, i = min(running)
    return started + _patience(slots), i


def _helper(slots: Slots, i: int) -> Node | None:
    """Who of the idle may help with slot `i`."""
    failed = processes_of(slots.failed.get(i, ())) | slots.paused()
    return next((node for node in slots.idle if process_of(node) not in failed), None)


def helped(slots: Slots, now: float) -> Iterator[tuple[int, Node, Node]]:
    """The slots that are late now, each with who helps from now on, and whom."""
    while slots.idle and (due := overdue(slots)) and due[0] <= now:
        node, worker = _helper(slots, i := due[1]), slots.worker[i]
        if node is None or worker is None:
            return
        slots.rouse(node)
        slots.helpers[i] = node
        yield i, node, worker


def unled(slots: Slots) -> tuple[float, int] | None:
    """When the leader of which child session is to be replaced; each time it takes longer."""
    if slots.shape.leaf or not slots.helpers or (took := usual(slots)) is None:
        return None
    seconds = max(LEAD_SECONDS, 8 * took)
    helped = [i for i in slots.helpers if not slots.done[i] and slots.worker[i] is not None]
    return min([(slots.started[i] + seconds * slots.assigned[i], i) for i in helped], default=None)


def led_anew(slots: Slots, now: float) -> Iterator[tuple[int, Node, Node]]:
    """The child sessions that are led anew, each with who led it and who does from now on."""
    while (due := unled(slots)) and due[0] <= now:
        leader, node = slots.helpers[i := due[1]], slots.worker[i]
        assert node is not None
        slots.free += 1
        slots.give(i, leader, now)
        slots.helpers[i] = node
        yield i, node, leader
