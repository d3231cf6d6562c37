"""Whether what has arrived is a whole replica of a session, in which all fits together.

The core goes on with a replica that was brought as it is. So one in which a slot is held by nobody
who is there would end the process that believes it, at some later time.
"""

from __future__ import annotations

from collections import deque
from typing import Any, get_args, get_origin, get_type_hints

import attrs
import msgspec

from core import Computation, Shape
from core.computation import Participant, Slot
from core.messages import Value

FIELDS = frozenset(
    field.name for field in attrs.fields(Computation) if not field.name.startswith("_")
)


def _plain(hint: Any) -> Any:
    """How a field of that type stands in a snapshot."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is deque:
        return list[arguments[0]]  # type: ignore[valid-type]
    if origin is dict:
        key, value = arguments
        return list[key] if value in (None, type(None)) else list[tuple[key, value]]  # type: ignore[valid-type]
    return hint


_HINTS = get_type_hints(Computation)
_Snapshot = msgspec.defstruct(
    "Snapshot",
    [(name, _plain(_HINTS[name])) for name in sorted(FIELDS)],
    forbid_unknown_fields=True,
)


def restored(snapshot: dict[str, Value], shape: Shape, whole: bool = True) -> Computation:
    """The model of a session of that shape; unless it is `whole`, what is done in it must do.

    Raises ValueError with one line.
    """
    try:
        msgspec.convert(snapshot, _Snapshot)
        model = Computation.restore(snapshot)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    for holds, what in (
        (model.shape == shape, "another shape"),
        (len(model.slots) == shape.slots, "so many slots"),
        (len(model.epoch) == shape.session.count("-") + 1 or not whole, "such an epoch"),
        (model.seq >= 0 and model.failures >= 0, "such counts"),
        (all(map(_is_sound, model.people.values())), "such people"),
        (not model.moved or all(isinstance(n, str) for n in model.moved.route), "such a way"),
        (all(map(_has_times, model.slots)), "such times"),
    ):
        if not holds:
            raise ValueError(f"it has {what}")
    misfit = _misfit(model) if whole else None
    if misfit is not None:
        raise ValueError(misfit)
    return model


def _is_sound(person: Participant) -> bool:
    address, pace = person.address, person.pace
    listens = address is None or isinstance(address, str)
    return listens and (pace is None or 0 <= pace < float("inf"))


def _has_times(slot: Slot) -> bool:
    return abs(slot.started) < float("inf") and abs(slot.seconds) < float("inf")


def _misfit(model: Computation) -> str | None:
    """What does not fit together, if anything."""
    people, slots, count = model.people, model.slots, len(model.slots)
    undone = [slot for slot in slots if not slot.done]
    free = [slot for slot in undone if slot.worker is None]
    nobody = not model.moved and any(
        node is not None and node not in people
        for slot in slots
        for node in (slot.worker, slot.helper)
    )
    for wrong, what in (
        (nobody, "a slot is held by nobody who is there"),
        (len(free) != model.free or len(undone) != model.remaining, "its slots are miscounted"),
        (not 0 <= model.fresh <= count, "its fresh slots are not there"),
        (any(not 0 <= i < count for i in model.queue), "its queue has slots that are not there"),
        (not people.keys() >= model.idle.keys(), "somebody is idle who is not there"),
        (model.leader != next(iter(people), None), "it is not led by the first"),
    ):
        if wrong:
            return what
    return None
