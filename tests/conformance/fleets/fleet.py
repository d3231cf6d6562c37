"""What a case asks of a fleet, simulated or on real sockets.

Pieces of a job are held until the case lets that job go. It knows jobs by what `submit` returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

PARTITIONS = 4  # of every job
AT_ONCE = 2


class FleetThere(ABC):
    """A fleet with one node, two jobs of which run at once."""

    @abstractmethod
    def submit(self, value: str, priority: int = 0) -> Any:
        """A job whose output is `right(value)`; no two of a fleet have the same value."""

    @abstractmethod
    def let_go(self, value: str) -> None:
        """The pieces of that job are done, now and from now on."""

    @abstractmethod
    def cancel(self, job: Any) -> None:
        """End it."""

    @abstractmethod
    def state(self, job: Any) -> str:
        """queued, running, done, failed or cancelled."""

    @abstractmethod
    def result(self, job: Any) -> Any:
        """Of one that is done."""

    @abstractmethod
    def workers(self, value: str) -> int:
        """How many have begun a piece of that job."""

    @abstractmethod
    def come(self) -> None:
        """One node more is about to come."""

    @abstractmethod
    def until(self, condition: Callable[[], bool]) -> None:
        """Go on until it holds."""

    # -- what follows from that ----------------------------------------------------------------

    def run(self, value: str, priority: int = 0) -> Any:
        """A job that runs, and of which somebody is at a piece."""
        job = self.submit(value, priority)
        self.until(lambda: self.state(job) == "running" and self.workers(value) > 0)
        return job

    def finish(self, job: Any, value: str) -> None:
        """Let it come to its end; the result is right."""
        self.let_go(value)
        self.until(lambda: self.state(job) not in ("queued", "running"))
        assert self.state(job) == "done"
        assert self.result(job) == right(value)


def right(value: str) -> list[Any]:
    """What one alone would come to."""
    return [[value, index] for index in range(PARTITIONS)]
