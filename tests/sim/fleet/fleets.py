"""Small fleets, of a job whose output shows what it is made of."""

from __future__ import annotations

from typing import Any

from sim import Fleet
from sim.fleet.job import Job
from tests.sim import worlds


def fleet(**options: Any) -> Fleet:
    """Ten nodes that are there at once, and compute pieces of a second each."""
    usual: dict[str, Any] = {"nodes": 10, "fanout": 3, "arrival_rate": 1000.0, "at_once": 1}
    return Fleet(**{**usual, "job": job(), "partitions": 9, **options})


def job(seconds: float = 1.0) -> Any:
    """The output of a span of partitions is the list of them, with the input in front of each."""
    return worlds.job(
        compute=lambda value, index: [[value, index]],
        collect=lambda outputs: [one for output in outputs for one in output],
        cost=lambda value, index: seconds,
    )


def right(value: Any, partitions: int = 9) -> list[Any]:
    """The result of such a job."""
    return [[value, index] for index in range(partitions)]


def states(*jobs: Job) -> list[str]:
    return [job.state.value for job in jobs]
