"""Search for failures on the command line: `python -m sim.search --help` tells how."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from plugins.console import ending, streams
from sim.search import options
from sim.search.options import PROGRAM


def main(arguments: Sequence[str] | None = None, trials: str = "") -> int:
    """Search as the arguments say, with `draw` and `run` of the module `trials` where one is named.

    Returns the exit code.
    """
    return ending.run(PROGRAM, partial(_main, trials), arguments)


def _main(trials: str, arguments: Sequence[str]) -> int:
    with ending.asking("interrupted"):
        wanted = options.read(arguments)
        from sim.search import searching  # the simulator, which takes a while to load
    return searching.searched(wanted, trials or wanted.trials)


if __name__ == "__main__":
    streams.start()
    sys.exit(main())
