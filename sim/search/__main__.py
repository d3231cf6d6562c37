"""Search for failures on the command line: `python -m sim.search --help` tells how."""

from __future__ import annotations

import argparse
import os
import random
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from itertools import count, islice
from pathlib import Path
from typing import Any

import attrs

from sim.options import BadOption, _joined, _paragraphs, _Parser, _value
from sim.search import report
from sim.search.pool import ALIKE, IN_TIME, TRIALS, Pool, Result, Run, Source, Worker
from sim.search.report import Failure, Progress, Tally
from sim.search.shrink import SECONDS_MAX, shrink
from sim.search.trial import Trial, Violation

PROGRAM = "python -m sim.search"
CLEAN, FOUND, MISUSED, INTERRUPTED = 0, 1, 2, 130
SEEDS, STOP_AFTER, LIMIT_SECONDS, SHARE_TWICE = 1000, 3, 60.0, 0.05
SHRINKING_LIMIT_SECONDS = 20.0  # for one run; what takes longer does not count as failing


def main(arguments: Sequence[str] | None = None, trials: str = TRIALS) -> int:
    """Search as the arguments say, with `draw` and `run` of the module `trials`.

    Returns the exit code.
    """
    try:
        wanted = read(sys.argv[1:] if arguments is None else arguments)
    except SystemExit:  # the help was asked for
        return CLEAN
    except ValueError as error:
        _complain(str(error))
        return MISUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    try:
        with (
            Pool(wanted.jobs, wanted.limit, wanted.hash_seeds, trials) as pool,
            report.progress(None if wanted.verbose else sys.stderr) as progress,
        ):
            return _Search(wanted, pool, progress).search()
    except BrokenPipeError:  # whoever was reading has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is left
        return FOUND
    except OSError as error:  # a full disk, say
        _complain(f"the search cannot go on: {error}")
        return FOUND


def _complain(line: str) -> None:
    if sys.stderr:  # it may have been closed
        print(f"{PROGRAM}: {line}", file=sys.stderr)


# -- searching -----------------------------------------------------------------------------


class _Search:
    def __init__(self, wanted: Options, pool: Pool, progress: Progress) -> None:
        self._wanted = wanted
        self._pool = pool
        self._progress = progress
        self._tally = Tally(wanted.how_many)
        self._began = time.monotonic()

    def search(self) -> int:
        """Returns the exit code."""
        interrupted = False
        try:
            self._go()
        except KeyboardInterrupt:
            interrupted = True
            self._tally.stopped = "interrupted"
            self._note_the_rest()
        self._progress.clear()
        seconds = time.monotonic() - self._began
        if self._wanted.json:
            print(report.as_json(self._tally, seconds), flush=True)
        else:
            print(report.summary(self._tally, seconds), flush=True)
        if interrupted:
            _complain(f"interrupted after {self._tally.seeds:,} seeds")
            return INTERRUPTED
        return FOUND if self._tally.failed else CLEAN

    def _go(self) -> None:
        wanted = self._wanted
        results = (
            iter([self._aloud(source) for source in wanted.sources()])
            if wanted.verbose
            else self._pool.results(self._sources(), self._twice, self._show)
        )
        for result in results:
            since = time.monotonic()
            if (found := self._note(result)) and wanted.shrink:
                self._shrink(result, found)
            self._tally.failure_seconds += (time.monotonic() - since) if found else 0.0
            if self._tally.failed >= wanted.stop_after and self._tally.seeds != wanted.how_many:
                self._tally.stopped = f"stopped, as {self._tally.failed:,} failed"
                return

    def _sources(self) -> Iterator[Source]:
        for source in self._wanted.sources():
            if (left := self._seconds_left()) is not None and left <= 0:
                self._tally.stopped = "the time was over"
                return
            yield source

    def _twice(self, source: Source) -> bool:
        return random.Random(f"twice/{_seed(source)}").random() < self._wanted.share_twice

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

    def _note(self, result: Result, interrupted: bool = False) -> Failure | None:
        """Count it. What fails is printed, saved and returned."""
        seed = _seed(result.source)
        self._tally.add(result, seed)
        if not result.fails:
            return None
        violation = result.run.outcome.violation
        if result.differs:
            violation = _outcomes_differ(result) if interrupted else self._difference(result)
        assert violation
        found = Failure(seed, violation, result.run.trial, self._replay(result))
        self._tally.failures.append(found)
        self._print(report.failure(found))
        if found.trial and not self._wanted.replay:
            report.save(self._path(found), found.trial, violation)
        return found

    def _note_the_rest(self) -> None:
        """After an interruption, what was found and waited for its turn."""
        for result in self._pool.out_of_turn():
            self._note(result, interrupted=True)

    def _difference(self, result: Result) -> Violation:
        one, other = (self._pool.worker(run.hash_seed) for run in result.runs)
        self._progress.show(f"seed {_seed(result.source)}: looking for where two runs differ")
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

    def _replay(self, result: Result) -> str:
        source = result.source
        which = f"--seed {source}"
        if self._wanted.replay is not None:
            which = f"--replay {shlex.quote(str(self._wanted.replay))}"
        return f"{PROGRAM} {which}{_hash_seeds(result)}"

    def _path(self, found: Failure) -> Path:
        return self._wanted.out / f"failure-{found.seed}.json"

    # -- shrinking ---------------------------------------------------------------------------

    def _shrink(self, result: Result, found: Failure) -> None:
        if found.trial is None:
            return
        if found.violation.invariant == IN_TIME:
            self._print("  it is not shrunk, as each run would take as long\n")
            return
        fails = self._differing if result.differs else self._violating
        test = fails([self._pool.worker(run.hash_seed) for run in result.runs], found.violation)
        tried = count(1)

        def still_fails(trial: Trial) -> bool:
            self._progress.show(f"seed {found.seed}: shrinking, run {next(tried)}")
            return test(trial) is not None

        found.shrunk = shrink(found.trial, still_fails)
        if found.shrunk.trial != found.trial:
            self._note_shrunk(result, found, test(found.shrunk.trial))
        self._print(report.shrunk(found))

    def _note_shrunk(self, result: Result, found: Failure, again: Result | None) -> None:
        assert found.shrunk
        if again is None:  # it does not always fail
            return
        violation = self._difference(again) if again.differs else again.run.outcome.violation
        assert violation
        path = self._path(found)
        report.save(path, found.shrunk.trial, violation)
        found.shrunk_violation = violation
        found.shrunk_replay = f"{PROGRAM} --replay {shlex.quote(str(path))}{_hash_seeds(result)}"

    def _violating(self, workers: list[Worker], violation: Violation) -> _Test:
        def test(trial: Trial) -> Result | None:
            run = self._pool.run(workers[0], trial, SHRINKING_LIMIT_SECONDS)
            same = run.outcome.violation and run.outcome.violation.invariant == violation.invariant
            return Result(trial, (run,)) if same else None

        return test

    def _differing(self, workers: list[Worker], _: Violation) -> _Test:
        def test(trial: Trial) -> Result | None:
            runs = (self._pool.run(worker, trial, SHRINKING_LIMIT_SECONDS) for worker in workers)
            result = Result(trial, tuple(runs))
            return result if result.differs else None

        return test

    # -- showing -----------------------------------------------------------------------------

    def _print(self, text: str) -> None:
        if not self._wanted.json:
            self._progress.clear()
            print(text, flush=True)

    def _show(self) -> None:
        tally, seconds = self._tally, time.monotonic() - self._began
        left = [] if (limit := self._seconds_left()) is None else [max(0.0, limit)]
        if tally.seeds and tally.wanted:
            left.append(seconds * (tally.wanted - tally.seeds) / tally.seeds)
        self._progress.show(report.progress_line(tally, seconds, min(left, default=None)))

    def _seconds_left(self) -> float | None:
        if self._wanted.minutes is None:
            return None
        return self._began + 60 * self._wanted.minutes - time.monotonic()


