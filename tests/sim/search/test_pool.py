"""Real worker processes, with trials that do nothing, or nothing good."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sim.search.invariants import BUILDABLE, IN_TIME, LIVES, NO_EXCEPTION
from sim.search.pool import Pool
from sim.search.process import Worker
from sim.search.results import Result, Source
from tests.sim.search import standin

MODULE = "tests.sim.search.standin"
LIMIT_SECONDS = 60.0  # never reached


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(2, LIMIT_SECONDS, module=MODULE) as pool:
        yield pool


def invariant(pool: Pool, source: Source) -> str | None:
    violation = pool.run(pool.workers[0], source).outcome.violation
    return violation.invariant if violation else None


def searched(pool: Pool, seeds: list[int], twice: bool = False) -> list[Result]:
    return list(pool.results(seeds, lambda _: twice, lambda: None))


def test_a_run_has_its_trial_and_its_outcome(pool: Pool) -> None:
    run = pool.run(pool.workers[0], 7)
    assert run.trial == standin.draw(7)
    assert run.outcome == standin.run(standin.draw(7))


def test_a_drawn_trial_runs_as_its_seed_does(pool: Pool) -> None:
    trial = standin.draw(standin.VIOLATES)
    for source in (standin.VIOLATES, trial):
        run = pool.run(pool.workers[0], source)
        assert run.trial == trial
        assert run.outcome.violation == standin.VIOLATION


def test_what_is_raised_is_a_violation(pool: Pool) -> None:
    run = pool.run(pool.workers[0], standin.RAISES)
    assert run.trial == standin.draw(standin.RAISES)
    assert (found := run.outcome.violation)
    assert found.invariant == NO_EXCEPTION
    assert found.detail.startswith("RuntimeError: out of order, at search/standin.py:")
    assert found.events[0].startswith("Traceback")
    assert found.events[-1] == "RuntimeError: out of order"


def test_a_world_that_cannot_be_built_is_told_from_other_exceptions(pool: Pool) -> None:
    assert invariant(pool, standin.CANNOT_BE_BUILT) == BUILDABLE


def test_a_seed_from_which_nothing_can_be_drawn_has_no_trial(pool: Pool) -> None:
    run = pool.run(pool.workers[0], standin.IS_NOT_DRAWN)
    assert run.trial is None
    assert run.outcome.violation
    assert run.outcome.violation.invariant == NO_EXCEPTION


def test_what_a_run_prints_is_no_answer(pool: Pool) -> None:
    assert invariant(pool, standin.PRINTS) is None


def test_a_worker_that_dies_is_named_and_replaced(pool: Pool) -> None:
    run = pool.run(pool.workers[0], standin.DIES)
    assert run.trial == standin.draw(standin.DIES)
    assert run.outcome.violation
    assert run.outcome.violation.invariant == LIVES
    assert "SIGKILL" in run.outcome.violation.detail
    assert invariant(pool, 1) is None


def test_a_worker_that_cannot_start_says_why() -> None:
    with Pool(1, LIMIT_SECONDS, module="tests.sim.search.missing") as pool:
        violation = pool.run(pool.workers[0], 1).outcome.violation
    assert violation
    assert violation.invariant == LIVES
    assert "No module named 'tests.sim.search.missing'" in violation.detail


def test_a_worker_that_hangs_is_named_and_replaced(pool: Pool) -> None:
    worker = pool.workers[0]
    pool.run(worker, 1)
    run = pool.run(worker, standin.HANGS, limit_seconds=0.01)
    assert run.outcome.violation
    assert run.outcome.violation.invariant == IN_TIME
    assert invariant(pool, 1) is None


def test_a_worker_ends_with_its_input_whatever_it_does() -> None:
    command = [sys.executable, "-m", "sim.search.worker", MODULE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(b'{"run": %d}\n' % standin.HANGS)
        worker.stdin.flush()
        assert json.loads(worker.stdout.readline())["trial"]["seed"] == standin.HANGS
        worker.stdin.close()
        assert worker.wait(60) == 0


def test_each_worker_has_its_hash_seed() -> None:
    def seeds(jobs: int, *hash_seeds: int) -> list[int]:
        with Pool(jobs, LIMIT_SECONDS, hash_seeds, MODULE) as pool:
            return [worker.hash_seed for worker in pool.workers]

    assert seeds(1) == [1, 2]
    assert seeds(4) == [1, 2, 3, 4]
    assert seeds(4, 7, 2) == [7, 2, 1, 3]
    assert seeds(1, 4, 5, 6) == [4, 5]


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_results_are_in_the_order_of_the_seeds(jobs: int) -> None:
    seeds = [5, 3, standin.RAISES, standin.DIES, 4, standin.VIOLATES, 9]
    with Pool(jobs, LIMIT_SECONDS, module=MODULE) as pool:
        found = searched(pool, seeds)
    assert [result.source for result in found] == seeds
    assert [result.source for result in found if result.fails] == [
        standin.RAISES,
        standin.DIES,
        standin.VIOLATES,
    ]
    assert not any(result.differs for result in found)


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_what_is_done_twice_is_done_by_two(jobs: int) -> None:
    with Pool(jobs, LIMIT_SECONDS, module=MODULE) as pool:
        found = searched(pool, [1, 2, 3, standin.IS_HASHED], twice=True)
    for result in found:
        assert len({run.hash_seed for run in result.runs}) == 2
    assert [result.differs for result in found] == [False, False, False, True]


def test_what_fails_is_done_again(pool: Pool) -> None:
    assert [len(result.runs) for result in searched(pool, [1, standin.VIOLATES])] == [1, 2]


def test_the_workers_are_idle_when_something_failed(pool: Pool) -> None:
    seeds = [standin.VIOLATES, *range(50)]
    for result in pool.results(seeds, lambda _: False, lambda: None):
        if result.fails:
            assert not any(worker.busy for worker in pool.workers)
            assert [pool.run(worker, 1).outcome.digest for worker in pool.workers] == ["1", "1"]


def told(pool: Pool, worker: Worker, source: Source) -> list[str]:
    return list(pool.told(worker, source))


def test_events_are_told_in_order(pool: Pool) -> None:
    assert told(pool, pool.workers[0], 5) == ["event 1 of 5", "event 2 of 5"]


def test_who_stops_listening_gets_another_worker(pool: Pool) -> None:
    events = pool.told(pool.workers[0], standin.HANGS)
    assert next(events) == f"event 1 of {standin.HANGS}"
    events.close()
    assert invariant(pool, 1) is None


def test_the_first_difference_of_two_runs_is_found(pool: Pool) -> None:
    found = pool.difference(pool.workers[0], pool.workers[1], standin.IS_HASHED)
    assert found
    number, (one, other) = found
    assert number == 3
    assert one
    assert other
    assert one.startswith("event ")
    assert one != other


@pytest.mark.parametrize("seed", [1, standin.IS_HASHED_AT_THE_END])
def test_there_may_be_no_event_that_differs(pool: Pool, seed: int) -> None:
    assert pool.difference(pool.workers[0], pool.workers[1], seed) is None


def test_what_was_found_out_of_turn_is_there_after_an_interruption() -> None:
    with Pool(2, LIMIT_SECONDS, module=MODULE) as pool:

        def interrupt() -> None:
            if not all(worker.busy for worker in pool.workers):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            next(pool.results([standin.HANGS, 1], lambda _: False, interrupt))
        assert [result.source for result in pool.out_of_turn()] == [1]
