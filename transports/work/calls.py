"""One call of a function of the job, from the view that asked for it to what comes of it."""

from __future__ import annotations

from typing import Any

import attrs

from core import Worker
from core.messages import Value
from core.sessions.states import GONE
from transports.work.computing import COLLECT, COMPUTE, KINDS


@attrs.define(eq=False)
class Call:
    """For a view."""

    worker: Worker
    session: str
    kind: int
    first: int  # partition of slot 0
    slots: tuple[int, ...] | list[int]  # or, for prepare, sizes
    values: tuple[Value, ...] | list[Value]
    began: float  # on the loop's clock
    until: float = 0.0  # nothing comes of it before
    seconds: float = 0.0  # that it is likely to take

    @property
    def wanted(self) -> bool:
        """Whether the view is still where it was when it asked."""
        return self.worker.state is not GONE and self.worker.place.session == self.session

    @property
    def obsolete(self) -> bool:
        """Whether nobody needs what comes of it any more, though it may be at work for long."""
        if not self.wanted or self.worker.seat is None:
            return not self.wanted
        model: Any = self.worker.seat.state.model
        slots = model.slots
        if self.kind == COMPUTE:
            return all(slots.done[slot] for slot in self.slots)
        return bool(model.steps.collected) if self.kind == COLLECT else slots.inputs is not None

    def slot(self, piece: int) -> int | None:
        return self.slots[piece] if self.kind == COMPUTE else None

    def where(self, piece: int) -> str:
        """Which piece, for people."""
        slot = self.slot(piece)
        return KINDS[self.kind] if slot is None else f"partition {self.first + slot}"
