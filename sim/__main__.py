"""Simulate a million nodes on the command line: `python -m sim --help` tells how."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout, suppress
from io import TextIOWrapper
from typing import NoReturn

from plugins import telling
from sim import options, progress, summary
from sim.follow import FollowedWorld
from sim.options import PROGRAM, Options
from sim.world import Report, World

FINISHED, UNFINISHED, MISUSED = 0, 1, 2
INTERRUPTED, UNREAD = 130, 141  # as of a process that SIGINT or SIGPIPE has ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the arguments say. Returns the exit code."""
    try:
        return _main(sys.argv[1:] if arguments is None else arguments)
    except BrokenPipeError:  # whoever was reading has read enough
        return UNREAD
    except MemoryError:
        _complain("there is not enough memory: give fewer --nodes")
        return UNFINISHED


def _main(arguments: Sequence[str]) -> int:
    try:
        wanted = options.read(arguments)
        world = _build(wanted)
    except SystemExit:  # the help was asked for
        return FINISHED
    except KeyboardInterrupt:
        _complain("interrupted before the run began")
        return INTERRUPTED
    except ValueError as error:
        _complain(str(error))
        return MISUSED
    try:
        report = summary.with_cause(_run(world, wanted))
    except KeyboardInterrupt:
        _complain(_how_far(world))
        return INTERRUPTED
    code = _tell(report, wanted)
    if world.trace_error is None:
        return code
    _complain(world.trace_error)
    return UNFINISHED


def _build(wanted: Options) -> World:
    """Raises ValueError with one line for what only shows now, such as a job that is not there."""
    with _own_output(wanted):
        if wanted.follow is None:
            return World(**wanted.world)
        return FollowedWorld(wanted.follow, _teller(wanted), **wanted.world)


def _run(world: World, wanted: Options) -> Report:
    quiet = wanted.json or wanted.follow is not None
    with _own_output(wanted), progress.shown(world, None if quiet else sys.stderr):
        report = world.run()
        if isinstance(world, FollowedWorld):
            world.tell_end()
    return report


def _own_output(wanted: Options) -> AbstractContextManager[object]:
    """What a job prints is kept away from the JSON object."""
    return redirect_stdout(sys.stderr) if wanted.json else nullcontext()


def _teller(wanted: Options) -> Callable[[str], None]:
    stream = sys.stderr if wanted.json else sys.stdout
    return lambda line: print(line, file=stream)


def _tell(report: Report, wanted: Options) -> int:
    """Print how it went. Returns the exit code."""
    failure = report.failure
    text = telling.as_json(report) if wanted.json else summary.table(report)
    if wanted.follow is not None and not wanted.json:
        text = f"\n{text}"
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, say
        _complain(f"the result cannot be written: {error}")
        return UNFINISHED
    if failure is None:
        return FINISHED
    if "\n" in failure.error.strip() and sys.stderr:
        print(failure.error.rstrip(), file=sys.stderr)
    _complain(telling.failure_line(failure))
    return UNFINISHED


def _how_far(world: World) -> str:
    record = world.record
    return (
        f"interrupted at {world.now:,.3f} simulated seconds: "
        f"{record.arrived:,} of {world.nodes:,} nodes had arrived, "
        f"{record.accepted:,} of {world.shape.partitions:,} partitions were accepted"
    )


def _complain(line: str) -> None:
    if sys.stderr:  # it may have been closed
        print(f"{PROGRAM}: {line}", file=sys.stderr)


def _leave(code: int) -> NoReturn:
    """End the process without freeing its objects one by one: for a million nodes that takes
    longer than the run's last seconds, and the system frees their memory at once anyway."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed by whoever was reading
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    gc.disable()  # one search through a million objects, which are all needed, takes seconds
    for _stream in (sys.stdout, sys.stderr):
        if isinstance(_stream, TextIOWrapper):  # a result may have what a terminal cannot show
            _stream.reconfigure(errors="backslashreplace")
    _leave(main())
