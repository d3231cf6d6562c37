"""The core's port for the functions of a job, none of which is to hold the loop up.

Rules it keeps:
- Functions run in computing processes, as many at the same time as there are cores for them; only
  an `async def compute` runs in the loop. Prepare and collect go before compute, for which a whole
  session waits; otherwise what came first is done first, for all nodes alike.
- A call is handed on as it came, however many pieces it has. A computing process is given as many
  calls as keep it busy for a moment; those that it does not reach in time are queued again.
- What a computing process was at when it died has failed; what else it had is queued again.
- A node that has gone elsewhere does not want what it asked for: that is not begun. A computing
  process that is for long at what others have done by now is ended where somebody waits for it.
- Where everything is to take a given time, the functions run at once, and what comes of them is
  held back until that time is over. It occupies nobody.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio

from core import Worker
from core import messages as m
from core.messages import Node, Value
from plugins.jobs.failing import is_local, overtime, told
from plugins.jobs.values import given
from transports.process.timers import Timers
from transports.values.blobs import BlobError, NoRoom, is_handle, loaded
from transports.watching import Watcher
from transports.work.computing import (
    COLLECT,
    COMPUTE,
    MISSING,
    NO_ROOM,
    OF_THE_JOB,
    OF_THE_MACHINE,
    PREPARE,
    Answer,
    checked,
    fault_of,
)
from transports.work.crew import Call, Computer, Started
from transports.work.jobs import Chosen

AHEAD_SECONDS = 0.04  # of work are given to a computing process
LOOK_SECONDS = 0.05  # what takes longer than from one look to the next is to hold nobody else up
PACE_SECONDS = 0.02  # a piece, so long as nothing is known
AHEAD_CALLS = 64
PACE_SHARE = 0.25  # of the newest measurement
ROOM_SECONDS = 1.0  # until what there was no room for is tried again

Fetch = Callable[[Value, str], Awaitable[Value]]


def _ignore(error: NoRoom) -> None:
    pass


class Work:
    """The job of one process. `post` is given what came of a call, to be done between two messages.

    `fetch(handle, session)` returns the handle of a large value that is in `folder` by then, or the
    value itself where there is no room for it; what it raises is the call's failure. `lacks` hears
    that there is no room for what comes of a call. `delay` draws how many seconds each function is
    made to take. What takes longer than `piece_timeout` seconds is ended.
    """

    def __init__(
        self,
        chosen: Chosen,
        post: Callable[..., None],
        folder: Path,
        fetch: Fetch,
        cores: int,
        delay: Callable[[], float] | None = None,
        reserve: list[Started] | None = None,
        trace: Watcher | None = None,
        piece_timeout: float | None = None,
        lacks: Callable[[NoRoom], None] = _ignore,
    ) -> None:
        self.trace = trace
        self._lacks = lacks
        self.job = chosen.job
        self._setup: dict[str, object] = {
            "name": chosen.name,
            "parts": chosen.parts,
            "folder": str(folder),
        }
        self._post = post
        self._folder = folder
        self._fetch = fetch
        self._cores = cores
        self._delay = delay
        self._timeout = piece_timeout
        self._reserve = [] if reserve is None else reserve
        self._urgent: deque[Call] = deque()
        self._queue: deque[Call] = deque()
        self._computers: list[Computer] = []
        self._pace = PACE_SECONDS
        self._own: dict[Node, deque[Call]] = {}  # that run in the loop
        self._timers = Timers()
        self._busy = trio.lowlevel.ParkingLot()
        self._early: list[tuple[Any, ...]] = []
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Serve until cancelled; then the computing processes are ended."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._timers.run)
                nursery.start_soon(self._look)
                for early in self._early:
                    nursery.start_soon(*early)
                if not self.job.asynchronous:
                    self._hire()  # the first call is not to wait for it
                self._fill()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    # -- the port of the views -------------------------------------------------------------

    def compute(self, worker: Worker, command: m.Compute) -> None:
        self._add(worker, command.session, COMPUTE, command.first, command.slots, command.inputs)

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        self._add(worker, session, PREPARE, 0, sizes, [value])

    def collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        self._add(worker, session, COLLECT, 0, [], outputs)

    def _add(
        self,
        worker: Worker,
        session: str,
        kind: int,
        first: int,
        slots: tuple[int, ...] | list[int],
        values: tuple[Value, ...] | list[Value],
    ) -> None:
        call = Call(worker, session, kind, first, slots, values, trio.current_time())
        if self._delay is not None:
            pieces = len(slots) if kind == COMPUTE else 1
            call.until = call.began + sum([self._delay() for _ in range(pieces)])
        self._fetch_and_begin(call)

    def _fetch_and_begin(self, call: Call) -> None:
        values = enumerate(call.values)
        handles = [i for i, value in values if type(value) is dict and is_handle(value)]
        if handles:
            self._soon(self._fetch_first, call, handles)
        else:
            self._begin(call)

    def _soon(self, *task: Any) -> None:
        if self._nursery is None:
            self._early.append(task)
        else:
            self._nursery.start_soon(*task)

    async def _fetch_first(self, call: Call, handles: list[int]) -> None:
        failures: dict[int, Exception] = {}
        values = call.values = list(call.values)
        async with trio.open_nursery() as nursery:
            for index in handles:
                nursery.start_soon(self._fetch_one, call.session, index, values, failures)
        if failures:
            index = min(failures)
            error = failures[index]
            fault = fault_of(error) if isinstance(error, BlobError) else MISSING
            self._could_not(call, index, str(error) or type(error).__name__, fault)
        else:
            self._begin(call)

    async def _fetch_one(
        self, session: str, index: int, values: list[Value], failures: dict[int, Exception]
    ) -> None:
        try:
            values[index] = await self._fetch(values[index], session)
        except Exception as error:  # noqa: BLE001 - whatever it is, the call cannot begin
            failures[index] = error

    def _begin(self, call: Call) -> None:
        if call.kind == COMPUTE and self.job.asynchronous:
            self._begin_here(call)
        else:
            (self._queue if call.kind == COMPUTE else self._urgent).append(call)
            self._fill()

    # -- in the computing processes --------------------------------------------------------

    def _fill(self) -> None:
        """Give the computing processes what they have room for."""
        while self._urgent or self._queue:
            computer = self._next_computer()
            if computer is None:
                self._busy.unpark()
                return
            call = (self._urgent or self._queue).popleft()
            if call.wanted:
                compute = call.kind == COMPUTE
                call.seconds = self._pace * len(call.slots) if compute else PACE_SECONDS
                computer.give(call)
                if self._is_to_look():
                    self._busy.unpark()

    def _next_computer(self) -> Computer | None:
        if self._nursery is None:
            return None
        room = [one for one in self._computers if _has_room(one)]
        best = min(room, key=lambda one: one.seconds, default=None)
        if (best is None or best.calls) and len(self._computers) < self._cores:
            return self._hire()
        return best

    def _hire(self) -> Computer:
        told = self._answered, self._fill, self._ended
        begun = None if self.trace is None else self._began
        computer = Computer(self._setup, *told, self._reserve, begun)
        self._computers.append(computer)
        self._soon(computer.run)
        return computer

    async def _look(self) -> None:
        """Every moment, while somebody has more than one call, take back what must wait there."""
        while True:
            if not self._is_to_look():
                await self._busy.park()
            await trio.sleep(LOOK_SECONDS)
            for computer in self._computers:
                self._again(computer.look())
            if self._waiting():
                for computer in self._computers:
                    if computer.is_at_nothing():
                        computer.end()
            if self._timeout is not None:
                for computer in self._computers:
                    computer.limit(self._timeout)
            self._fill()

    def _is_to_look(self) -> bool:
        """Whether somebody may have to wait for what takes long, or that is to be ended."""
        most = 1 if self._timeout is None else 0
        return any(len(one.calls) > most for one in self._computers) or self._waiting()

    def _waiting(self) -> bool:
        """Whether something is to be begun for which there is no room."""
        return bool(self._urgent or self._queue)

    def _again(self, calls: list[Call]) -> None:
        """Back to where they came from, before all others."""
        self._queue.extendleft(call for call in reversed(calls) if call.kind == COMPUTE)
        self._urgent.extendleft(call for call in reversed(calls) if call.kind != COMPUTE)

    def _ended(self, computer: Computer, how: str) -> None:
        self._computers.remove(computer)
        fatal = computer.fatal()
        self._again(list(computer.calls.values()))
        if fatal and not (fatal[0].obsolete and fatal[0].kind != COMPUTE):
            call, piece = fatal  # where it is done by others it was in vain, and is said to be over
            before = "" if computer.ready else ", before the job was loaded"
            text = f"{how} in {call.where(piece)}{before}"
            if computer.overtime is not None:
                text = overtime(computer.overtime, call.where(piece))
            self._raised(call, piece, text, local=not computer.started)
        self._fill()

    def _began(self, call: Call) -> None:
        if self.trace is not None and call.kind == COMPUTE:
            self.trace.started(call)

    def _answered(self, call: Call, answer: Answer) -> None:
        _, seconds, piece, value, fault = answer
        if call.kind == COMPUTE:
            done = len(call.slots) if piece is None else piece + 1
            self._pace += PACE_SHARE * (seconds / done - self._pace)
        if piece is None:
            self._returned(call, value, seconds)
        elif fault in (OF_THE_JOB, OF_THE_MACHINE):
            self._raised(call, piece, value, fault == OF_THE_MACHINE)
        else:
            self._could_not(call, piece, value, fault)

    # -- in the loop -----------------------------------------------------------------------

    def _begin_here(self, call: Call) -> None:
        node = call.worker.node
        if node in self._own:
            self._own[node].append(call)
        else:
            self._own[node] = deque([call])
            self._soon(self._run_own, node)

    async def _run_own(self, node: Node) -> None:
        """One call after the other."""
        calls = self._own[node]
        while calls:
            await self._run_here(calls.popleft())
        del self._own[node]

    async def _run_here(self, call: Call) -> None:
        began = trio.current_time()
        if call.wanted:
            self._began(call)
        outputs: list[Value] = []
        try:
            for slot, value in zip(call.slots, call.values, strict=True):
                if not call.wanted:
                    return
                given = await self._read(value)
                with trio.move_on_after(self._timeout or math.inf) as limit:
                    output = await self.job.compute(given, call.first + slot)
                if limit.cancelled_caught:
                    text = overtime(self._timeout or 0.0, call.where(len(outputs)))
                    return self._raised(call, len(outputs), text)
                outputs.append(await self._write(output))
        except BlobError as error:
            self._could_not(call, len(outputs), str(error), fault_of(error))
        except BaseException as error:
            if not _is_result(error):
                raise
            self._raised(call, len(outputs), told(error), is_local(error))
        else:
            self._returned(call, outputs, trio.current_time() - began)

    async def _read(self, value: Value) -> Value:
        if type(value) is dict and is_handle(value):
            return await trio.to_thread.run_sync(loaded, self._folder, value)
        return given(value)

    async def _write(self, value: Value) -> Value:
        if isinstance(value, str | bytes | list | tuple | dict) and len(value) > 100:
            return await trio.to_thread.run_sync(checked, self._folder, value)
        return checked(self._folder, value)

    # -- what came of it -------------------------------------------------------------------

    def _returned(self, call: Call, value: Value, seconds: float) -> None:
        worker, session = call.worker, call.session
        match call.kind:
            case 0:
                seconds = max(seconds, call.until - call.began)
                outcome = partial(self._computed, call, value, seconds)
            case 1:
                outcome = partial(worker.prepared, session, value)
            case _:
                outcome = partial(worker.collected, session, value)
        self._hold(call, outcome)

    def _computed(self, call: Call, outputs: list[Value], seconds: float) -> None:
        if self.trace is not None:
            self.trace.finished(call, seconds)
        call.worker.computed(call.session, tuple(call.slots), outputs, seconds)

    def _raised(self, call: Call, piece: int, text: str, local: bool = False) -> None:
        self._hold(call, partial(call.worker.raised, call.session, call.slot(piece), text, local))

    def _could_not(self, call: Call, piece: int, why: str, fault: int) -> None:
        """That is this machine's fault: a full disk, or a value that is not to be had.

        With a full disk it is tried again after a moment; others help where that is late.
        """
        if fault == NO_ROOM:
            self._lacks(NoRoom(why))
            self._timers.add(ROOM_SECONDS, partial(self._begin_again, call))
        else:
            self._raised(call, piece, why, local=True)

    def _begin_again(self, call: Call) -> None:
        if call.wanted:
            self._fetch_and_begin(call)

    def _hold(self, call: Call, outcome: Callable[[], None]) -> None:
        """Post it when the time is over that the call is to take."""
        left = call.until - trio.current_time()
        if left <= 0:
            self._post(outcome)
        else:
            self._timers.add(left, partial(self._post, outcome))


def _has_room(computer: Computer) -> bool:
    calls = len(computer.calls)
    ahead = computer.seconds < AHEAD_SECONDS and calls < AHEAD_CALLS and not computer.stuck
    return not calls or ahead


def _is_result(error: BaseException) -> bool:
    """Whether it is of the job's making, rather than the end of the loop."""
    if trio.current_effective_deadline() > -math.inf:  # nothing here is cancelled
        return True
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_result, error.exceptions))
    return not isinstance(error, trio.Cancelled)
