"""What is done about a trial that fails: where two runs differ, its file, what is left of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from itertools import count
from pathlib import Path

from sim.search import report
from sim.search.invariants import ALIKE
from sim.search.options import PROGRAM, Options
from sim.search.pool import Pool
from sim.search.process import Worker
from sim.search.report import Failure
from sim.search.results import Result, seed_of
from sim.search.shrink import shrink
from sim.search.trial import Trial, Violation

LIMIT_SECONDS = 20.0  # for one run when shrinking; what takes longer does not count as failing

Show = Callable[[str], None]
Test = Callable[[Trial], Result | None]  # what came of it, if it fails in the same way


class Inquiry:
    """Looks into failures, with workers that are idle; `show` is told how far it is."""

    def __init__(self, wanted: Options, pool: Pool, show: Show) -> None:
        self._wanted = wanted
        self._pool = pool
        self._show = show

    def failure(self, result: Result) -> Failure:
        """What is known of a result that fails, with where its runs differ if they do."""
        return self._failure(result, self._violation(result))

    def briefly(self, result: Result) -> Failure:
        """The same without running anything again."""
        violation = _outcomes_differ(result) if result.differs else result.run.outcome.violation
        return self._failure(result, violation)

    def save(self, found: Failure) -> None:
        """Write its trial to a file. Raises OSError."""
        if found.trial:
            report.save(self._path(found), found.trial, found.violation)

    def shrink(self, result: Result, found: Failure) -> None:
        """Make its trial smaller while it still fails in the same way, and save that."""
        assert found.trial
        test, tried = self._test(result, found.violation), count(1)

        def still_fails(trial: Trial) -> bool:
            self._show(f"seed {found.seed}: shrinking, run {next(tried)}")
            return test(trial) is not None

        found.shrunk = shrink(found.trial, still_fails)
        if found.shrunk.trial != found.trial and (again := test(found.shrunk.trial)):
            violation, path = self._violation(again), self._path(found)
            assert violation
            report.save(path, found.shrunk.trial, violation)
            found.shrunk_violation = violation
            found.shrunk_replay = _command("--replay", path, result)

    def _failure(self, result: Result, violation: Violation | None) -> Failure:
        assert violation
        seed, file = seed_of(result.source), self._wanted.replay
        drawn = f"{self._wanted.kind} --seed".strip()
        replay = _command("--replay", file, result) if file else _command(drawn, seed, result)
        return Failure(seed, violation, result.run.trial, replay)

    def _path(self, found: Failure) -> Path:
        return self._wanted.out / f"failure-{found.seed}.json"

    # -- runs that differ --------------------------------------------------------------------

    def _violation(self, result: Result) -> Violation | None:
        return self._difference(result) if result.differs else result.run.outcome.violation

    def _difference(self, result: Result) -> Violation:
        one, other = self._workers(result)
        self._show(f"seed {seed_of(result.source)}: looking for where two runs differ")
        found = self._pool.difference(one, other, result.source)
        if found is None:
            return _outcomes_differ(result)
        number, lines = found
        events = tuple(
            f"hash seed {worker.hash_seed}: {'it is over' if line is None else line}"
            for worker, line in zip((one, other), lines, strict=True)
        )
        detail = f"event {number:,} is the first that differs under another hash seed"
        return Violation(ALIKE, detail, 0.0, events)

    def _workers(self, result: Result) -> list[Worker]:
        return [self._pool.worker(run.hash_seed) for run in result.runs]

    # -- the same failure --------------------------------------------------------------------

    def _test(self, result: Result, violation: Violation) -> Test:
        workers = self._workers(result)
        if not result.differs:
            del workers[1:]

        def test(trial: Trial) -> Result | None:
            runs = (self._pool.run(worker, trial, LIMIT_SECONDS) for worker in workers)
            again = Result(trial, tuple(runs))
            found = again.run.outcome.violation
            same = again.differs if result.differs else found and _alike(found, violation)
            return again if same else None

        return test


def _alike(one: Violation, other: Violation) -> bool:
    return one.invariant == other.invariant


def _outcomes_differ(result: Result) -> Violation:
    """For runs of which no event is known to differ."""
    told = tuple(
        f"hash seed {run.hash_seed}: digest {run.outcome.digest or 'none'}, "
        f"{run.outcome.messages:,} messages, "
        + (f"violated: {run.outcome.violation.invariant}" if run.outcome.violation else "all well")
        for run in result.runs
    )
    return Violation(ALIKE, "how it ends differs under another hash seed", 0.0, told)


def _command(option: str, value: object, result: Result) -> str:
    """What replays it, with the same hash seeds where they matter."""
    seeds = sorted(run.hash_seed for run in result.runs)
    alike = not result.differs or seeds == [1, 2]
    hash_seeds = "" if alike else f" --hash-seeds {seeds[0]},{seeds[1]}"
    return f"{PROGRAM} {option} {shlex.quote(str(value))}{hash_seeds}"
