"""Runs the functions of a job in one thread, many short calls in one go."""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from core import Worker
from core import messages as m
from core.messages import Value
from core.worker import GONE
from plugins.loading import Job
from transports.wire import plain

GO_SECONDS = 0.02  # after so long the thread brings back what it has

Outcome = Callable[[], None]  # tells the view what came of a call


class Work:
    """The job of one process. `post` is given the outcomes, to be called between two messages."""

    def __init__(self, job: Job, post: Callable[..., None]) -> None:
        self.job = job
        self._post = post
        self._calls: deque[Callable[[], Outcome | None]] = deque()
        self._more = trio.lowlevel.ParkingLot()

    async def run(self) -> None:
        """Serve for ever."""
        while True:
            if not self._calls:
                await self._more.park()
            outcomes = await trio.to_thread.run_sync(self._go, abandon_on_cancel=True)
            for outcome in outcomes:
                self._post(outcome)

    def _go(self) -> list[Outcome]:
        until = time.perf_counter() + GO_SECONDS
        outcomes: list[Outcome] = []
        while self._calls and (not outcomes or time.perf_counter() < until):
            outcome = self._calls.popleft()()
            if outcome is not None:
                outcomes.append(outcome)
        return outcomes

    def _add(self, call: Callable[..., Outcome | None], *arguments: Any) -> None:
        self._calls.append(partial(call, *arguments))
        self._more.unpark()

    # -- the port of the views -------------------------------------------------------------

    def compute(self, worker: Worker, command: m.Compute) -> None:
        self._add(self._compute, worker, command)

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        self._add(self._prepare, worker, session, value, sizes)

    def collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        self._add(self._collect, worker, session, outputs)

    # -- in the thread ---------------------------------------------------------------------

    def _compute(self, worker: Worker, command: m.Compute) -> Outcome | None:
        session, slots = command.session, command.slots
        if worker.state is GONE or worker.place.session != session:
            return None
        began = time.perf_counter()
        outputs: list[Value] = []
        try:
            for slot, value in zip(slots, command.inputs, strict=True):
                outputs.append(plain(self.job.compute(value, command.first + slot)))
        except Exception:  # noqa: BLE001 - whatever a job raises is the job's result
            error = traceback.format_exc()
            return partial(worker.raised, session, slots[len(outputs)], error)
        seconds = time.perf_counter() - began
        return partial(worker.computed, session, slots, outputs, seconds)

    def _prepare(
        self, worker: Worker, session: str, value: Value, sizes: list[int]
    ) -> Outcome | None:
        try:
            inputs = plain(list(self.job.prepare(value, sizes)))
        except Exception:  # noqa: BLE001 - whatever a job raises is the job's result
            return partial(worker.raised, session, None, traceback.format_exc())
        return partial(worker.prepared, session, inputs)

    def _collect(self, worker: Worker, session: str, outputs: list[Value]) -> Outcome | None:
        try:
            output = plain(self.job.collect(outputs))
        except Exception:  # noqa: BLE001 - whatever a job raises is the job's result
            return partial(worker.raised, session, None, traceback.format_exc())
        return partial(worker.collected, session, output)
