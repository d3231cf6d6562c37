"""Worker processes that run trials: side by side, twice where wished, and none for ever.

Each worker has a hash seed of its own, so a trial that is done twice is done under two. A worker
that dies or takes too long is replaced; that is what came of its trial then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import count, islice, zip_longest
from math import inf
from multiprocessing.connection import wait

import attrs

from sim.search.invariants import IN_TIME
from sim.search.options import TRIALS
from sim.search.process import Worker
from sim.search.results import Result, Run, Source

TOLD_FACTOR = 5  # how much longer a run may take that tells its events
TICK_SECONDS = 0.2  # between two looks at how far the search is
SETTLING_SECONDS = 1.0  # that a failure waits for the other workers' runs


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
        self, sources: Iterable[Source], twice: Callable[[Source], bool], tick: Callable[[], None]
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
            again += self._unfinished(under_way, twice)
            tick()

    def out_of_turn(self) -> list[Result]:
        """After an interruption: what came of sources while an earlier one was under way."""
        return [self._done.pop(turn) for turn in sorted(self._done)]

    def _unfinished(
        self, under_way: dict[Worker, _Job], twice: Callable[[Source], bool]
    ) -> Iterator[_Job]:
        """Of those that are over within a tick the ones that are to be run once more."""
        for job in self._over(under_way):
            if len(job.runs) == 1 and (twice(job.source) or _worth_repeating(job.runs[0])):
                yield job
            else:
                self._done[job.turn] = Result(job.source, job.runs)

    def _over(self, under_way: dict[Worker, _Job]) -> Iterator[_Job]:
        """Those that are over within a tick, each with its run."""
        for worker, run in self._heard(list(under_way), TICK_SECONDS):
            if isinstance(run, Run):
                yield under_way.pop(worker).with_run(run)

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
                for turn, source in islice(upcoming, 1):
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
