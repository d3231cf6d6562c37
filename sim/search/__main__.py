"""Search for failures on the command line: `python -m sim.search --help` tells how."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from plugins.console import ending, streams
from plugins.console.ending import Ended
from plugins.console.exits import Exit
from plugins.console.progress import progress
from sim.search import options
from sim.search.options import PROGRAM, Options
from sim.search.pool import TRIALS, Pool
from sim.search.searching import Search


def main(arguments: Sequence[str] | None = None, trials: str = TRIALS) -> int:
    """Search as the arguments say, with `draw` and `run` of the module `trials`.

    Returns the exit code.
    """
    return ending.run(PROGRAM, partial(_main, trials), arguments)


def _main(trials: str, arguments: Sequence[str]) -> int:
    with ending.asking():
        wanted = options.read(arguments)
    try:
        return _search(wanted, trials)
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, say
        streams.complain(PROGRAM, f"the search cannot go on: {error}")
        return streams.silenced(Exit.FAILED)


def _search(wanted: Options, trials: str) -> int:
    with (
        Pool(wanted.jobs, wanted.limit, wanted.hash_seeds, trials) as pool,
        progress(None if wanted.verbose else sys.stderr) as live,
    ):
        search = Search(wanted, pool, live)
        if search.search():
            raise Ended(Exit.INTERRUPTED, f"interrupted after {search.tally.seeds:,} seeds")
        return Exit.FAILED if search.tally.failed else Exit.FINISHED


if __name__ == "__main__":
    streams.start()
    sys.exit(main())
