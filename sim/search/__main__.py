"""Search for failures on the command line: `python -m sim.search --help` tells how."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from plugins.console import streams as console
from plugins.console.progress import progress
from sim.search import options
from sim.search.options import PROGRAM, Options
from sim.search.pool import TRIALS, Pool
from sim.search.searching import Search

CLEAN, FOUND, MISUSED = 0, 1, 2
INTERRUPTED = 130  # as of a process that SIGINT has ended


def main(arguments: Sequence[str] | None = None, trials: str = TRIALS) -> int:
    """Search as the arguments say, with `draw` and `run` of the module `trials`.

    Returns the exit code.
    """
    try:
        wanted = options.read(sys.argv[1:] if arguments is None else arguments)
    except SystemExit:  # the help was asked for
        return CLEAN
    except ValueError as error:
        _complain(str(error))
        return MISUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    try:
        return _search(wanted, trials)
    except BrokenPipeError:  # whoever was reading has read enough
        return console.silenced(console.UNREAD)
    except OSError as error:  # a full disk, say
        _complain(f"the search cannot go on: {error}")
        return console.silenced(FOUND)


def _search(wanted: Options, trials: str) -> int:
    with (
        Pool(wanted.jobs, wanted.limit, wanted.hash_seeds, trials) as pool,
        progress(None if wanted.verbose else sys.stderr) as live,
    ):
        search = Search(wanted, pool, live)
        if search.search():
            _complain(f"interrupted after {search.tally.seeds:,} seeds")
            return INTERRUPTED
        return FOUND if search.tally.failed else CLEAN


def _complain(line: str) -> None:
    console.complain(PROGRAM, line)


if __name__ == "__main__":
    console.start()
    sys.exit(main())
