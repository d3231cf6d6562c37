"""How a process hears that it is to go: by a signal, or by whoever started it."""

from __future__ import annotations

import os
import signal
import sys

import trio

from plugins.console import signals


async def signalled(hangs_up: bool = True) -> None:
    """Until this process is told to end, as by Ctrl-C; a hangup may mean something else."""
    ending = [one for one in signals.heard() if hangs_up or one != signal.SIGHUP]
    with trio.open_signal_receiver(*ending) as received:
        await anext(received)


def has_terminal() -> bool:
    """Whether somebody could press Ctrl-C: it was started from a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def stdin_ended() -> None:
    """Until whoever started this process closes its standard input, or is gone."""
    mine = os.dup(sys.stdin.fileno())  # it is closed after that, and nothing may be number 0
    async with trio.lowlevel.FdStream(mine) as stream:
        while await stream.receive_some():
            pass
