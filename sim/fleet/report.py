"""How a fleet's jobs went, and its nodes."""

from __future__ import annotations

from typing import Any

import attrs

from core import messages as m
from plugins.console import telling
from plugins.console.telling import Lost
from sim.fleet.job import Job, State


@attrs.frozen
class JobRow:
    """One job. Times are simulated seconds; None for what has not come."""

    number: int | None
    name: str
    job: str
    state: State
    priority: int
    at: float
    submitted: float | None
    started: float | None
    ended: float | None
    waited: float | None
    seconds: float | None
    begun: int
    partitions: int | None
    accepted: int
    repeated: int
    result: Any
    failure: m.Failure | None
    lost: Lost | None
    digest: str
    right: bool | None = None  # whether the result is that of the job run by one; None: not known


@attrs.frozen
class FleetReport:
    """How a run of a fleet went. Times in simulated seconds, except `wall_seconds`."""

    jobs: list[JobRow]
    seconds: float
    nodes: int
    arrived: int
    left: int
    crashed: int
    messages: int
    connections_max: int  # for one job
    faults: int  # that happened
    faults_in_vain: list[str]  # of these, the lines of those that concerned nobody
    faults_left: int
    digest: str
    seed: int
    wall_seconds: float
    peak_rss_bytes: int
    compiled: bool


def plain(report: FleetReport) -> dict[str, Any]:
    """Every field as plain data, but for the results, which are as they are."""
    jobs = [telling.by_name(job) for job in report.jobs]
    return {**attrs.asdict(report, recurse=False), "jobs": jobs}


def row(job: Job) -> JobRow:
    """A job as it is told."""
    own = ("right", "job")
    fields = [field.name for field in attrs.fields(JobRow) if field.name not in own]
    return JobRow(job=job.plan.loaded.name, **{name: getattr(job, name) for name in fields})
