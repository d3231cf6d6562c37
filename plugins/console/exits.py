"""The exit codes of all command lines. What has no failure of its kind never ends with that one."""

from __future__ import annotations

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
    INTERRUPTED = 130  # as of a process that SIGINT has ended
    UNREAD = 141  # as of SIGPIPE
