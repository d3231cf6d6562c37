"""Worker processes that run trials: side by side, twice where wished, and none for ever.

Each worker has a hash seed of its own, so a trial that is done twice is done under two. A worker
that dies or takes too long is replaced; that is what came of its trial then.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from itertools import count, zip_longest
from math import inf
from multiprocessing.connection import wait
from typing import Any, TypeVar

import attrs

from sim.search.trial import Outcome, Trial, Violation
from sim.search.worker import from_plain, to_plain

TRIALS = "sim.search.trial"
LIVES = "the worker lives on"
IN_TIME = "the run ends in time"
ALIKE = "two runs of a trial are alike"
TOLD_FACTOR = 5  # how much longer a run may take that tells its events
TICK_SECONDS = 0.2  # between two looks at how far the search is
SETTLING_SECONDS = 1.0  # that a failure waits for the other workers' runs
DYING_SECONDS = 1.0  # from the end of a worker's output to its own

Source = int | Trial  # a seed to draw from, or what was drawn once


@attrs.frozen
class Run:
    """What came of a trial in one worker."""

    trial: Trial | None  # None where not even that could be had
    outcome: Outcome
    hash_seed: int

    @property
    def broken_off(self) -> bool:
        violation = self.outcome.violation
        return violation is not None and violation.invariant in (LIVES, IN_TIME)

    def differs(self, other: Run) -> bool:
        return _compared(self.outcome) != _compared(other.outcome)


def _compared(outcome: Outcome) -> tuple[object, ...]:
    violation = outcome.violation
    return outcome.digest, outcome.messages, outcome.probes, violation and violation.invariant


@attrs.frozen
class Result:
    """What came of a source: of one run, or of two under different hash seeds."""

    source: Source
    runs: tuple[Run, ...]

    @property
    def run(self) -> Run:
        """The one to be told of: that which was broken off, else the first."""
        return next((run for run in self.runs if run.broken_off), self.runs[0])

    @property
    def differs(self) -> bool:
        return not self.run.broken_off and self.runs[0].differs(self.runs[-1])

    @property
    def fails(self) -> bool:
        return self.run.outcome.violation is not None or self.differs


class Worker:
    """A process that does one trial at a time, started when it is first needed."""

    def __init__(self, module: str, hash_seed: int) -> None:
        self.hash_seed = hash_seed
        self.due = inf  # when the trial under way has taken too long
        self.busy = False
        self._command = [sys.executable, "-m", "sim.search.worker", module]
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._unfinished = b""
        self._trial: Trial | None = None
        self._limit = inf

    def give(self, source: Source, limit_seconds: float, tell: bool = False) -> None:
        """Have a trial run; `hear` says what comes of it."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._process
        assert self._process.stdin
        self._trial = source if isinstance(source, Trial) else None
        task = {"run": source if isinstance(source, int) else to_plain(source), "tell": tell}
        with suppress(BrokenPipeError):  # it has just died, which `hear` will find
            self._process.stdin.write(json.dumps(task).encode() + b"\n")
            self._process.stdin.flush()
        self._limit = limit_seconds
        self.due, self.busy = time.monotonic() + limit_seconds, True

    def fileno(self) -> int:
        assert self._process
        assert self._process.stdout
        return self._process.stdout.fileno()

    def hear(self) -> Iterator[str | Run]:
        """What has come: events, and at last the run. To be called when there is something."""
        piece = os.read(self.fileno(), 1 << 20)
        if not piece:
            yield self._ended(LIVES, self._why_dead())
        *lines, self._unfinished = (self._unfinished + piece).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if "event" in answer:
                yield answer["event"]
            elif "trial" in answer:
                self._trial = from_plain(answer["trial"])
            else:
                self.busy = False
                yield Run(self._trial, _outcome(answer["outcome"]), self.hash_seed)

    def late(self) -> Run:
        """The run, given up."""
        return self._ended(IN_TIME, f"it was not over after {self._limit:g} s of wall time")

    def _ended(self, invariant: str, detail: str) -> Run:
        self.stop()
        violation = Violation(invariant, detail, 0.0, ())
        return Run(self._trial, Outcome(violation, {}, "", 0), self.hash_seed)

    def _why_dead(self) -> str:
        assert self._process
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(DYING_SECONDS)
        code = self._process.poll()
        how = "it closed its output" if code is None else f"exit code {code}"
        if code is not None and code < 0:
            how = f"signal {signal.Signals(-code).name}"
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").rstrip().rpartition("\n")[2]
        return f"its process died: {how}" + (f", {last}" if last else "")

    def _start(self) -> None:
        self.stop()
        self._errors.seek(0)
        self._errors.truncate()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONHASHSEED": str(self.hash_seed)},
        )

    def stop(self) -> None:
        """End the process, if there is one, whatever it does."""
        self.busy, self._unfinished = False, b""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            with suppress(BrokenPipeError):  # a task that was never read
                pipe.close()
        self._process = None

    def close(self) -> None:
        self.stop()
        self._errors.close()


def _outcome(fields: dict[str, Any]) -> Outcome:
    if violation := fields["violation"]:
        violation = Violation(**{**violation, "events": tuple(violation["events"])})
    return Outcome(**{**fields, "violation": violation})


