"""A fleet as an executor of `concurrent.futures`: for programs and libraries that expect one.

Rules it keeps:
- Calls that wait go out together, in waves: a wave is a job, a call is a partition of it. So a call
  costs what a piece costs, not what a job does. A few waves are under way at once; what is
  submitted meanwhile waits for one of them to end, and is the next.
- What comes of a call is known as soon as it is done, whatever else is in its wave.
- A call that ends its process costs nobody but itself, after a few tries.
- A call that is on its way cannot be cancelled by its future, as the standard has it; `abort` ends
  all of them.
"""

from __future__ import annotations

import pickle
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol

from core.messages import Failure
from transports.fleet.calling import Done, Raised, packed, run_packed
from transports.fleet.errors import FleetError, JobFailed
from transports.fleet.mapping import UnderWay, as_raised, setup_of
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

    def add_done_callback(self, call: Callable[[], None]) -> None:
        """`call` when it is over."""


Submit = Callable[[dict[str, Any], int, Heard], Streamed]


class Called(Future[Any]):
    """What comes of a call. `seconds`: that it took where it was made, once it is done there."""

    seconds = 0.0


Calls = dict[int, Called]  # of a wave, those that are not done, by partition


class FleetExecutor(Executor):
    """`submit` has calls computed. Made by `Fleet.executor`."""

    def __init__(self, submit: Submit) -> None:
        self._submit_wave = submit
        self._setup = setup_of(run_packed, None, False)
        self._waiting: deque[tuple[Called, bytes]] = deque()
        self._under_way: set[Streamed] = set()  # a job for each wave
        self._open = 0  # futures that are not done
        self._over = False
        self._change = threading.Condition()  # of these
        self._events: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=self._run, name="fleet executor", daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Called:
        """Raises RuntimeError after `shutdown`. What cannot travel is the future's exception."""
        future = Called()
        with self._change:
            if self._over:
                raise RuntimeError("cannot schedule new futures after shutdown")
            try:
                call = packed((fn, args, kwargs))
            except Exception as error:  # noqa: BLE001 - whatever pickling raises
                future.set_exception(error)
                return future
            self._open += 1
            future.add_done_callback(self._done)
            self._waiting.append((future, call))
        self._events.put(self._send)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As the standard has it."""
        with self._change:
            self._over = True
            waiting = [future for future, _ in self._waiting] if cancel_futures else []
        for future in waiting:
            future.cancel()
        self._events.put(self._send)
        if wait:
            with self._change:
                self._change.wait_for(lambda: not self._open)

    def abort(self) -> None:
        """End it with all calls: those that wait are cancelled, of those that are under way the
        outcome is JobCancelled."""
        self.shutdown(wait=False, cancel_futures=True)
        self._events.put(self._cancel_all)

    def _done(self, future: Future[Any]) -> None:
        with self._change:
            self._open -= 1
            self._change.notify_all()

    # -- waves, in a thread of its own -----------------------------------------------------

    def _run(self) -> None:
        """What is to be done, one thing after the other: what is read there may take long."""
        while not (self._over and not self._waiting and not self._under_way):
            self._events.get()()

    def _send(self) -> None:
        """Send what waits, as far as waves may go."""
        while self._waiting and len(self._under_way) < WAVES:
            futures, chunks = self._next_wave()
            if futures:
                self._begin(dict(enumerate(futures)), chunks)

    def _cancel_all(self) -> None:
        for job in self._under_way:
            with suppress(FleetError):  # then it is over, too
                job.cancel()

    def _next_wave(self) -> tuple[list[Called], list[bytes]]:
        futures: list[Called] = []
        chunks: list[bytes] = []
        size = 0
        while self._waiting and len(chunks) < CALLS_MAX and size < WAVE_BYTES:
            future, call = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                futures.append(future)
                chunks.append(packed([(call,)]))
                size += len(call)
        return futures, chunks

    def _begin(self, calls: Calls, chunks: list[bytes]) -> None:
        def heard(told: wire.Output) -> None:
            self._events.put(partial(_hear, calls, told))

        try:
            job = self._submit_wave({"setup": self._setup, "chunks": chunks}, len(chunks), heard)
        except Exception as error:  # noqa: BLE001 - the fleet is lost, say
            _end(calls, error)
        else:
            self._under_way.add(job)
            job.add_done_callback(lambda: self._events.put(partial(self._ended, calls, job)))

    def _ended(self, calls: Calls, job: Streamed) -> None:
        """What was not heard of before is known now."""
        error: Exception = RuntimeError("nothing came of it, and why is not known")
        try:
            for output in job.result():
                done: Done = pickle.loads(output)  # noqa: S301  by a node that this program trusts
                _settle(calls, done.partition, done)
            for failure in job.failures():  # a call has ended its process, say
                _fail(calls, failure.partition, JobFailed(job.number, failure))
        except Exception as raised:  # noqa: BLE001 - whatever came of it, all who wait are told
            error = raised
        self._under_way.discard(job)
        _end(calls, error)
        self._send()


def _end(calls: Calls, error: Exception) -> None:
    """That came of those that are not done."""
    while calls:
        _, future = calls.popitem()
        future.set_exception(error)


def _hear(calls: Calls, told: wire.Output) -> None:
    """What came of one of them, whatever becomes of the others."""
    if told.failure is not None:
        return _fail(calls, told.partition, JobFailed(told.number, told.failure))
    try:
        done: Done = pickle.loads(told.output)  # noqa: S301  by a node that this program trusts
    except Exception as error:  # noqa: BLE001 - of a class that cannot be read, say
        return _fail(calls, told.partition, error)
    return _settle(calls, told.partition, done)


def _settle(calls: Calls, partition: int, done: Done) -> None:
    """That is what it returned, or raised, unless that is known."""
    (result,) = done.results
    if isinstance(result, Raised):
        _fail(calls, partition, as_raised(result, "raised by a node of the fleet"))
    elif future := calls.pop(partition, None):
        future.seconds = done.seconds
        future.set_result(result)


def _fail(calls: Calls, partition: int | None, error: BaseException) -> None:
    if partition is not None and (future := calls.pop(partition, None)):
        future.set_exception(error)
