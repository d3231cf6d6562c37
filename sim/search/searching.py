"""A search: runs what is wanted, tells how it goes, and has failures looked into."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

from plugins.console import streams
from plugins.console.ending import Ended
from plugins.console.exits import Exit
from plugins.console.progress import Progress, progress
from sim.search import report
from sim.search.failing import Inquiry
from sim.search.invariants import IN_TIME
from sim.search.options import PROGRAM, Options
from sim.search.pool import Pool
from sim.search.report import Failure, Tally
from sim.search.results import Result, Run, Source, seed_of


def searched(wanted: Options, trials: str) -> int:
    """Search with `draw` and `run` of the module `trials`. Returns the exit code."""
    try:
        return _searched(wanted, trials)
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, say
        streams.complain(PROGRAM, f"the search cannot go on: {error}")
        return streams.silenced(Exit.FAILED)


def _searched(wanted: Options, trials: str) -> int:
    with (
        Pool(wanted.jobs, wanted.limit, wanted.hash_seeds, trials) as pool,
        progress(None if wanted.verbose else sys.stderr) as live,
    ):
        search = Search(wanted, pool, live)
        if search.search():
            raise Ended(Exit.INTERRUPTED, f"interrupted after {search.tally.seeds:,} seeds")
        return Exit.FAILED if search.tally.failed else Exit.FINISHED


class Search:
    """One search, with the workers of `pool`."""

    def __init__(self, wanted: Options, pool: Pool, progress: Progress) -> None:
        self.tally = Tally(wanted.how_many)
        self._wanted = wanted
        self._pool = pool
        self._progress = progress
        self._inquiry = Inquiry(wanted, pool, progress.show)
        self._began = time.monotonic()

    def search(self) -> bool:
        """Go on to the end, and tell how it went. Returns whether it was interrupted."""
        try:
            self._go()
        except KeyboardInterrupt:
            self.tally.stopped = "interrupted"
            self._note_the_rest()
        self._progress.clear()
        tell = report.as_json if self._wanted.json else report.summary
        print(tell(self.tally, self._seconds()), flush=True)
        return self.tally.stopped == "interrupted"

    def _go(self) -> None:
        tally = self.tally
        for result in self._results():
            since = time.monotonic()
            if (found := self._note(result)) and self._wanted.shrink:
                self._shrink(result, found)
            tally.failure_seconds += (time.monotonic() - since) if found else 0.0
            if tally.failed >= self._wanted.stop_after and tally.seeds != self._wanted.how_many:
                tally.stopped = f"stopped, as {tally.failed:,} failed"
                return

    # -- running -----------------------------------------------------------------------------

    def _results(self) -> Iterator[Result]:
        if self._wanted.verbose:
            return iter([self._aloud(source) for source in self._wanted.sources()])
        return self._pool.results(self._sources(), self._twice, self._show)

    def _sources(self) -> Iterator[Source]:
        for source in self._wanted.sources():
            if (left := self._seconds_left()) is not None and left <= 0:
                self.tally.stopped = "the time was over"
                return
            yield source

    def _twice(self, source: Source) -> bool:
        return random.Random(f"twice/{seed_of(source)}").random() < self._wanted.share_twice

    def _aloud(self, source: Source) -> Result:
        """Run one, and print its events."""
        one, other = self._pool.workers[:2]
        stream = sys.stderr if self._wanted.json else sys.stdout
        told = self._pool.told(one, source)
        while True:
            try:
                print(next(told), file=stream, flush=True)
            except StopIteration as end:
                run: Run = end.value
                break
        self._print("")
        violation = run.outcome.violation
        if self._twice(source) and (violation is None or violation.invariant != IN_TIME):
            return Result(source, (run, self._pool.run(other, source)))
        return Result(source, (run,))

    # -- failures ----------------------------------------------------------------------------

    def _note(self, result: Result) -> Failure | None:
        """Count it. What fails is printed, saved and returned; of a single one all is printed."""
        seed = seed_of(result.source)
        self.tally.add(result, seed)
        if not result.fails:
            if self._wanted.how_many == 1:
                self._print(report.passed(seed, result.run.trial))
            return None
        found = self._inquiry.failure(result)
        self._tell(found)
        return found

    def _note_the_rest(self) -> None:
        """After an interruption, what was found and waited for its turn."""
        for result in self._pool.out_of_turn():
            self.tally.add(result, seed_of(result.source))
            if result.fails:
                self._tell(self._inquiry.briefly(result))

    def _tell(self, found: Failure) -> None:
        self.tally.failures.append(found)
        self._print(report.failure(found))
        if not self._wanted.replay:
            self._inquiry.save(found)

    def _shrink(self, result: Result, found: Failure) -> None:
        if found.violation.invariant == IN_TIME and found.trial:
            self._print("  it is not shrunk, as each run would take as long\n")
        elif found.trial:
            self._inquiry.shrink(result, found)
            self._print(report.shrunk(found))

    # -- showing -----------------------------------------------------------------------------

    def _print(self, text: str) -> None:
        if not self._wanted.json:
            self._progress.clear()
            print(text, flush=True)

    def _show(self) -> None:
        tally, seconds = self.tally, self._seconds()
        left = [] if (limit := self._seconds_left()) is None else [max(0.0, limit)]
        if tally.seeds and tally.wanted:
            left.append(seconds * (tally.wanted - tally.seeds) / tally.seeds)
        self._progress.show(report.progress_line(tally, seconds, min(left, default=None)))

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _seconds_left(self) -> float | None:
        minutes = self._wanted.minutes
        return None if minutes is None else 60 * minutes - self._seconds()
