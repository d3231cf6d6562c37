"""The queue of a fleet, and the jobs that run: what its root knows, and has stored.

Rules it keeps, as `transports/fleet/jobs.py` does:
- A job goes from queued to running to ended, or at once from queued to cancelled. What has ended
  stays as it is.
- Those of the highest priority go first; among these, whoever came first.
- A root that is begun anew knows what it knew, but what ran then waits again.
"""

from __future__ import annotations

from collections.abc import Callable

from sim.fleet.job import Job, State, turn


class Jobs:
    """`now`: what time it is, in simulated seconds."""

    def __init__(self, at_once: int, now: Callable[[], float]) -> None:
        self.at_once = at_once
        self.last = 0  # the number that was given last
        self._now = now
        self._queued: dict[int, Job] = {}
        self._running: dict[int, Job] = {}

    def accept(self, job: Job) -> None:
        """It waits from now on, and has a number."""
        self.last = job.number = self.last + 1
        job.state, job.submitted = State.QUEUED, self._now()
        self._queued[job.number] = job

    def upcoming(self) -> Job | None:
        """The job that is to begin now, if there is one."""
        if len(self._running) >= self.at_once:
            return None
        return min(self._queued.values(), key=turn, default=None)

    def begin(self, job: Job) -> int:
        """It runs from now on. Returns its number."""
        assert job.number is not None
        self._running[job.number] = self._queued.pop(job.number)
        job.state, job.started = State.RUNNING, self._now()
        job.begun += 1
        return job.number

    def end(self, job: Job, state: State) -> int:
        """It is over, which it was not before. Returns its number."""
        assert job.number is not None
        del (self._queued if job.state is State.QUEUED else self._running)[job.number]
        job.state, job.ended = state, self._now()
        return job.number

    def going(self) -> list[Job]:
        """Those that have not ended, by number."""
        found = {**self._queued, **self._running}
        return [found[number] for number in sorted(found)]

    def running(self) -> list[int]:
        """The numbers of those that run, in the order in which they began."""
        return list(self._running)

    def begin_anew(self) -> list[Job]:
        """The root was lost, and is there again with all that it knew. Returns what waits."""
        going, self._running = self.going(), {}
        self._queued = {job.number: job for job in going if job.number is not None}
        for job in going:
            job.state = State.QUEUED
        return going