class Pool:
    """Workers, of which `jobs` work at the same time. Closes them at the end of a `with`."""

    def __init__(
        self,
        jobs: int,
        limit_seconds: float,
        hash_seeds: tuple[int, ...] = (),
        module: str = TRIALS,
    ) -> None:
        self.jobs = jobs
        self.limit_seconds = limit_seconds
        others = (seed for seed in count(1) if seed not in hash_seeds)
        wanted = max(jobs, 2)  # whatever is done twice is done by two
        seeds = [*hash_seeds, *(next(others) for _ in range(wanted))][:wanted]
        self.workers = [Worker(module, seed) for seed in seeds]
        self._done: dict[int, Result] = {}  # out of turn

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.close()

    # -- one at a time -----------------------------------------------------------------------

    def run(self, worker: Worker, source: Source, limit_seconds: float | None = None) -> Run:
        """Have an idle worker run a trial, and wait for it."""
        worker.give(source, min(self.limit_seconds, limit_seconds or inf))
        while True:
            for _, said in self._heard([worker], inf):
                if isinstance(said, Run):
                    return said

    def told(self, worker: Worker, source: Source) -> Generator[str, None, Run]:
        """The events of a run, by an idle worker. Returns the run."""
        worker.give(source, TOLD_FACTOR * self.limit_seconds, tell=True)
        try:
            while True:
                for _, said in self._heard([worker], inf):
                    if isinstance(said, Run):
                        return said
                    since = time.monotonic()
                    yield said
                    worker.due += time.monotonic() - since  # the listener's time is not the run's
        finally:
            if worker.busy:  # nobody listens any more
                worker.stop()

    def difference(
        self, one: Worker, other: Worker, source: Source
    ) -> tuple[int, tuple[str | None, str | None]] | None:
        """The first event, counted from 1, that two runs do not have in common.

        With what it is in each; None for one that was over by then.
        """
        with closing(self.told(one, source)) as left, closing(self.told(other, source)) as right:
            for number, lines in enumerate(zip_longest(left, right), 1):
                if lines[0] != lines[1]:
                    return number, lines
        return None

    def worker(self, hash_seed: int) -> Worker:
        return next(worker for worker in self.workers if worker.hash_seed == hash_seed)

    # -- many --------------------------------------------------------------------------------

    def results(
        self,
        sources: Iterable[Source],
        twice: Callable[[Source], bool],
        tick: Callable[[], None],
    ) -> Iterator[Result]:
        """What comes of each source, in their order, however many work at the same time.

        `twice` says which are run twice; those that fail are as well. When one that fails is
        yielded, all workers are idle; what took them too long then is begun again afterwards.
        `tick` is called again and again.
        """
        upcoming = enumerate(sources)
        again: list[_Job] = []
        under_way: dict[Worker, _Job] = {}
        turn, settled = 0, inf
        while True:
            while turn in self._done and not (self._done[turn].fails and under_way):
                yield self._done.pop(turn)
                turn += 1
                settled = inf
            if turn not in self._done:
                self._hand_out(upcoming, again, under_way)
                if not under_way:
                    return
            else:
                settled = min(settled, time.monotonic() + SETTLING_SECONDS)
                if time.monotonic() >= settled:
                    again += self._break_off(under_way)
                    continue
            for worker, run in self._heard(list(under_way), TICK_SECONDS):
                if isinstance(run, Run):
                    job = under_way.pop(worker).with_run(run)
                    if len(job.runs) == 1 and (twice(job.source) or _worth_repeating(run)):
                        again.append(job)
                    else:
                        self._done[job.turn] = Result(job.source, job.runs)
            tick()

    def out_of_turn(self) -> list[Result]:
        """After an interruption: what came of sources while an earlier one was under way."""
        return [self._done.pop(turn) for turn in sorted(self._done)]

    def _break_off(self, under_way: dict[Worker, _Job]) -> list[_Job]:
        for worker in under_way:
            worker.stop()
        jobs = list(under_way.values())
        under_way.clear()
        return jobs

    def _hand_out(
        self,
        upcoming: Iterator[tuple[int, Source]],
        again: list[_Job],
        under_way: dict[Worker, _Job],
    ) -> None:
        for job in list(again):
            free = [w for w in self.workers if w not in under_way and job.may_be_done_by(w)]
            if free and len(under_way) < self.jobs:
                again.remove(job)
                under_way[free[0]] = job
                free[0].give(job.source, self.limit_seconds)
        for worker in self.workers[: self.jobs]:
            if len(under_way) < self.jobs and worker not in under_way:
                for turn, source in _first(upcoming):
                    under_way[worker] = _Job(turn, source)
                    worker.give(source, self.limit_seconds)

    def _heard(self, workers: list[Worker], seconds: float) -> Iterator[tuple[Worker, str | Run]]:
        """What busy workers say, once one says something, is late, or after `seconds`."""
        patience = min(seconds, *(worker.due - time.monotonic() for worker in workers))
        ready = wait([worker.fileno() for worker in workers], max(0.0, patience))
        for worker in workers:
            if worker.fileno() in ready:
                for said in worker.hear():
                    yield worker, said
            elif time.monotonic() >= worker.due:
                yield worker, worker.late()


@attrs.frozen
class _Job:
    turn: int
    source: Source
    runs: tuple[Run, ...] = ()

    def with_run(self, run: Run) -> _Job:
        return attrs.evolve(self, runs=(*self.runs, run))

    def may_be_done_by(self, worker: Worker) -> bool:
        return all(run.hash_seed != worker.hash_seed for run in self.runs)


def _worth_repeating(run: Run) -> bool:
    violation = run.outcome.violation
    return violation is not None and violation.invariant != IN_TIME


Item = TypeVar("Item")


def _first(items: Iterator[Item]) -> Iterator[Item]:
    """The next one, if there is one."""
    for item in items:
        yield item
        return
