"""That a computing process has ended is noticed by the loop, without a thread; and with it ends
whatever it has started, unless that has left its process group.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress

import trio

from transports.work.starting import end_group

LOOK_SECONDS = 0.05  # from one look at whether it has ended to the next


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait until it has ended, and end what is left of its group. Returns its exit code.

    Not in a thread: it would wait on for one that serves the next job, one thread a job.
    """
    while not _has_ended(process):  # also after that was said: the loop waits for nobody
        try:
            fd = os.pidfd_open(process.pid)
        except (AttributeError, OSError):  # not on Linux, or there are no descriptors
            await trio.sleep(LOOK_SECONDS)
        else:
            try:
                await trio.lowlevel.wait_readable(fd)
            finally:
                trio.lowlevel.notify_closing(fd)
                os.close(fd)
    end_group(process)
    return process.wait()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Its number stays its own, where that is possible, until it is waited for."""
    if process.returncode is None and hasattr(os, "waitid"):
        with suppress(ChildProcessError):  # somebody has waited for it
            look = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, process.pid, look) is not None
    return process.poll() is not None
