"""Sweep on the command line: `python -m sim.sweep --help` tells how."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from plugins.console import ending, streams
from sim.sweep import options
from sim.sweep.options import PROGRAM


def main(arguments: Sequence[str] | None = None) -> int:
    """Sweep as the arguments say. Returns the exit code."""
    return ending.run(PROGRAM, _main, arguments)


def _main(arguments: Sequence[str]) -> int:
    with ending.asking("interrupted before the first run"):
        wanted = options.read(arguments)
        from sim.sweep import sweeping  # the simulator, which takes a while to load
    return sweeping.swept(wanted)


if __name__ == "__main__":
    streams.start()
    sys.exit(main())