_Test = Callable[[Trial], Result | None]


def _seed(source: Source) -> int:
    return source if isinstance(source, int) else source.seed


def _outcomes_differ(result: Result) -> Violation:
    """For runs of which no event is known to differ."""
    told = tuple(
        f"hash seed {run.hash_seed}: digest {run.outcome.digest or 'none'}, "
        f"{run.outcome.messages:,} messages, "
        + (f"violated: {run.outcome.violation.invariant}" if run.outcome.violation else "all well")
        for run in result.runs
    )
    return Violation(ALIKE, "how it ends differs under another hash seed", 0.0, told)


def _hash_seeds(result: Result) -> str:
    """The option that has a replay use the same hash seeds, where that matters."""
    seeds = sorted(run.hash_seed for run in result.runs)
    return f" --hash-seeds {seeds[0]},{seeds[1]}" if result.differs and seeds != [1, 2] else ""


# -- options -------------------------------------------------------------------------------


@attrs.frozen
class Options:
    """What the command line says."""

    seeds: int | None  # None: until the minutes are over
    first: int
    seed: int | None
    replay: Path | None
    trial: Trial | None  # of the file to replay
    jobs: int
    share_twice: float
    hash_seeds: tuple[int, ...]
    minutes: float | None
    limit: float
    stop_after: int
    shrink: bool
    out: Path
    verbose: bool
    json: bool

    @property
    def how_many(self) -> int | None:
        return 1 if self.seed is not None or self.trial else self.seeds

    def sources(self) -> Iterator[Source]:
        """What is to be run, in order."""
        if self.trial:
            return iter([self.trial])
        if self.seed is not None:
            return iter([self.seed])
        return islice(count(self.first), self.seeds)


