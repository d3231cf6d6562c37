"""A job as the program sees that has submitted it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from concurrent import futures
from contextlib import suppress
from typing import Any, Generic, TypeVar

import attrs

from core.messages import Failure
from plugins.console.telling import Lost
from plugins.jobs.values import given
from transports.fleet.asked import Weight
from transports.fleet.errors import FleetLost, JobCancelled, JobFailed, JobUnknown
from transports.fleet.job import State, readable, unknown
from transports.fleet.line import FORKED, Line, Watched, first_over
from transports.fleet.log import Log
from transports.fleet.showing import show_beside
from transports.net import wire


@attrs.frozen
class Progress:
    """How far a job is. Before it begins nobody knows how many partitions it has: they are 0."""

    state: str  # queued, running, done, failed, cancelled
    ahead: int  # jobs that go before it
    nodes: int
    partitions: int
    accepted: int


class Submitted:
    """A job of a fleet: what is the same for those who wait in a thread and those in a loop.

    To await it, on Trio or asyncio, is to wait for its result: raises JobFailed, JobCancelled,
    JobUnknown, FleetLost. Who is cancelled only stops waiting.
    """

    def __init__(
        self,
        fleet: object,
        line: Line,
        watched: Watched,
        answer: Callable[[Any], Any] | None = None,
        by_number: bool = False,
    ) -> None:
        self._fleet = fleet  # which is there for as long as it has jobs
        self._line = line
        self._watched = watched
        self._answer = answer  # what makes of a result what this one's caller reads
        self._by_number = by_number  # it was asked for so: anybody may have submitted it

    def __repr__(self) -> str:
        return f"<job {self.number} of {self._fleet!r}>"

    def _ipython_display_(self) -> None:
        """In a notebook it shows how far it is, until it is over, also while other cells run."""
        show_beside(self)

    @property
    def number(self) -> int:
        """By which everybody who is connected to the fleet can speak of it."""
        return self._watched.number

    def progress(self) -> Progress:
        """How far it is by now. Raises FleetLost."""
        watched = self._watched
        if watched.outcome.done() or watched.latest is None or not self._line.is_here():
            outcome = self._outcome(None)
            counts = outcome.nodes, outcome.partitions, outcome.accepted
            return Progress(outcome.state, 0, *counts)
        now = watched.latest
        return Progress(now.state, now.ahead, now.nodes, now.partitions, now.accepted)

    def add_done_callback(self, call: Callable[[], None]) -> None:
        """Have `call` made when it is over, whatever came of it, in a thread of its own: it may
        use the fleet, and take long."""

        def begin() -> None:
            with suppress(RuntimeError):  # the program ends
                threading.Thread(target=call, name="fleet callback", daemon=True).start()

        self.when_over(begin)

    def when_over(self, call: Callable[[], None]) -> None:
        """The same, in the thread of the line: it is to be short, and not to wait for the fleet."""
        self._watched.outcome.add_done_callback(lambda _: call())

    def cancel_soon(self) -> None:
        """End it, without waiting for that, if it is not over."""
        if not self._watched.outcome.done():
            self._line.begin(self._line.cancelling, self.number)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        await self._over()
        return self._result(None)

    async def _over(self) -> None:
        """Wait for its end in a loop, whatever comes of it. Raises FleetLost in a process that was
        forked."""
        self._insist_on_an_end()
        await self._watched.over()

    def _result(self, timeout: float | None) -> Any:
        outcome = self._outcome(timeout)
        if self._by_number:
            outcome = readable(outcome)
        match outcome.state:
            case "done":
                result = given(outcome.result)
                return result if self._answer is None else self._answer(result)
            case "cancelled":
                raise JobCancelled(f"job {self.number} was cancelled")
            case "failed":
                raise JobFailed(self.number, _failure(outcome))
            case _:
                raise JobUnknown(_failure(outcome).error)

    def _failures(self, timeout: float | None) -> list[Failure]:
        outcome = self._outcome(timeout)
        if outcome.state == "failed":
            return [_failure(outcome)]
        if outcome.state != "done":
            self._result(timeout)
        lost = Lost.of(outcome.lost)
        return lost.pieces if lost else []

    def _weighed(self, told: wire.Weighed) -> bool:
        gone = unknown(self.number)
        if told.state == gone.state:
            raise JobUnknown(_failure(gone).error)
        return told.state in (State.QUEUED, State.RUNNING)

    def _log(self, told: dict[str, Any] | None) -> Log:
        if told is None:
            raise JobUnknown(_failure(unknown(self.number)).error)
        return Log.of(self.number, told)

    def _is_over(self, seconds: float) -> bool:
        """Whether it is, after so many seconds at most."""
        return bool(futures.wait([self._watched.outcome], seconds).done)

    def _outcome(self, timeout: float | None) -> wire.Outcome:
        self._insist_on_an_end()
        try:
            return self._watched.outcome.result(_seconds(timeout))
        except FleetLost as error:
            raise FleetLost(str(error)) from None  # one of its own for each who waits
        except TimeoutError:
            raise TimeoutError(
                f"job {self.number} is not over after {timeout:g} s: it goes on, ask again"
            ) from None

    def insist_on_known(self) -> None:
        """Raises JobUnknown and FleetLost where that is what came of it."""
        if self._watched.outcome.done() and self._outcome(None).state == "unknown":
            self._result(None)

    def _insist_on_an_end(self) -> None:
        """Raises FleetLost where nobody would tell of it."""
        if not (self._watched.outcome.done() or self._line.is_here()):
            raise FleetLost(FORKED)


class Job(Submitted):
    """A job of a fleet: `Fleet.submit` makes it. It can be awaited, too."""

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result, for `timeout` seconds at most; TimeoutError ends the waiting only.

        Raises JobFailed, JobCancelled, JobUnknown, FleetLost.
        """
        return self._result(timeout)

    def failures(self, timeout: float | None = None) -> list[Failure]:
        """Wait for the end; what failed for good: one thing, or with `keep_going` all that is
        missing from the result, as far as the fleet tells. Raises as `result` does, but for
        JobFailed."""
        return self._failures(timeout)

    def weigh(self, *, priority: int | None = None, weight: float | None = None) -> bool:
        """Change what it weighs, as `Fleet.submit` has it, whether it waits or runs; whether that
        was in time: it has not ended. Raises ValueError, JobUnknown, FleetLost."""
        wanted = Weight(priority, weight)
        return self._weighed(self._line.weigh(self.number, wanted.priority, wanted.weight))

    def cancel(self) -> bool:
        """End it; whether that has ended it: not if it was over before. Raises FleetLost."""
        was_over = self._watched.outcome.done()
        if not was_over:
            self._line.cancel(self.number)
        return self._outcome(None).state == "cancelled" and not was_over

    def log(self) -> Log:
        """What its functions have raised, even where others could do it then, and what they have
        printed, as far as nodes that are there know it. Raises JobUnknown, FleetLost."""
        return self._log(self._line.log(self.number))


