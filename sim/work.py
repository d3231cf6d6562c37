"""Runs the functions of a job at the moment that the simulated clock says they are done."""

from __future__ import annotations

import os
import reprlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

from core import Worker
from core import messages as m
from core.messages import Node, Value
from core.sessions.states import GONE
from plugins.console import signals
from plugins.console.tables import SECONDS_MAX
from plugins.jobs.failing import is_local, overtime, told
from plugins.jobs.loading import Job, cut
from plugins.jobs.values import SCALARS, all_given, all_plain, given, plain
from sim.clock import Clock

if TYPE_CHECKING:
    from plugins.tracing.recorder import Recorder


NEVER: Final = 2**60  # ticks
SMALL_MAX: Final = 2**60  # of integers, which compiled code compares fastest
NOTHING_WORKS = "no function of the job works on this node"


class Work:
    """A job, and how long each of its functions takes in simulated time.

    `delay_ticks` is a table of draws for every call; without one, compute takes what the job's
    own `cost` says, else `piece_seconds`, and the rest no time. What takes longer than
    `piece_timeout` seconds fails by then.
    """

    def __init__(
        self,
        job: Job,
        clock: Clock,
        delay_ticks: list[int] | None,
        piece_seconds: float = 0.0,
        piece_timeout: float | None = None,
    ) -> None:
        self.job = job.synchronous()
        self._function = self.job.compute
        self.clock = clock
        self.delay_ticks = delay_ticks
        self._mask = len(delay_ticks or [0]) - 1
        self._piece_ticks = clock.ticks(piece_seconds)
        self._timeout = piece_timeout
        self._done = self._computed  # bound once: each call under way would keep one of its own
        self.running = 0  # calls that have begun and not ended
        self.trace: Recorder | None = None
        self.slow: dict[Node, float] = {}  # nodes on which all takes so many times as long
        self.slow_always: dict[Node, float] = {}  # the same, whatever is healed
        self.broken: dict[Node, None] = {}  # nodes on which every function raises
        self.hanging: dict[Node, None] = {}  # nodes on which no function ends

    def heal(self) -> None:
        """No node is broken any more, nor will anything hang."""
        self.broken.clear()
        self.hanging.clear()

    def compute(self, worker: Worker, command: m.Compute) -> None:
        self.running += 1
        if self.trace is not None:
            self.trace.started(self.clock.now, worker.node, command)
        try:
            if self._timeout is not None and self._takes_too_long(worker, command):
                return None
            ticks = self._slowed(worker, self._compute_ticks(worker.node, command))
        except BaseException as error:  # noqa: BLE001 - of the job's cost
            why = self._told(error)
            return self.clock.at(self.clock.tick, (self._cost_failed, worker, command, why))
        return self._end_after(ticks, (self._done, worker, command, ticks))

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        self.running += 1
        done = self._prepared, worker, session, (value, sizes)
        self._step(self._slowed(worker, self._leader_ticks(worker, 1)), "prepare", done)

    def collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        self.running += 1
        done = self._collected, worker, session, outputs
        self._step(self._slowed(worker, self._leader_ticks(worker, 2)), "collect", done)

    def _step(self, ticks: int, what: str, done: tuple[Any, ...]) -> None:
        """Have prepare or collect be done after so many ticks, if it may take so many."""
        limit = None if self._timeout is None else self.clock.ticks(self._timeout)
        if limit is not None and ticks > limit:
            done = self._overtime, done[1], done[2], (None, what)
        self._end_after(ticks if limit is None else min(ticks, limit), done)

    def _end_after(self, ticks: int, done: tuple[Any, ...]) -> None:
        """Have what has begun be done after so many ticks, or never."""
        if ticks < NEVER:
            self.clock.at(self.clock.tick + ticks, done)
        else:
            self.running -= 1  # nothing comes of it

    def _takes_too_long(self, worker: Worker, command: m.Compute) -> bool:
        """Whether a piece does; then it fails when its time is over."""
        assert self._timeout is not None
        ticks, limit = 0, self.clock.ticks(self._timeout)
        for slot, value in zip(command.slots, command.inputs, strict=True):
            one = m.Compute(command.session, command.first, (slot,), (value,))
            piece = self._slowed(worker, self._compute_ticks(worker.node, one))
            ticks += min(piece, limit)
            if piece > limit:
                what = slot, f"partition {command.first + slot}"
                due = self.clock.tick + ticks
                self.clock.at(due, (self._overtime, worker, command.session, what))
                return True
        return False

    def _overtime(self, worker: Worker, session: str, what: tuple[int | None, str]) -> None:
        self.running -= 1
        if worker.state is not GONE:
            slot, where = what
            worker.raised(session, slot, overtime(self._timeout or 0.0, where))

    def _slowed(self, worker: Worker, ticks: int) -> int:
        if not (self.slow or self.slow_always or self.hanging):
            return ticks
        node = worker.node
        if node in self.hanging:
            return NEVER
        return round(ticks * self.slow.get(node, 1.0) * self.slow_always.get(node, 1.0))

    def _require_whole(self, worker: Worker) -> None:
        """Raises RuntimeError on a node on which nothing works."""
        if worker.node in self.broken:
            raise RuntimeError(NOTHING_WORKS)

    def _leader_ticks(self, worker: Worker, kind: int) -> int:
        if self.delay_ticks is None:
            return 0
        draw = worker.node * 3 + len(worker.place.route) * 101 + kind
        return self.delay_ticks[draw & self._mask]

    def _compute_ticks(self, node: int, command: m.Compute) -> int:
        table = self.delay_ticks
        if table is not None:
            ticks, drawn = 0, node * 3 + command.first
            for slot in command.slots:
                ticks += table[(drawn + slot) & self._mask]
            return ticks
        cost = self.job.cost
        if cost is None:
            return self._piece_ticks * len(command.slots)
        partitions = [command.first + slot for slot in command.slots]
        pieces = zip(command.inputs, partitions, strict=True)
        return self.clock.ticks(sum([_seconds(cost(given(value), i)) for value, i in pieces]))

    def _computed(self, worker: Worker, command: m.Compute, ticks: int) -> None:
        self.running -= 1
        if worker.state is GONE:
            return
        compute, partition = self._function, command.first
        outputs: list[Value] = []
        slots, inputs = command.slots, command.inputs
        try:
            if self.broken:
                self._require_whole(worker)
            for nth, slot in enumerate(slots):
                value = inputs[nth]
                own = value if type(value) in SCALARS else given(value)
                output = compute(own, partition + slot)
                small = type(output) is int and -SMALL_MAX <= output <= SMALL_MAX  # most are
                outputs.append(output if small else plain(output))
        except BaseException as error:  # noqa: BLE001 - whatever a job raises is its result
            slot = slots[len(outputs)]
            worker.raised(command.session, slot, *self._told(error))
        else:
            seconds = ticks * self.clock.tick_seconds
            if self.trace is not None:
                self.trace.finished(self.clock.now, worker.node, command, seconds)
            worker.computed(command.session, slots, outputs, seconds)

    def _cost_failed(self, worker: Worker, command: m.Compute, why: tuple[str, bool]) -> None:
        self.running -= 1
        if worker.state is not GONE:
            worker.raised(command.session, command.slots[0], *why)

    @staticmethod
    def _told(error: BaseException) -> tuple[str, bool]:
        """What to say of it, and whether it is the machine's fault.

        Raises it again where it is not of the job's making.
        """
        if signals.is_ours(error):
            raise error
        return told(error), is_local(error)

    def _prepared(self, worker: Worker, session: str, arguments: tuple[Value, list[int]]) -> None:
        self.running -= 1
        if worker.state is GONE:
            return
        try:
            self._require_whole(worker)
            value, sizes = arguments
            found = self.job.prepare(given(value), list(sizes))
            inputs = all_plain(cut(found, len(sizes)))
        except BaseException as error:  # noqa: BLE001 - whatever a job raises is its result
            worker.raised(session, None, *self._told(error))
        else:
            worker.prepared(session, inputs)

    def _collected(self, worker: Worker, session: str, outputs: Sequence[Value]) -> None:
        self.running -= 1
        if worker.state is GONE:
            return
        try:
            self._require_whole(worker)
            output = plain(self.job.collect(all_given(outputs)))
        except BaseException as error:  # noqa: BLE001 - whatever a job raises is its result
            worker.raised(session, None, *self._told(error))
        else:
            worker.collected(session, output)


def _seconds(cost: Any) -> float:
    """What a job says that a piece takes. Raises ValueError for no number of seconds."""
    if not isinstance(cost, int | float) or not 0 <= cost <= SECONDS_MAX:
        shown = reprlib.repr(cost)
        raise ValueError(f"cost returned {shown}: return seconds, from 0 to {SECONDS_MAX:g}")
    return cost


@contextmanager
def exits_caught() -> Iterator[None]:
    """While it lasts, `os._exit` in a job's function is a failure of the job's, as it is where
    jobs have a process of their own. A process that was forked there may leave, or a thread."""
    really, own = os._exit, (os.getpid(), threading.get_ident())

    def leave(status: int) -> NoReturn:
        if (os.getpid(), threading.get_ident()) != own:
            really(status)
        raise SystemExit(f"os._exit({status!r}) was called")

    os._exit = leave
    try:
        yield
    finally:
        os._exit = really