def read(arguments: Sequence[str]) -> Options:
    """Raises BadOption; SystemExit(0) after printing the help, where that was asked for."""
    parser = _parser()
    named = vars(parser.parse_args(list(_joined(parser, arguments))))
    single = [name for name in ("seed", "replay") if name in named]
    several = [name for name in ("seeds", "first", "minutes") if name in named]
    if len(single) == 2 or (single and several):
        one, other = (*single, *several)[:2]
        raise BadOption(f"--{other} does not go with --{one}, give one of them")
    if named["verbose"] and not single:
        raise BadOption("--verbose tells the events of one run, name it with --seed or --replay")
    out = named["out"]
    if not out.is_dir():
        raise BadOption(f"--out: there is no folder {str(out)!r}, make it or name another")
    replay = named.get("replay")
    defaults: dict[str, Any] = {
        "seeds": None if "minutes" in named else SEEDS,
        "first": 0,
        "seed": None,
        "replay": None,
        "trial": replay and _saved(replay),
        "share_twice": 1.0 if single else SHARE_TWICE,
        "minutes": None,
    }
    named["shrink"] = named["shrink"] and replay is None
    return Options(**{**defaults, **named})


def _saved(path: Path) -> Trial:
    try:
        return report.load(path)
    except OSError as error:
        raise BadOption(f"--replay: {str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadOption(f"--replay: {str(path)!r} is wrong: {error}") from None


def _hash_seed_list(text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        seeds = ()
    if not seeds or len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**32 for seed in seeds):
        wanted = "give different whole numbers from 0 to 4294967295, such as 1,2"
        raise argparse.ArgumentTypeError(f"{text!r:.60} is wrong, {wanted}")
    return seeds


_COUNT = _value(int, "a whole number, 1 or more, below 10^15", lambda n: 1 <= n < 10**15)
_JOBS = _value(int, "a whole number from 1 to 500", lambda n: 1 <= n <= 500)
_SEED = _value(int, "a whole number", lambda n: abs(n) < 10**18)
_SHARE = _value(float, "a number from 0 to 1", lambda x: 0 <= x <= 1)
_TIME = _value(float, "a number above 0, up to 1e+06", lambda x: 0 < x <= 1e6)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [--seeds N | --seed S | --replay FILE] [options]",
        description=_paragraphs(
            "Searches for failures: draws a world and faults from each seed, runs them in a "
            "simulation, and checks all the way what is promised. What fails is printed, made "
            "smaller while it still fails, and saved. The same seed gives the same run."
        ),
        epilog=_paragraphs(
            "Exit codes: 0 every promise was kept; 1 one was broken, or two runs of the same "
            "trial differed; 2 an option is wrong; 130 interrupted."
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    _add_what(parser.add_argument_group("what is run"))
    _add_how(parser.add_argument_group("how"))
    _add_failures(parser.add_argument_group("what is done about failures"))
    _add_output(parser.add_argument_group("what is shown"))
    return parser


def _add_what(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--seeds",
        metavar="N",
        type=_COUNT,
        help=f"how many seeds are run (default: {SEEDS}; with --minutes no end)",
    )
    group.add_argument("--first", metavar="S", type=_SEED, help="the first of them (default: 0)")
    group.add_argument(
        "--seed", metavar="S", type=_SEED, help="run only this one, as it was run before"
    )
    group.add_argument("--replay", metavar="FILE", type=Path, help="run only a saved trial")


def _add_how(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--jobs",
        metavar="J",
        type=_JOBS,
        default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        help="how many are run at the same time, each in a process of its own "
        "(default: as many as there are processors)",
    )
    group.add_argument(
        "--minutes",
        metavar="M",
        type=_TIME,
        help="start none after so many minutes (default: no limit)",
    )
    group.add_argument(
        "--limit",
        metavar="SECONDS",
        type=_TIME,
        default=LIMIT_SECONDS,
        help="a run that takes longer has failed, in seconds of wall time "
        f"(default: {LIMIT_SECONDS:g})",
    )
    group.add_argument(
        "--share-twice",
        metavar="SHARE",
        type=_SHARE,
        help="the share of the seeds, 0 to 1, that is run twice, in two processes with different "
        "hash seeds, and must be the same; those that fail are always run twice "
        f"(default: {SHARE_TWICE:g}; for a single one 1)",
    )
    group.add_argument(
        "--hash-seeds",
        metavar="A,B,...",
        type=_hash_seed_list,
        default=(),
        help="PYTHONHASHSEED of each process (default: 1,2,...)",
    )


def _add_failures(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--stop-after",
        metavar="K",
        type=_COUNT,
        default=STOP_AFTER,
        help=f"stop after so many failing seeds (default: {STOP_AFTER})",
    )
    group.add_argument(
        "--no-shrink",
        dest="shrink",
        action="store_false",
        default=True,
        help=f"do not make them smaller (default: {SECONDS_MAX:g} s for each; a saved one never)",
    )
    group.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        default=Path(),
        help="where they are saved, as failure-SEED.json (default: the present folder)",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--verbose",
        action="store_true",
        default=False,
        help="with --seed or --replay: tell every event; with --json on standard error",
    )
    group.add_argument(
        "--json",
        action="store_true",
        default=False,
        help="one JSON object on standard output, and nothing else there "
        "(default: a report for people)",
    )


if __name__ == "__main__":
    for _stream in (sys.stdout, sys.stderr):
        if isinstance(_stream, TextIOWrapper):  # an event may have what a terminal cannot show
            _stream.reconfigure(errors="backslashreplace")
    sys.exit(main())
