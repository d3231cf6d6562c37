"""Search for failures on the command line: `python -m sim.search --help` tells how."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from plugins.progress import progress
from sim.search import options
from sim.search.options import PROGRAM, Options
from sim.search.pool import TRIALS, Pool
from sim.search.searching import Search

CLEAN, FOUND, MISUSED = 0, 1, 2
INTERRUPTED, UNREAD = 130, 141  # as of a process that SIGINT or SIGPIPE has ended


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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is left
        return UNREAD
    except OSError as error:  # a full disk, say
        _complain(f"the search cannot go on: {error}")
        return FOUND


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
    if sys.stderr:  # it may have been closed
        print(f"{PROGRAM}: {line}", file=sys.stderr)


if __name__ == "__main__":
    for _stream in (sys.stdout, sys.stderr):
        if isinstance(_stream, TextIOWrapper):  # an event may have what a terminal cannot show
            _stream.reconfigure(errors="backslashreplace")
    sys.exit(main())
