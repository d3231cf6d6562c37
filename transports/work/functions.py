"""The core's port for the functions of a job, none of which is to hold the loop up.

Rules it keeps:
- Functions run in computing processes; only an `async def compute` runs in the loop.
- What a call needs of large values is fetched before it begins.
- A node that has gone elsewhere does not want what it asked for: that is not begun.
- Where everything is to take a given time, the functions run at once, and what comes of them is
  held back until that time is over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import trio

from core import Worker
from core import messages as m
from core.messages import Value
from transports.values.files import BlobError, NoRoom
from transports.values.handles import KEY, is_handle
from transports.watching import Watcher
from transports.work.calls import Call, Whole
from transports.work.computing import COLLECT, COMPUTE, MISSING, PREPARE, fault_of
from transports.work.cores import Part
from transports.work.crew import Crew
from transports.work.in_loop import InLoop
from transports.work.jobs import Chosen
from transports.work.outcomes import Outcomes, no_report
from transports.work.printing import ignore
from transports.work.starting import Started
from transports.work.warm import Shelf, Warm, loaded

Fetch = Callable[[Value, str], Awaitable[Value]]


def _ignore(error: NoRoom) -> None:
    pass


class Work:
    """The job of one process. `post` is given what came of a call, to be done between two messages.

    `fetch(handle, session)` returns the handle of a large value that is in `folder` by then, or the
    value itself where there is no room for it; what it raises is the call's failure. `lacks` hears
    that there is no room for what comes of a call. `part` is what the job has of this process's
    cores. `delay` draws how many seconds each function is
    made to take. What takes longer than `piece_timeout` seconds is ended. `warm` has computing
    processes that were of jobs before.
    """

    def __init__(
        self,
        chosen: Chosen,
        post: Callable[..., None],
        folder: Path,
        fetch: Fetch,
        part: Part,
        delay: Callable[[], float] | None = None,
        reserve: list[Started] | None = None,
        trace: Watcher | None = None,
        piece_timeout: float | None = None,
        lacks: Callable[[NoRoom], None] = _ignore,
        warm: Warm | None = None,
    ) -> None:
        setup: dict[str, object] = {
            "name": chosen.name,
            "parts": chosen.parts,
            "folder": str(folder),
            "code": chosen.code,
        }
        self._input = chosen.input
        self._fetch = fetch
        self._delay = delay
        self._outcomes = Outcomes(post, self._fetch_and_begin, lacks, trace)
        reserve = [] if reserve is None else reserve
        shelf = _shelf(chosen, warm)
        self._crew = Crew(setup, part, piece_timeout, reserve, self._outcomes, shelf)
        self._in_loop: InLoop | None = None
        if chosen.job is not None and chosen.asynchronous:
            self._in_loop = InLoop(chosen.job, folder, piece_timeout, self._outcomes, self._soon)
        self._early: list[tuple[Any, ...]] = []
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Serve until cancelled; then the computing processes are ended."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._outcomes.timers.run)
                for early in self._early:
                    nursery.start_soon(*early)
                # The first call is not to wait until a computing process is there.
                await self._crew.run(ahead=self._in_loop is None)
        finally:
            self._nursery = None

    def abandon(self) -> None:
        """The job was cancelled: soon after the end no process of it is left."""
        self._crew.abandon()

    @property
    def trace(self) -> Watcher | None:
        return self._outcomes.trace

    @trace.setter
    def trace(self, trace: Watcher | None) -> None:
        self._outcomes.trace = trace

    def report(
        self,
        raised: Callable[[Call, int, str], None] = no_report,
        printed: Callable[[bytes], None] = ignore,
    ) -> None:
        """Have these hear what the functions raise, in which call and at which piece of it, and
        what they print."""
        self._outcomes.on_raised, self._outcomes.on_printed = raised, printed

    def _soon(self, *task: Any) -> None:
        if self._nursery is None:
            self._early.append(task)
        else:
            self._nursery.start_soon(*task)

    # -- the port of the views -------------------------------------------------------------

    def compute(self, worker: Worker, command: m.Compute) -> None:
        self._add(worker, command.session, COMPUTE, command.first, command.slots, command.inputs)

    def compute_whole(self, whole: Whole) -> None:
        """A session from its input to its output, without a word to anybody meanwhile."""
        self._fetch_and_begin(whole)

    @property
    def at_once(self) -> bool:
        """Whether that can be done here: nothing waits, or is made to take its time."""
        return self._delay is None and self._in_loop is None

    @property
    def step_seconds(self) -> float:
        """That prepare, or collect, is likely to take."""
        return self._outcomes.step_seconds

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        if self._input and "-" not in session and _sha_of(value) != self._input:
            call = Call(worker, session, PREPARE, 0, sizes, [value], trio.current_time())
            return self._outcomes.raised(call, 0, "the input is not the one that was signed")
        return self._add(worker, session, PREPARE, 0, sizes, [value])

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
            self._outcomes.could_not(call, index, str(error) or type(error).__name__, fault)
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
        if call.kind == COMPUTE and self._in_loop is not None:
            self._in_loop.give(call)
        else:
            self._crew.give(call)


def _shelf(chosen: Chosen, warm: Warm | None) -> Shelf | None:
    """Where computing processes of jobs before are. Sources that came from elsewhere have ones of
    their own, which end with the job, as the folder does that these are in."""
    if warm is None or (chosen.code is not None and not chosen.signer):
        return None
    return Shelf(warm, loaded(chosen.name, chosen.parts, chosen.signer or chosen.fingerprint))


def _sha_of(value: Value) -> str:
    """Of its msgpack, in hexadecimal, as its handle has it."""
    if type(value) is dict and is_handle(value):
        return str(value[KEY])
    return sha256(msgspec.msgpack.encode(value)).hexdigest()
