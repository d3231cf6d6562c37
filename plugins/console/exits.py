"""The exit codes of all command lines. What has no failure of its kind never ends with that one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    FINISHED = 0
    FAILED = 1
    MISUSED = 2
    NOT_LISTENING = 3
    UNREACHED = 4
    REFUSED = 5
    STORE_UNUSABLE = 6
    INCOMPLETE = 7
    UNFINISHED = 8
    INTERRUPTED = 130  # as of a process that SIGINT has ended
    UNREAD = 141  # as of SIGPIPE


RESULT = "the result is there"
MISSING = "with --keep-going: something is missing from the result"
OF_ALL = {
    Exit.MISUSED: "an option is wrong",
    Exit.INTERRUPTED: "interrupted",
    Exit.UNREAD: "nobody reads the output any more",
}


def told(meanings: Mapping[Exit, str]) -> str:
    """What the help says of them: of those of all command lines, and of these."""
    said = {**OF_ALL, **meanings}
    return f"Exit codes: {'; '.join(f'{code} {said[code]}' for code in sorted(said))}."
