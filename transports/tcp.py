"""Compute on real sockets: `python -m transports.tcp --help` tells how."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from plugins.console import ending, streams
from transports.command import keys, options
from transports.command.clients_wanted import KeyOptions
from transports.command.wanted import PROGRAM, HostOptions, JoinOptions, ServeOptions


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the arguments say. Returns the exit code."""
    return ending.run(PROGRAM, _main, arguments)


def _main(arguments: Sequence[str]) -> int:
    with ending.asking("interrupted"):
        wanted = options.read(arguments)
        if isinstance(wanted, KeyOptions):
            return keys.run(wanted)
    from transports.work import starting

    try:
        with ending.asking("interrupted"):
            if isinstance(wanted, HostOptions | JoinOptions | ServeOptions):
                starting.start_ahead()  # it loads what it needs meanwhile
            from transports.command import running  # Trio, TLS and the core take a while to load
        return running.run(wanted)
    finally:
        starting.end_ahead()


if __name__ == "__main__":
    streams.start()
    sys.exit(main())
