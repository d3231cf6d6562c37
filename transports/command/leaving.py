"""How a process hears that it is to go: by a signal, or by whoever started it."""

from __future__ import annotations

import os
import sys

import trio

from plugins.console import signals


async def signalled() -> None:
    """Until this process is told to end, as by Ctrl-C."""
    with trio.open_signal_receiver(*signals.heard()) as received:
        await anext(received)


async def stdin_ended() -> None:
    """Until whoever started this process closes its standard input, or is gone."""
    mine = os.dup(sys.stdin.fileno())  # it is closed after that, and nothing may be number 0
    async with trio.lowlevel.FdStream(mine) as stream:
        while await stream.receive_some():
            pass