class AsyncJob(Submitted):
    """The same for who waits in a loop: `AsyncFleet.submit` makes it, and to await it is to wait
    for its result."""

    async def failures(self) -> list[Failure]:
        """As `Job.failures`."""
        await self._over()
        return self._failures(None)

    async def weigh(self, *, priority: int | None = None, weight: float | None = None) -> bool:
        """As `Job.weigh`."""
        wanted = Weight(priority, weight)
        weighing, more = self._line.weighing, (wanted.priority, wanted.weight)
        return self._weighed(await self._line.ask(weighing, self.number, *more))

    async def cancel(self) -> bool:
        """As `Job.cancel`."""
        was_over = self._watched.outcome.done()
        if not was_over:
            await self._line.ask(self._line.cancelling, self.number)
            await self._over()
        return self._outcome(None).state == "cancelled" and not was_over

    async def log(self) -> Log:
        """As `Job.log`."""
        return self._log(await self._line.ask(self._line.logging, self.number))


J = TypeVar("J", bound=Submitted)


class AsCompleted(Generic[J]):
    """Jobs, each when it is over, whatever came of it: for a `for`, or in a loop of Trio or asyncio
    for an `async for`, which knows no `timeout`."""

    def __init__(self, jobs: Iterable[J], timeout: float | None = None) -> None:
        self._jobs, self._timeout = list(jobs), timeout

    def __iter__(self) -> Iterator[J]:
        by_outcome = {job._watched.outcome: job for job in self._jobs}
        for outcome in futures.as_completed(by_outcome, _seconds(self._timeout)):
            yield by_outcome[outcome]

    async def __aiter__(self) -> AsyncIterator[J]:
        left = dict.fromkeys(self._jobs)
        while left:
            over = [job for job in left if job._watched.outcome.done()]
            for job in over:
                del left[job]
                yield job
            if not over:
                for job in left:
                    job._insist_on_an_end()
                await first_over(job._watched for job in left)


def _failure(outcome: wire.Outcome) -> Failure:
    return outcome.failure or Failure(str(outcome.number), None, "it does not say why")


def _seconds(timeout: float | None) -> float | None:
    """As long as anything can be waited for, at most."""
    return None if timeout is None else min(timeout, threading.TIMEOUT_MAX)
