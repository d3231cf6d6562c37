"""What is promised of the jobs of a fleet: who goes first, and that each ends once, and rightly."""

from __future__ import annotations

from typing import Any

from sim.faults import actions as a
from sim.fleet.fleet import LOST, Fleet
from sim.fleet.job import Job, State
from sim.search.fleets.job import NOTHING_FAILS
from sim.search.invariants import IN_TURN, KEPT, RESULT
from sim.search.sound import Broken
from sim.work import NOTHING_WORKS


def _turn(job: Job) -> tuple[int, int]:
    return -job.priority, job.number or 0


class Order:
    """Watches the jobs of one fleet. `wanted`: what was asked for of each, in order."""

    def __init__(self, fleet: Fleet, wanted: tuple[dict[str, Any], ...]) -> None:
        self._fleet = fleet
        self._wanted = wanted
        self._ended: dict[Job, tuple[Any, ...]] = {}  # how each did
        self._numbers: dict[int, Job] = {}
        self._back = 0.0  # when the root came back last
        self._lost: list[float] = []  # when it did without its queue
        self._broken = False  # whether a machine was, at any time

    def acted(self, action: a.Action, nodes: list[int]) -> None:
        self._broken = self._broken or isinstance(action, a.Break)
        if isinstance(action, a.Restart) and self._fleet.submitter in nodes:
            self._back = self._fleet.clock.now
            if not action.memory:
                self._lost.append(self._back)

    def check(self) -> None:
        """Raises Broken where a job is lost, ends again, or is not in its turn."""
        for job in self._fleet.jobs:
            self._check_kept(job)
        self._check_turns()

    def _check_kept(self, job: Job) -> None:
        """What was accepted waits, runs, or has ended, and does so once."""
        if job.number is None:
            return
        if self._numbers.setdefault(job.number, job) is not job:
            raise Broken(KEPT, f"two jobs have number {job.number}", str(job.number))
        now = (job.state, job.ended, job.result, job.begun, job.digest)
        if job.over and self._ended.setdefault(job, now) != now:
            raise Broken(KEPT, f"it ended as {self._ended[job]}, and now {now}", str(job.number))
        if not job.over and job in self._ended:
            raise Broken(KEPT, f"it had ended, and is {job.state}", str(job.number))
        if not job.over and job not in self._fleet.queue.going():
            raise Broken(KEPT, f"it is {job.state}, but the root has lost it", str(job.number))

    def _check_turns(self) -> None:
        fleet, jobs = self._fleet, self._fleet.jobs
        running = [job for job in jobs if job.state is State.RUNNING]
        queued = [job for job in jobs if job.state is State.QUEUED]
        if len(running) > fleet.queue.at_once:
            raise Broken(IN_TURN, f"{len(running)} run at once, not {fleet.queue.at_once}")
        room = len(running) < fleet.queue.at_once and fleet.network.alive[fleet.submitter]
        if queued and room and fleet.members.there:
            raise Broken(IN_TURN, "it waits though it could begin", str(queued[0].number))
        for job in running:
            for other in queued:
                since = max(other.submitted or 0.0, self._back)
                if _turn(other) < _turn(job) and since < (job.started or 0.0):
                    what = f"job {job.number} began before {other.number}"
                    raise Broken(IN_TURN, what, str(job.number))

    # -- the end ---------------------------------------------------------------------------

    def check_ended(self, jobs: list[Job]) -> None:
        """Raises Broken where one has not, or not as it should."""
        for job, wanted in zip(jobs, self._wanted, strict=True):
            if not job.over:
                what = f"job {job.number} is {job.state}, {job.accepted} partitions accepted"
                raise Broken(KEPT, what, str(job.number or ""))
            if not self._is_right(job, wanted):
                told = job.failure.error[-200:] if job.failure else f"{job.result!r:.200}"
                what = f"job {job.number} is {job.state}, {told!r}"
                raise Broken(RESULT, what, str(job.number))

    def _is_right(self, job: Job, wanted: dict[str, Any]) -> bool:
        first, size, fails = wanted["input"]
        if job.state is State.CANCELLED:
            moment = wanted["cancel"]
            return moment is not None and (job.ended or 0.0) >= moment and job.result is None
        if wanted["cancel"] is not None and (job.ended or 0.0) > max(wanted["cancel"], self._back):
            return False
        if job.state is State.DONE:
            return bool(job.result == list(range(first, first + size)) and fails == NOTHING_FAILS)
        error = "" if job.failure is None else job.failure.error
        if error == LOST:
            return job.ended in self._lost
        return (self._broken and NOTHING_WORKS in error) or (
            fails != NOTHING_FAILS and f"{fails} fails" in error
        )
