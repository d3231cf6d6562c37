"""Computing processes are started here, maybe before it is known what for: it takes longer than
most calls.

Nothing of what computes is loaded for that: a command starts one, and loads what it needs itself
meanwhile. It is done by the thread that the loop runs in, as the kernel ends a computing process
together with the thread that started it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from mmap import mmap
from pathlib import Path
from typing import BinaryIO

import attrs

from transports.work.page import PAGE_BYTES, words

TOP = Path(__file__).parents[2]
BUFFER_BYTES = 2**20  # of calls that wait in the connection
BOOT = (
    "import json, sys; options = json.loads(sys.argv[1]); sys.path[:] = options.pop('path'); "
    "from transports.work.computing import serve; serve(**options)"
)


@attrs.define(eq=False)
class Started:
    """A computing process that has yet to be told which job it is for."""

    process: subprocess.Popen[bytes]
    connection: socket.socket
    page: memoryview[int]
    printed: int  # a pipe with what it prints, which does not block; -1: closed

    def end(self) -> None:
        """It is not needed."""
        self.connection.close()
        end_group(self.process)
        self.process.wait()
        self.close()

    def close(self) -> None:
        """Nothing of what it prints is read any more."""
        printed, self.printed = self.printed, -1
        if printed >= 0:
            os.close(printed)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill it, and what it has started."""
    if process.returncode is None:  # else its number may be another's by now
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


_ahead: list[Started] = []


def start_ahead() -> None:
    """Start one for `taken`. Where that is not possible, it is seen there."""
    with suppress(OSError):
        _ahead.append(start())


def taken() -> Started:
    """One that was started ahead, or else is now. Raises OSError."""
    return _ahead.pop() if _ahead else start()


def end_ahead() -> None:
    """Those that were not taken are not needed."""
    while _ahead:
        _ahead.pop().end()


def start() -> Started:
    """Start one. Raises OSError."""
    with _memory() as memory, ExitStack() as stack:
        page = words(mmap(memory.fileno(), PAGE_BYTES))
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        printed, printing = os.pipe()
        stack.callback(os.close, printed)
        try:
            with theirs:
                process = _process(theirs.fileno(), memory.fileno(), printing)
        finally:
            os.close(printing)
        stack.pop_all()
    os.set_blocking(printed, False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    return Started(process, ours, page, printed)


def _memory() -> BinaryIO:
    """A page that both can map. Raises OSError.

    Not one of a disk, if possible: where that turns out to be full whoever writes to it dies.
    """
    if sys.platform == "linux":
        memory: BinaryIO = os.fdopen(os.memfd_create("page"), "w+b")
    else:
        memory = tempfile.TemporaryFile()  # noqa: SIM115  whoever asks closes it
    memory.write(bytes(PAGE_BYTES))
    memory.flush()
    return memory


def _process(fd: int, memory: int, printing: int) -> subprocess.Popen[bytes]:
    own_first = [str(TOP), *sys.path]  # a job's folder may have something that is called like ours
    options = {"fd": fd, "memory": memory, "parent": os.getpid(), "path": own_first}
    # An interruption is for this process to deal with, also while the other one starts.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return subprocess.Popen(
            [sys.executable, "-c", BOOT, json.dumps(options)],
            stdin=subprocess.DEVNULL,
            stdout=printing,
            stderr=printing,
            pass_fds=(fd, memory),
            process_group=0,  # a job that sends a signal to its own does not send it to ours
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
