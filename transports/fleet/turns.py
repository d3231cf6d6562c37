"""In which order the jobs of a fleet begin.

Rules it keeps:
- Those of the highest priority go first.
- Among these submitters take turns: who has fewer jobs that run, or go before, is next; then who
  has waited for longest since one of its own has begun; then which job came first. So one who
  submits a hundred jobs keeps nobody else waiting for all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from transports.fleet.job import Job


def in_turn(queued: Iterable[Job], running: Iterable[Job], known: Iterable[Job]) -> list[Job]:
    """Those that wait, whoever is next first. `known` are all, also those that have ended."""
    before = Counter(_submitter(job) for job in running)
    served: dict[str | int, float] = {}
    for job in known:
        who = _submitter(job)
        served[who] = max(served.get(who, 0.0), job.started or 0.0)
    turns: list[tuple[int, int, float, int, Job]] = []
    for job in sorted(queued, key=lambda job: (-job.priority, job.number)):
        who = _submitter(job)
        turns.append((-job.priority, before[who], served[who], job.number, job))
        before[who] += 1
    return [job for *_, job in sorted(turns)]


def _submitter(job: Job) -> str | int:
    """A person, as far as that is told; else a process."""
    return job.user or job.submitter
