"""Simulate a million nodes on the command line: `python -m sim --help` tells how."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout

from plugins.console import ending, streams, telling
from plugins.console.ending import Ended
from plugins.console.exits import Exit
from plugins.jobs import loading
from sim.command import options, progress, summary
from sim.command.follow import FollowedWorld
from sim.command.options import PROGRAM, Options
from sim.record import Report
from sim.world import World


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the arguments say. Returns the exit code."""
    try:
        return ending.run(PROGRAM, _main, arguments)
    except MemoryError:
        streams.complain(PROGRAM, "there is not enough memory: give fewer --nodes")
        return Exit.FAILED


def _main(arguments: Sequence[str]) -> int:
    with ending.asking("interrupted before the run began"):
        wanted = options.read(arguments)
        world = _build(wanted)
    _keep(world)
    try:
        report = summary.with_cause(_run(world, wanted))
    except KeyboardInterrupt:
        raise Ended(Exit.INTERRUPTED, _how_far(world)) from None
    code = _tell(report, wanted)
    if world.trace_error is None:
        return code
    raise Ended(Exit.FAILED, world.trace_error)


def _build(wanted: Options) -> World:
    """Raises ValueError with one line for what only shows now, such as a job that is not there."""
    tell = _teller(wanted)
    with redirect_stdout(sys.stderr):  # what a job prints is no answer
        if wanted.follow is None:
            return World(**wanted.world)
        return FollowedWorld(wanted.follow, tell, **wanted.world)


def _keep(world: World) -> None:
    """Never free its objects one by one: for a million nodes that takes longer than the run's last
    seconds. At the end of the process the system frees their memory at once."""
    if not gc.isenabled():
        world.kept = world  # type: ignore[attr-defined]  # a cycle, for which nobody looks


def _run(world: World, wanted: Options) -> Report:
    quiet = wanted.json or wanted.follow is not None
    with redirect_stdout(sys.stderr), progress.shown(world, None if quiet else sys.stderr):
        report = world.run()
        if isinstance(world, FollowedWorld):
            world.tell_end()
    return report


def _teller(wanted: Options) -> Callable[[str], None]:
    stream = sys.stderr if wanted.json else sys.stdout

    def tell(line: str) -> None:
        try:
            print(line, file=stream)
        except BrokenPipeError:
            raise
        except OSError:  # a full disk, say: at the end the result will not fit, and that is told
            pass

    return tell


def _tell(report: Report, wanted: Options) -> int:
    """Print how it went. Returns the exit code."""
    text = telling.as_json(report) if wanted.json else summary.table(report)
    if wanted.follow is not None and not wanted.json:
        text = f"\n{text}"
    return telling.told(PROGRAM, report, text)


def _how_far(world: World) -> str:
    record = world.record
    return (
        f"interrupted at {world.now:,.3f} simulated seconds: "
        f"{record.arrived:,} of {world.nodes:,} nodes had arrived, "
        f"{record.accepted:,} of {world.shape.partitions:,} partitions were accepted"
    )


if __name__ == "__main__":
    streams.start()
    gc.disable()  # one search through a million objects, which are all needed, takes seconds
    for _last in (gc.freeze, loading.forget):  # after what the job has registered for the end
        atexit.register(_last)
    sys.exit(main())
