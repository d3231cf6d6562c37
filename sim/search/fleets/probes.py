"""The states that one hopes to reach in a fleet."""

from __future__ import annotations

from typing import Any

from core.messages import Node
from sim.faults import actions as a
from sim.fleet.fleet import Fleet
from sim.fleet.job import Job, State

NAMES = (
    "a job waited for others",
    "two jobs ran at once",
    "a job of higher priority went first",
    "a job that waited was cancelled",
    "a job that ran was cancelled",
    "a job ended before it was to be cancelled",
    "a job failed for good",
    "a root was lost while jobs ran, and came back with its queue",
    "a root was lost while jobs ran, and came back without it",
    "a job was begun again",
    "a job was submitted while the root was away",
    "a node still had part in a job that was over",
    "a fleet was idle between two jobs",
    "a host was lost with others in its sessions",
    "a connection broke between two who live",
    "a partition healed within the heartbeat limit",
)


class Probes:
    """Counts them in one fleet."""

    def __init__(self, fleet: Fleet, wanted: tuple[dict[str, Any], ...]) -> None:
        self.counts = dict.fromkeys(NAMES, 0)
        jobs = zip(fleet.jobs, wanted, strict=True)
        self._to_cancel = {job for job, asked in jobs if asked["cancel"] is not None}
        self._fleet = fleet
        self._was: dict[Job, State] = {}

    def hit(self, name: str, times: int = 1) -> None:
        self.counts[name] += times

    def acted(self, action: a.Action, nodes: list[Node]) -> None:
        fleet = self._fleet
        if not (isinstance(action, a.Restart) and fleet.submitter in nodes):
            return
        how = "with its queue" if action.memory else "without it"
        ran = any(job.begun for job in fleet.jobs if not job.over or job.failure)
        self.hit(f"a root was lost while jobs ran, and came back {how}", ran)

    def crashing(self, node: Node) -> None:
        hosts = [tree.hosts.get(node) for tree in self._fleet.network.trees.values()]
        found = [r for host in hosts if host for r in host.reflectors.values()]
        if any(other != node for reflector in found for other in reflector.members):
            self.hit("a host was lost with others in its sessions")

    def broke(self, one: Node, other: Node) -> None:
        if self._fleet.network.alive[one] and self._fleet.network.alive[other]:
            self.hit("a connection broke between two who live")

    def mended(self) -> None:
        self.hit("a partition healed within the heartbeat limit")

    def look(self) -> None:
        """At what has changed."""
        fleet, jobs = self._fleet, self._fleet.jobs
        self.hit("two jobs ran at once", len(fleet.queue.running()) > 1)
        going = [job for job in jobs if not job.over]
        idle = fleet.members.there and len(going) < len(jobs) and not fleet.queue.going()
        self.hit("a fleet was idle between two jobs", bool(idle and going))
        for job in jobs:
            before, self._was[job] = self._was.get(job, State.PLANNED), job.state
            if before != job.state:
                self._changed(job, before)

    def _changed(self, job: Job, before: State) -> None:
        if before is State.PLANNED and (job.submitted or 0.0) > job.at + 0.01:
            self.hit("a job was submitted while the root was away")
        if job.state is State.QUEUED:
            self.hit("a job waited for others", bool(self._fleet.queue.running()))
        if job.state is State.RUNNING:
            self.hit("a job was begun again", job.begun > 1)
            waiting = [other for other in self._fleet.jobs if other.state is State.QUEUED]
            overtaken = any((other.number or 0) < (job.number or 0) for other in waiting)
            self.hit("a job of higher priority went first", overtaken)
        if job.state is State.DONE:
            self.hit("a job ended before it was to be cancelled", job in self._to_cancel)
        if job.state is State.CANCELLED:
            ran = "waited" if job.started is None else "ran"
            self.hit(f"a job that {ran} was cancelled")
        self.hit("a job failed for good", job.state is State.FAILED)
