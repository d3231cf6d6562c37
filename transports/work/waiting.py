"""That a computing process has ended is noticed by the loop, without a thread."""

from __future__ import annotations

import os
import subprocess

import trio

LOOK_SECONDS = 0.05  # from one look at whether it has ended to the next


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait until it has ended. Returns its exit code.

    Not in a thread: it would wait on for one that serves the next job, one thread a job.
    """
    while (code := process.poll()) is None:  # also after that was said: the loop waits for nobody
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
    return code
