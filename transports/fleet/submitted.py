"""A job as the program sees that has submitted it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from typing import Any

import attrs

from core.messages import Failure
from plugins.console.telling import Lost
from plugins.jobs.values import given
from transports.fleet.errors import FleetLost, JobCancelled, JobFailed, JobUnknown
from transports.fleet.line import FORKED, Line, Watched
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


class Job:
    """A job of a fleet: `Fleet.submit` makes it."""

    def __init__(self, fleet: object, line: Line, watched: Watched) -> None:
        self._fleet = fleet  # which is there for as long as it has jobs
        self._line = line
        self._watched = watched

    def __repr__(self) -> str:
        return f"<job {self.number} of {self._fleet!r}>"

    def _ipython_display_(self) -> None:
        """In a notebook it shows how far it is, until it is over, also while other cells run."""
        show_beside(self)

    @property
    def number(self) -> int:
        """By which everybody who is connected to the fleet can speak of it."""
        return self._watched.number

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result, for `timeout` seconds at most; TimeoutError ends the waiting only.

        Raises JobFailed, JobCancelled, JobUnknown, FleetLost.
        """
        outcome = self._outcome(timeout)
        match outcome.state:
            case "done":
                return given(outcome.result)
            case "cancelled":
                raise JobCancelled(f"job {self.number} was cancelled")
            case "failed":
                raise JobFailed(self.number, _failure(outcome))
            case _:
                raise JobUnknown(_failure(outcome).error)

    def failures(self, timeout: float | None = None) -> list[Failure]:
        """Wait for the end; what failed for good: one thing, or with `keep_going` all that is
        missing from the result, as far as the fleet tells. Raises as `result` does, but for
        JobFailed."""
        outcome = self._outcome(timeout)
        if outcome.state == "failed":
            return [_failure(outcome)]
        if outcome.state != "done":
            self.result()
        lost = Lost.of(outcome.lost)
        return lost.pieces if lost else []

    def progress(self) -> Progress:
        """How far it is by now. Raises FleetLost."""
        watched = self._watched
        if watched.outcome.done() or watched.latest is None or not self._line.is_here():
            outcome = self._outcome(None)
            counts = outcome.nodes, outcome.partitions, outcome.accepted
            return Progress(outcome.state, 0, *counts)
        now = watched.latest
        return Progress(now.state, now.ahead, now.nodes, now.partitions, now.accepted)

    def cancel(self) -> bool:
        """End it; whether that has ended it. Raises FleetLost."""
        if not self._watched.outcome.done():
            self._line.cancel(self.number)
        return self._outcome(None).state == "cancelled"

    def add_done_callback(self, call: Callable[[], None]) -> None:
        """Have `call` made when it is over, whatever came of it; not in this thread."""
        self._watched.outcome.add_done_callback(lambda _: call())

    def _over(self, seconds: float) -> bool:
        """Whether it is, after so many seconds at most."""
        return bool(futures.wait([self._watched.outcome], seconds).done)

    def _outcome(self, timeout: float | None) -> wire.Outcome:
        if not (self._watched.outcome.done() or self._line.is_here()):
            raise FleetLost(FORKED)
        try:
            return self._watched.outcome.result(timeout)
        except FleetLost as error:
            raise FleetLost(str(error)) from None  # one of its own for each who waits
        except TimeoutError:
            raise TimeoutError(
                f"job {self.number} is not over after {timeout:g} s: it goes on, ask again"
            ) from None


def _failure(outcome: wire.Outcome) -> Failure:
    return outcome.failure or Failure(str(outcome.number), None, "it does not say why")
