"""One call of a function of the job, from the view that asked for it to what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from core import Shape, Worker
from core import messages as m
from core.messages import Value
from core.sessions.states import GONE
from transports.work.computing import COLLECT, COMPUTE, KINDS, WHOLE


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


class Whole(Call):
    """Of all functions, for a child session of `shape` that `lead` gave to the view.

    `worker` and `session` are of the session above: nobody has opened this one.
    """

    def __init__(
        self,
        worker: Worker,
        session: str,
        lead: m.Lead,
        shape: Shape,
        began: float,
        seconds: float,
        returned: Callable[[Whole, Value, float], None],
        failed: Callable[[Whole], None],
    ) -> None:
        values = [lead.first.input, shape.plain()]
        super().__init__(worker, session, WHOLE, 0, (), values, began, seconds=seconds)
        self.lead, self.shape = lead, shape
        self.returned, self.failed = returned, failed
        self.given_up = False  # it is opened by now

    @property
    def wanted(self) -> bool:
        """Whether the view still holds that child session."""
        view, lead = self.worker, self.lead
        now = view.lead
        if self.given_up or now is None or not view.takes_part:
            return False
        same = now.child == lead.child and now.epoch == lead.epoch
        return same and bool(view.model.room.holder(lead.child) == view.node)

    @property
    def obsolete(self) -> bool:
        return not self.wanted

    def slot(self, piece: int) -> None:
        return None
