"""A fleet as an executor of `concurrent.futures`: for programs and libraries that expect one.

Rules it keeps:
- Calls that wait go out together, in waves: a wave is a job, a call is a partition of it. So a call
  costs what a piece costs, not what a job does. A few waves are under way at once; what is
  submitted meanwhile waits for one of them to end, and is the next.
- As many calls are at work at once as there are cores, however many nodes there are.
- What comes of a call is known as soon as it is done, whatever else is in its wave; but a node that
  is given several short ones at once tells of them together.
- A call that ends its process costs nobody but itself, after a few tries.
- A call that is on its way cannot be cancelled by its future, as the standard has it. What nobody
  waits for any more is ended all the same: calls of a `map` that is left, as one of them has
  raised, say; and all calls where Ctrl-C leaves the `with` block, or by `abort`.
- Whatever a result, an exception or a callback of the program's does, all other futures come to
  their end.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol

from core.messages import Failure
from transports.fleet.answers import read
from transports.fleet.calling import Done, Raised, packed, run_packed
from transports.fleet.errors import FleetError, FleetLost, JobFailed
from transports.fleet.line import FORKED
from transports.fleet.mapping import UnderWay, as_raised, name_of, setup_of
from transports.net import wire

WAVES = 4  # under way at once
CALLS_MAX = 1000  # in a wave
WAVE_BYTES = 2**22

Heard = Callable[[wire.Output], None]


class Streamed(UnderWay, Protocol):
    """A job whose outputs are heard of one by one."""

    @property
    def number(self) -> int:
        """Of the job."""
        raise NotImplementedError

    def failures(self) -> list[Failure]:
        """Of the calls that nothing came of, by partition."""
        raise NotImplementedError

    def when_over(self, call: Callable[[], None]) -> None:
        """`call` when it is over."""


Submit = Callable[[dict[str, Any], int, str, Heard], Streamed]


class Called(Future[Any]):
    """What comes of a call. `seconds`: that it took where it was made, once it is done there."""

    seconds = 0.0
    left = False  # nobody waits for it
    name = ""  # what is called


Events = SimpleQueue[Callable[[], None] | None]
Calls = dict[int, Called]  # of a wave, those that are not done, by partition


class Unreadable(RuntimeError):
    """What came of a call cannot be read here. Why is the cause of this."""


class FleetExecutor(Executor):
    """`submit` has calls computed. Made by `Fleet.executor`. One that nobody has any more ends when
    its calls are over."""

    def __init__(self, submit: Submit) -> None:
        self._submit_wave = submit
        self._setup = setup_of(run_packed, None, False)
        self._waiting: deque[tuple[Called, bytes]] = deque()
        self._under_way: dict[int, tuple[Streamed, Calls]] = {}  # by number, a job for each wave
        self._over = False
        self._lock = threading.Lock()  # of this, and of who comes before it
        self._pid = os.getpid()
        self._events: Events = SimpleQueue()
        self._thread = threading.Thread(
            target=_work, args=(self._events,), name="fleet executor", daemon=True
        )
        self._thread.start()
        weakref.finalize(self, self._events.put, None).atexit = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Called:
        """Raises RuntimeError after `shutdown`, FleetLost in a process that was forked. What cannot
        travel is the future's exception."""
        if os.getpid() != self._pid:
            raise FleetLost(FORKED)
        future, call = Called(), b""
        future.name = name_of(fn)
        try:
            call = packed((fn, args, kwargs))
        except Exception as error:  # noqa: BLE001 - whatever pickling raises
            future.set_exception(error)
        with self._lock:
            if self._over:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if not future.done():
                self._waiting.append((future, call))
        self._events.put(self._send)
        return future

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Any]:
        """As the standard has it; calls are sent together anyway, whatever `chunksize` is. Calls
        whose results are not taken any more are ended."""
        until = None if timeout is None else time.monotonic() + timeout
        calls = deque(self.submit(fn, *arguments) for arguments in zip(*iterables, strict=False))
        return self._results(calls, until)

    def _results(self, calls: deque[Called], until: float | None) -> Iterator[Any]:
        try:
            while calls:
                yield calls[0].result(None if until is None else until - time.monotonic())
                calls.popleft()
        finally:
            for future in calls:
                future.left = not future.cancel()
            self._events.put(self._cancel_left)

    def __exit__(self, kind: type[BaseException] | None, *more: Any) -> bool | None:
        if kind is not None and not issubclass(kind, Exception):
            self.abort()
        return super().__exit__(kind, *more)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As the standard has it."""
        with self._lock:
            self._over = True
            waiting = [future for future, _ in self._waiting] if cancel_futures else []
        for future in waiting:
            future.cancel()
        self._events.put(self._send)
        if wait and threading.current_thread() is not self._thread:
            self._thread.join()

    def abort(self) -> None:
        """End it with all calls: those that wait are cancelled, of those that are under way the
        outcome is JobCancelled."""
        self.shutdown(wait=False, cancel_futures=True)
        self._events.put(self._cancel_all)

    # -- waves, in a thread of its own -----------------------------------------------------

    def _send(self) -> None:
        """Send what waits, as far as waves may go; end when nothing is left."""
        while self._waiting and len(self._under_way) < WAVES:
            futures, chunks = self._next_wave()
            if futures:
                self._begin(dict(enumerate(futures)), chunks)
        if self._over and not self._waiting and not self._under_way:
            self._events.put(None)

    def _cancel_all(self) -> None:
        for _, calls in self._under_way.values():
            for future in calls.values():
                future.left = True
        self._cancel_left()

    def _cancel_left(self) -> None:
        """End what nobody waits for."""
        for job, calls in self._under_way.values():
            if all(future.left for future in calls.values()):
                with suppress(FleetError):  # then it is over, too
                    job.cancel()

    def _next_wave(self) -> tuple[list[Called], list[bytes]]:
        futures: list[Called] = []
        chunks: list[bytes] = []
        size = 0
        while self._waiting and len(chunks) < CALLS_MAX:
            size += len(self._waiting[0][1])
            if chunks and size > WAVE_BYTES:
                break  # what is too large to travel harms no others
            future, call = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                futures.append(future)
                chunks.append(packed([(call,)]))
        return futures, chunks

    def _begin(self, calls: Calls, chunks: list[bytes]) -> None:
        def heard(told: wire.Output) -> None:
            self._events.put(partial(_hear, calls, told))

        try:
            value = {"setup": self._setup, "chunks": chunks}
            title = ", ".join(dict.fromkeys(future.name for future in calls.values()))
            job = self._submit_wave(value, len(chunks), title, heard)
        except Exception as error:  # noqa: BLE001 - the fleet is lost, say
            _end(calls, error)
        else:
            number = job.number
            self._under_way[number] = job, calls  # alone: what it calls then must not hold it
            job.when_over(lambda: self._events.put(partial(self._ended, calls, number)))

    def _ended(self, calls: Calls, number: int) -> None:
        """What was not heard of before is known now."""
        job, _ = self._under_way.pop(number)
        error: Exception = RuntimeError("nothing came of it, and why is not known")
        try:
            for output in job.result():
                done = _read(output)
                if isinstance(done, Unreadable):
                    error = done  # of whichever is not known otherwise
                else:
                    _settle(calls, done.partition, done)
            for failure in job.failures():  # a call has ended its process, say
                _fail(calls, failure.partition, JobFailed(number, failure))
        except Exception as raised:  # noqa: BLE001 - whatever came of it, all who wait are told
            error = raised
        _end(calls, error)
        self._send()


def _work(events: Events) -> None:
    """Do one thing after the other, until there is nothing more: what is read may take long."""
    while (do := events.get()) is not None:
        do()
        del do  # whoever is waited for is not held


def _end(calls: Calls, error: Exception) -> None:
    """That came of those that are not done."""
    while calls:
        _fail(calls, next(iter(calls)), error)


def _hear(calls: Calls, told: wire.Output) -> None:
    """What came of one of them, whatever becomes of the others."""
    if told.failure is not None:
        return _fail(calls, told.partition, JobFailed(told.number, told.failure))
    done = _read(told.output)
    if isinstance(done, Unreadable):
        return _fail(calls, told.partition, done)
    return _settle(calls, told.partition, done)


def _read(output: Any) -> Done | Unreadable:
    try:
        done: Done = read(output)
        (_,) = done.results
    except BaseException as error:  # noqa: BLE001 - whatever reading it does: it may exit, say
        unreadable = Unreadable(f"what came of the call cannot be read here: {error!r}")
        unreadable.__cause__ = error
        return unreadable
    return done


def _settle(calls: Calls, partition: int, done: Done) -> None:
    """That is what it returned, or raised, unless that is known."""
    (result,) = done.results
    if isinstance(result, Raised):
        _fail(calls, partition, as_raised(result, "raised by a node of the fleet"))
    elif future := calls.pop(partition, None):
        future.seconds = done.seconds
        _tell(future.set_result, result)


def _fail(calls: Calls, partition: int | None, error: BaseException) -> None:
    if partition is not None and (future := calls.pop(partition, None)):
        _tell(future.set_exception, error)


def _tell(tell: Callable[[Any], None], what: Any) -> None:
    """What callbacks of the program's do then ends nothing but themselves."""
    try:
        tell(what)
    except BaseException:  # noqa: BLE001 - SystemExit, say: of all else the future itself tells
        threading.excepthook(
            threading.ExceptHookArgs([*sys.exc_info(), threading.current_thread()])
        )
