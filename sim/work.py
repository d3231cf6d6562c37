"""Runs the functions of a job at the moment that the simulated clock says they are done."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core import Worker
from core import messages as m
from core.messages import Node, Value
from core.sessions.digest import canonical
from core.sessions.states import GONE
from plugins.loading import Job
from sim.clock import Clock

if TYPE_CHECKING:
    from plugins.tracing.recorder import Recorder


class Work:
    """A job, and how long each of its functions takes in simulated time.

    `delay_ticks` is a table of draws for every call; without one, compute takes what the job's
    own `cost` says, else `piece_seconds`, and the rest no time.
    """

    def __init__(
        self, job: Job, clock: Clock, delay_ticks: list[int] | None, piece_seconds: float = 0.0
    ) -> None:
        self.job = job.synchronous()
        self.clock = clock
        self.delay_ticks = delay_ticks
        self._mask = len(delay_ticks or [0]) - 1
        self._piece_ticks = clock.ticks(piece_seconds)
        self.calls = {"prepare": 0, "compute": 0, "collect": 0}
        self.running = 0  # calls that have begun and not ended
        self.trace: Recorder | None = None
        self.slow: dict[Node, float] = {}  # nodes on which all takes so many times as long

    def compute(self, worker: Worker, command: m.Compute) -> None:
        self.running += 1
        if self.trace is not None:
            self.trace.started(self.clock.now, worker.node, command)
        ticks = self._slowed(worker, self._compute_ticks(worker.node, command))
        self.clock.at(self.clock.tick + ticks, (self._computed, worker, command, ticks))

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        self.running += 1
        due = self.clock.tick + self._slowed(worker, self._leader_ticks(worker, 1))
        self.clock.at(due, (self._prepared, worker, session, (value, sizes)))

    def collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        self.running += 1
        due = self.clock.tick + self._slowed(worker, self._leader_ticks(worker, 2))
        self.clock.at(due, (self._collected, worker, session, outputs))

    def _slowed(self, worker: Worker, ticks: int) -> int:
        return round(ticks * self.slow.get(worker.node, 1.0)) if self.slow else ticks

    def _leader_ticks(self, worker: Worker, kind: int) -> int:
        if self.delay_ticks is None:
            return 0
        draw = worker.node * 3 + len(worker.place.route) * 101 + kind
        return self.delay_ticks[draw & self._mask]

    def _compute_ticks(self, node: Node, command: m.Compute) -> int:
        table, cost = self.delay_ticks, self.job.cost
        if table is None and cost is None:
            return self._piece_ticks * len(command.slots)
        partitions = [command.first + slot for slot in command.slots]
        if table is not None:
            return sum([table[(node * 3 + partition) & self._mask] for partition in partitions])
        assert cost is not None
        return self.clock.ticks(sum(map(cost, command.inputs, partitions)))

    def _computed(self, worker: Worker, command: m.Compute, ticks: int) -> None:
        self.running -= 1
        if worker.state is GONE:
            return
        compute, partition = self.job.compute, command.first
        outputs: list[Value] = []
        self.calls["compute"] += len(command.slots)
        try:
            for slot, value in zip(command.slots, command.inputs, strict=True):
                outputs.append(_plain(compute(value, partition + slot)))
        except (Exception, SystemExit):  # noqa: BLE001 - whatever a job raises is its result
            slot = command.slots[len(outputs)]
            worker.raised(command.session, slot, traceback.format_exc())
        else:
            seconds = ticks * self.clock.tick_seconds
            if self.trace is not None:
                self.trace.finished(self.clock.now, worker.node, command, seconds)
            worker.computed(command.session, command.slots, outputs, seconds)

    def _prepared(self, worker: Worker, session: str, arguments: tuple[Value, list[int]]) -> None:
        self.running -= 1
        if worker.state is GONE:
            return
        self.calls["prepare"] += 1
        try:
            inputs = _plain(list(self.job.prepare(*arguments)))
        except (Exception, SystemExit):  # noqa: BLE001 - whatever a job raises is its result
            worker.raised(session, None, traceback.format_exc())
        else:
            worker.prepared(session, inputs)

    def _collected(self, worker: Worker, session: str, outputs: Sequence[Value]) -> None:
        self.running -= 1
        if worker.state is GONE:
            return
        self.calls["collect"] += 1
        try:
            output = _plain(self.job.collect(outputs))
        except (Exception, SystemExit):  # noqa: BLE001 - whatever a job raises is its result
            worker.raised(session, None, traceback.format_exc())
        else:
            if self.trace is not None:
                self.trace.collected(self.clock.now, worker.node, session)
            worker.collected(session, output)


_SCALARS = frozenset({type(None), bool, int, float, str, bytes})


def _plain(value: Value) -> Value:
    """The value, if it could travel as it is. Raises TypeError if it is not plain data."""
    kind = type(value)
    if kind is list or kind is tuple:
        for item in value:
            if type(item) not in _SCALARS:
                _plain(item)
    elif kind not in _SCALARS:
        canonical(value)
    return value
