"""What comes of calls: told to the views that asked, and to the trace of this process.

Rules it keeps:
- Where everything is to take a given time, what comes of a call is held back until that time is
  over. It occupies nobody.
- What cannot be read or written is this machine's fault, told apart from what a function raises.
  With a full disk it is tried again after a moment; others help where that is late.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from core.messages import Value
from transports.timers import Timers
from transports.values.files import NoRoom
from transports.watching import Watcher
from transports.work.calls import Call, Whole
from transports.work.computing import COMPUTE, NO_ROOM, PREPARE
from transports.work.printing import ignore

STEP_KEPT = 0.75  # of an estimate, from one time to the next, where less was measured
ROOM_SECONDS = 1.0  # until what there was no room for is tried again


def no_report(call: Call, piece: int, text: str) -> None:
    """For whom it is enough that the view is told."""


class Outcomes:
    """`post` is given what is to be told, `again` a call that is to be begun anew; `lacks` hears
    that there is no room for what comes of one."""

    def __init__(
        self,
        post: Callable[..., None],
        again: Callable[[Call], None],
        lacks: Callable[[NoRoom], None],
        trace: Watcher | None,
    ) -> None:
        self.timers = Timers()  # to be served
        self.step_seconds = 0.0  # that prepare, or collect, takes
        self.trace = trace  # None, too, when it can be written no more
        self.on_raised: Callable[[Call, int, str], None] = no_report
        self.on_printed: Callable[[bytes], None] = ignore
        self._post = post
        self._begin_again = again
        self._lacks = lacks

    def printed(self, data: bytes) -> None:
        """By the functions of the job."""
        self.on_printed(data)

    def began(self, call: Call) -> None:
        if self.trace is not None and call.kind == COMPUTE:
            self.trace.started(call)

    def returned(self, call: Call, value: Value, seconds: float) -> None:
        if isinstance(call, Whole):
            return self._post(call.returned, call, value, seconds)
        worker, session = call.worker, call.session
        if call.kind == COMPUTE:
            seconds = max(seconds, call.until - call.began)
            outcome = partial(self._computed, call, value, seconds)
        else:
            self.step_seconds = max(seconds, STEP_KEPT * self.step_seconds)
            told = worker.prepared if call.kind == PREPARE else worker.collected
            outcome = partial(told, session, value)
        return self._hold(call, outcome)

    def _computed(self, call: Call, outputs: list[Value], seconds: float) -> None:
        if self.trace is not None:
            self.trace.finished(call, seconds)
        call.worker.computed(call.session, tuple(call.slots), outputs, seconds)

    def raised(self, call: Call, piece: int, text: str, local: bool = False) -> None:
        if not call.obsolete:  # else it may have been ended as nobody needs it
            self.on_raised(call, piece, text)
        if isinstance(call, Whole):
            return self._post(call.failed, call)
        told = call.worker.raised
        return self._hold(call, partial(told, call.session, call.slot(piece), text, local))

    def could_not(self, call: Call, piece: int, why: str, fault: int) -> None:
        """A full disk, or a value that is not to be had."""
        if fault == NO_ROOM and not isinstance(call, Whole):
            self._lacks(NoRoom(why))
            self.timers.add(ROOM_SECONDS, partial(self._again, call))
        else:
            self.raised(call, piece, why, local=True)

    def _again(self, call: Call) -> None:
        if call.wanted:
            self._begin_again(call)

    def _hold(self, call: Call, outcome: Callable[[], None]) -> None:
        """Post it when the time is over that the call is to take."""
        left = call.until - trio.current_time()
        if left <= 0:
            self._post(outcome)
        else:
            self.timers.add(left, partial(self._post, outcome))
