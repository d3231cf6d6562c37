"""A fleet computes jobs that come and go, simulated as on real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.fleets.fleet import FleetThere
from tests.conformance.fleets.simulated import simulated
from tests.conformance.fleets.tcp import tcp


@pytest.fixture(scope="module", params=["simulated", "tcp"])
def there(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FleetThere]:
    """One fleet for all cases: each leaves it without a job, and the nodes stay."""
    folder = tmp_path_factory.mktemp("fleet")
    opened = simulated() if request.param == "simulated" else tcp(folder)
    with opened as fleet:
        yield fleet


def test_one_job_after_the_other(there: FleetThere) -> None:
    for value in ("first", "second"):
        there.finish(there.submit(value), value)


def test_two_jobs_at_once_while_a_third_waits_and_is_cancelled(there: FleetThere) -> None:
    jobs = {value: there.run(value) for value in ("left", "right")}
    waits = there.submit("waits")
    assert [there.state(job) for job in (*jobs.values(), waits)] == ["running", "running", "queued"]
    there.cancel(waits)
    there.until(lambda: there.state(waits) == "cancelled")
    assert there.workers("waits") == 0
    for value, job in jobs.items():
        there.finish(job, value)


def test_a_job_that_runs_is_cancelled_and_the_highest_priority_goes_next(there: FleetThere) -> None:
    stopped, goes_on = there.run("stopped"), there.run("goes on")
    low, high = there.submit("low", -1), there.submit("high", 1)
    there.cancel(stopped)
    there.until(lambda: there.state(stopped) == "cancelled" and there.state(high) == "running")
    assert there.state(low) == "queued"
    for value, job in {"high": high, "low": low, "goes on": goes_on}.items():
        there.finish(job, value)


def test_a_node_that_comes_in_the_midst_takes_part_in_all_that_run(there: FleetThere) -> None:
    jobs = {value: there.run(value) for value in ("here", "there")}
    assert [there.workers(value) for value in jobs] == [1, 1]
    there.come()
    there.until(lambda: all(there.workers(value) == 2 for value in jobs))
    for value, job in jobs.items():
        there.finish(job, value)
