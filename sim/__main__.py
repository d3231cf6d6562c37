"""Simulate a million nodes on the command line: `python -m sim --help` tells how."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence

from plugins.console import ending, streams
from plugins.console.exits import Exit
from plugins.jobs import loading
from sim.command import options
from sim.command.options import PROGRAM


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
        from sim.command import fleets, running  # the simulator, which takes a while to load

        if wanted.jobs is None:
            world = running.built(wanted)
        else:
            fleet = fleets.built(wanted)
    return running.run(world, wanted) if wanted.jobs is None else fleets.run(fleet, wanted)


if __name__ == "__main__":
    streams.start()
    gc.disable()  # one search through a million objects, which are all needed, takes seconds
    for _last in (gc.freeze, loading.forget):  # after what the job has registered for the end
        atexit.register(_last)
    sys.exit(main())
