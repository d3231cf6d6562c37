"""A run of `python -m sim`, once it is known what is wanted: the world, the run, and its last word.

It loads the simulator, which takes a while, so `sim.__main__` reads the options before.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import redirect_stdout

from plugins.console import streams, telling
from plugins.console.ending import Ended
from plugins.console.exits import Exit
from sim.command import idle, progress, summary
from sim.command.follow import FollowedWorld
from sim.command.options import PROGRAM, Options
from sim.idle import IdleWorld
from sim.record import Report
from sim.world import World


def built(wanted: Options) -> World:
    """Raises ValueError with one line for what only shows now, such as a job that is not there."""
    tell = _teller(wanted)
    with redirect_stdout(sys.stderr):  # what a job prints is no answer
        if wanted.idle is not None:
            return IdleWorld(wanted.idle, **wanted.world)
        if wanted.follow is None:
            return World(**wanted.world)
        return FollowedWorld(wanted.follow, tell, **wanted.world)


def run(world: World, wanted: Options) -> int:
    """Run it, and tell how it went. Returns the exit code."""
    _keep(world)
    if isinstance(world, IdleWorld):
        return _watch(world, wanted)
    try:
        report = summary.with_cause(_run(world, wanted))
    except KeyboardInterrupt:
        raise Ended(Exit.INTERRUPTED, _how_far(world)) from None
    code = _tell(report, wanted)
    if world.trace_error is None:
        return code
    raise Ended(Exit.FAILED, world.trace_error)


def _watch(world: IdleWorld, wanted: Options) -> int:
    """Have nodes be at home for as long as was asked for."""
    try:
        with progress.shown(world, None if wanted.json else sys.stderr):
            world.run(until=world.seconds)
    except KeyboardInterrupt:
        arrived = f"{world.record.arrived:,} of {world.nodes:,} nodes had arrived"
        told = f"interrupted at {world.now:,.3f} simulated seconds: {arrived}"
        raise Ended(Exit.INTERRUPTED, told) from None
    report = world.idle_report()
    text = idle.as_json(report) if wanted.json else idle.table(report)
    return streams.answer(PROGRAM, text)


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
