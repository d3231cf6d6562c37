"""What a person needs to know of an exception that a job has raised.

Whatever it is: its text may be missing, endless, in several lines, or raise something itself.
"""

from __future__ import annotations

import errno
import re
import traceback

from plugins.jobs.texts import writable

TEXT_MAX = 10_000  # characters of a traceback
LINE_MAX = 500  # of what is told in one line
LEAVES_MAX = 3  # of the exceptions in a group that are named

_NO_ROOM = (  # on a disk, for an open file, in a table of the kernel
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
)  # fmt: skip
_FILE = re.compile(r".*_[0-9a-f]{16}").fullmatch  # how a module made of a job file is called
# By name: a compiled module is in no traceback with the path at which it lies.
_OWN = ("sim.", "transports.", "plugins.jobs.values.", f"{__name__}.")


def told(error: BaseException) -> str:
    """Its traceback, from where it entered the job; what it is stands in the last line."""
    text = writable(_traceback(error))
    line = summary(error)
    last = text.rstrip().rpartition("\n")[2]
    if last == line and len(text) <= TEXT_MAX:
        return text
    return f"{shortened(text, TEXT_MAX - len(line) - 1).rstrip()}\n{line}"


def overtime(seconds: float, where: str) -> str:
    """What is told of a call that took longer than it may, `where`: a partition, or a function."""
    return f"it took longer than the {seconds:g} s of --piece-timeout in {where}"


def is_local(error: BaseException) -> bool:
    """Whether it is rather the fault of this machine than of the job: no room, no such module."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_local, _leaves(error)))
    no_room = isinstance(error, OSError) and error.errno in _NO_ROOM
    return no_room or isinstance(error, MemoryError | ModuleNotFoundError)


def summary(error: BaseException) -> str:
    """What it is, in one line: its type and its text, with notes that are a line; of a group those
    of what is in it."""
    try:
        text = _one_line(str(error))
        line = f"{_kind(error)}: {text}" if text else _kind(error)
        line += "".join(f" ({note})" for note in _notes(error))
        if isinstance(error, BaseExceptionGroup):
            leaves = list(_leaves(error))
            told = [_one_line(summary(leaf)) for leaf in leaves[:LEAVES_MAX]]
            more = [f"{len(leaves) - LEAVES_MAX} more"] if len(leaves) > LEAVES_MAX else []
            line = f"{line}: {'; '.join([*told, *more])}"
    except BaseException:  # noqa: BLE001 - of whatever it is
        line = f"{_kind(error)}, of which there is no text"
    line = writable(line)
    if len(line) <= LINE_MAX:
        return line
    return f"{line[:LINE_MAX]}... ({len(line):,} characters in all)"


def shortened(text: str, most: int = TEXT_MAX) -> str:
    """At most `most` characters, all of which can be written, without the middle."""
    text = writable(text)
    if len(text) <= most:
        return text
    gap = f"\n... {len(text)} characters in all ...\n"
    half = (most - len(gap)) // 2
    return text[:half] + gap + text[-half:]


def _traceback(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and f"{trace.tb_frame.f_globals.get('__name__')}.".startswith(_OWN):
        trace = trace.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, trace))
        return text if trace else f"Of what the function was given, or returned:\n{text}"
    except BaseException:  # noqa: BLE001 - of whatever it is
        return ""


def _kind(error: BaseException) -> str:
    """Its type, as a traceback calls it; of a job file's own without the file."""
    module, name = type(error).__module__, type(error).__qualname__
    return name if module in ("builtins", "__main__") or _FILE(module) else f"{module}.{name}"


def _notes(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", None)  # whatever somebody has put there
    given = notes if isinstance(notes, list) else []
    return [note for note in given if isinstance(note, str) and len(note.splitlines()) == 1]


def _one_line(text: str) -> str:
    return " ".join(text[: 4 * LINE_MAX].split()) + text[4 * LINE_MAX :]


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
