"""Jobs of a fleet that are stored, and what is there when their file is opened again."""

from __future__ import annotations

from pathlib import Path

from transports.fleet.job import Job
from transports.fleet.jobs import Jobs
from transports.fleet.store import Store
from transports.net import wire

FILLING = 3000  # bytes of a value


def key(i: int) -> bytes:
    return i.to_bytes(16)


def spec(value: wire.Value = None) -> wire.Spec:
    return wire.Spec("plugins.demo", {"compute": "plugins.primes"}, value, 10, priority=2)


def done(job: Job, result: wire.Value = None) -> wire.Outcome:
    return wire.Outcome(job.number, "done", result, partitions=4, accepted=4)


def opened(path: Path) -> tuple[Store, Jobs]:
    store = Store(path)
    return store, Jobs(store=store)


def again(store: Store) -> tuple[Store, Jobs]:
    """As another process finds it."""
    store.close()
    return opened(store.path)


def begun(jobs: Jobs) -> Job:
    job = jobs.upcoming()
    assert job
    jobs.begin(job)
    return job
