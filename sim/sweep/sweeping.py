"""A sweep on the command line, once it is known what is wanted: its runs, its table, its last word.

It loads the simulator, which takes a while, so `__main__.py` reads the options before.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from plugins.console import signals, streams
from plugins.console.exits import Exit
from plugins.console.progress import left, progress
from sim.sweep import file, points, table
from sim.sweep.options import PROGRAM, VARIED, Options
from sim.sweep.outcome import Outcome
from sim.sweep.overview import overview
from sim.sweep.running import run


def swept(wanted: Options) -> int:
    """Do all runs, write the table, and tell how it went. Returns the exit code."""
    outcomes: dict[int, Outcome] = {}
    try:
        _run(wanted, outcomes)
    except KeyboardInterrupt:
        with _undisturbed():
            _keep(wanted, outcomes, "interrupted")
        return Exit.INTERRUPTED
    except (OSError, EOFError) as error:  # no process can be started, say
        with _undisturbed():
            _keep(wanted, outcomes, f"the sweep cannot go on ({error})")
        return Exit.FAILED
    with _undisturbed():
        return _finished(wanted, outcomes)


def _run(wanted: Options, outcomes: dict[int, Outcome]) -> None:
    """Put what comes of each point into `outcomes`, where it is also after an interruption."""
    sizes = [points.size(point) for point in wanted.points]
    began, done, total = time.perf_counter(), 0, sum(sizes)

    def line() -> str:
        share = done / total
        parts = [f"{len(outcomes):,} of {len(sizes):,} runs", f"{int(100 * share):3} %"]
        if done:
            parts.append(left((time.perf_counter() - began) * (1 - share) / share))
        return "  ".join(parts)

    with (
        progress(sys.stderr) as live,
        closing(run(wanted.points, wanted.jobs, lambda: live.show(line))) as found,
    ):
        for place, outcome in found:
            outcomes[place] = outcome
            done += sizes[place]


# -- afterwards ------------------------------------------------------------------------------


@contextmanager
def _undisturbed() -> Iterator[None]:
    """What was computed is written, however often Ctrl-C is pressed."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in signals.SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _keep(wanted: Options, outcomes: dict[int, Outcome], why: str) -> None:
    """Write what is finished, where anything is."""
    all_runs = f"of {len(wanted.points):,} runs"
    if not outcomes:
        _complain(f"{why}: 0 {all_runs} are finished, and nothing is written to {_name(wanted)}")
    elif _saved(wanted, outcomes):
        _complain(f"{why}: {len(outcomes):,} {all_runs} are in {_name(wanted)}")


def _finished(wanted: Options, outcomes: dict[int, Outcome]) -> int:
    if not _saved(wanted, outcomes):
        return Exit.FAILED
    try:
        print(overview(table.rows(wanted.points, outcomes)), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, say
        _complain(f"the table is in {_name(wanted)}, its medians cannot be written: {error}")
        return Exit.FAILED
    failed = [place for place in sorted(outcomes) if outcomes[place].error is not None]
    if not failed:
        return Exit.FINISHED
    point = wanted.points[failed[0]]
    varied = points.words({name: point[name] for name in (*VARIED, "seed") if name in point})
    first = f"the first with {varied}: {outcomes[failed[0]].error}"
    _complain(f"{len(failed):,} of {len(outcomes):,} runs failed, {first}")
    return Exit.FAILED


def _saved(wanted: Options, outcomes: dict[int, Outcome]) -> bool:
    try:
        file.save(table.frame(wanted.points, outcomes), wanted.out)
    except OSError as error:
        _complain(f"--out: {_name(wanted)} cannot be written: {error.strerror}")
        return False
    return True


def _name(wanted: Options) -> str:
    return repr(str(wanted.out))


def _complain(line: str) -> None:
    streams.complain(PROGRAM, line)
