"""What every command line begins and ends with: its descriptors, its streams, its last word.

Rules it keeps:
- Descriptors 0 to 2 are open, if only on the null device: nothing else may get their numbers.
- Standard output is for the answer. What anything else writes to descriptor 1, such as a program
  that a job starts, goes to standard error.
- What cannot be told on standard error (closed, full, nobody reads it) is dropped. It ends nothing.
"""

from __future__ import annotations

import io
import os
import resource
import sys
from contextlib import suppress
from typing import Any, TextIO

from plugins.console import signals
from plugins.console.exits import Exit

FILES = 2**16  # descriptors; with many more some programs that a job starts take long


class _Dropping(io.RawIOBase):
    """Writes to a descriptor what can be written there."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        left = view
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError:
            pass
        return len(view)


def start() -> None:
    """What a command does first, before it opens anything."""
    open_descriptors()
    raise_limits()
    signals.hear()
    sys.stderr = dropping(2)
    answers = os.dup(1)
    os.dup2(2, 1)
    # A result may have what a terminal cannot show.
    sys.stdout = open(answers, "w", encoding=_encoding(), errors="backslashreplace")  # noqa: SIM115


def raise_limits() -> None:
    """Have as many descriptors as this user may have: each connection takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems have none that high
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, FILES)), hard))


def open_descriptors() -> None:
    """Have each of the first three lead somewhere."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)


def dropping(fd: int) -> TextIO:
    """A stream to that descriptor on which whatever cannot be written is dropped."""
    raw: Any = _Dropping(fd)  # without a buffer, in which what cannot be written would be kept
    return io.TextIOWrapper(
        raw,
        encoding=_encoding(),
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def answer(program: str, text: str) -> int:
    """Write the answer to standard output. Returns 0, or the exit code where that is impossible."""
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever was reading has read enough
        return silenced(Exit.UNREAD)
    except OSError as error:  # a full disk, say
        complain(program, f"the result cannot be written: {error.strerror or error}")
        return silenced(Exit.FAILED)
    return 0


def silenced(code: int) -> int:
    """Have what is left for standard output go nowhere. Returns `code`."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
    return code


def complain(program: str, line: str) -> None:
    """One line on standard error."""
    aside(f"{program}: {line}")


def aside(text: str) -> None:
    """On standard error, as it is."""
    if sys.stderr:  # where nobody has called `start`, it may have been closed
        print(text, file=sys.stderr, flush=True)
