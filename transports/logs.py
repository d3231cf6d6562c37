"""Structured logs: one line for each event: time, level, name, and what it is about.

    2026-11-22T20:15:01.123Z warning cut peer=127.0.0.1:4711 reason="frame of 5000 bytes"

Rules it keeps:
- An event is one line, whatever others have put into its values: what does not print is escaped,
  what has spaces or quotes is quoted, what is long is shortened. Nobody can forge a line.
- It is the standard library's logging, under one name, so that whoever embeds a process can have
  the events go elsewhere.
- Nobody can fill a disk with lines: on standard error there are only so many of one event in some
  seconds, and then a line that says how many more there were.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import TextIO

log = logging.getLogger("million_nodes.tcp")

VALUE_LENGTH_MAX = 300
ALIKE_SECONDS = 5.0
ALIKE_MAX = {True: 10, False: 1000}  # lines of one event in that time: of warnings, and of others
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)  # by verbosity

_PLAIN = re.compile(r"[A-Za-z0-9_.,:;/@#%+*()\[\]-]+")


def event(level: int, name: str, /, **fields: object) -> None:
    """Something has happened."""
    if log.isEnabledFor(level):
        log.log(level, "%s", " ".join([name, *[f"{k}={quoted(v)}" for k, v in fields.items()]]))


def quoted(value: object) -> str:
    """The value as it stands in a line."""
    text = str(value)
    if len(text) > VALUE_LENGTH_MAX:
        text = f"{text[: VALUE_LENGTH_MAX - 3]}..."
    if _PLAIN.fullmatch(text):
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():  # among what is not: line ends of all kinds, and what turns text
        return character
    return character.encode("unicode_escape").decode()


class Lines(logging.Formatter):
    """One record as a line, in Universal Time."""

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        milliseconds = int(record.created * 1000) % 1000
        return f"{seconds}.{milliseconds:03}Z {record.levelname.lower()} {record.getMessage()}"


class Summing(logging.StreamHandler[TextIO]):
    """Writes lines to a stream, and of many that are alike how many there were."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._since = clock()
        self._counts: Counter[tuple[int, str]] = Counter()  # by level and name of the event

    def emit(self, record: logging.LogRecord) -> None:
        """It has happened; whether that is written depends on how often it has by now."""
        self.sum_up()
        alike = record.levelno, record.getMessage().partition(" ")[0]
        self._counts[alike] += 1
        if self._counts[alike] <= ALIKE_MAX[record.levelno >= logging.WARNING]:
            super().emit(record)

    def sum_up(self, at_once: bool = False) -> None:
        """Say how many lines were left out, if the time for that has come."""
        self.acquire()
        try:
            seconds = self._clock() - self._since
            if at_once or seconds >= ALIKE_SECONDS:
                counts, self._counts = self._counts, Counter()
                self._since += seconds
                for (level, name), count in counts.items():
                    self._tell_more(level, name, count, seconds)
        finally:
            self.release()

    def _tell_more(self, level: int, name: str, count: int, seconds: float) -> None:
        more = count - ALIKE_MAX[level >= logging.WARNING]
        if more > 0:
            text = f"{name} and={quoted(f'{more:,} more like this in the last {seconds:.0f} s')}"
            super().emit(logging.LogRecord(log.name, level, "", 0, text, None, None))

    def close(self) -> None:
        """Nothing more is written."""
        self.sum_up(at_once=True)
        super().close()


def sum_up() -> None:
    """Some time has passed: say of how many events there was no line."""
    for handler in log.handlers:
        if isinstance(handler, Summing):
            handler.sum_up()


class Once(logging.Filter):
    """Of what Trio says again and again while no connection can be accepted, one line."""

    def __init__(self) -> None:
        super().__init__()
        self.told = False

    def filter(self, record: logging.LogRecord) -> bool:
        if not self.told:
            self.told = True
            error = record.exc_info[1] if record.exc_info else None
            reason = getattr(error, "strerror", None) or record.getMessage()
            event(logging.ERROR, "refusing", reason=f"{reason}: raise the limit (ulimit -n)")
        return False


def set_up(verbosity: int) -> None:
    """Write to stderr: 0 warnings and errors, 1 one line for each connection as well, 2 more."""
    for handler in list(log.handlers):
        if isinstance(handler.formatter, Lines):
            log.removeHandler(handler)
    handler = Summing(sys.stderr)
    handler.setFormatter(Lines())
    log.addHandler(handler)
    accepting = logging.getLogger("trio.serve_listeners")
    if not any(isinstance(known, Once) for known in accepting.filters):
        accepting.addFilter(Once())
    log.setLevel(LEVELS[max(0, min(verbosity, len(LEVELS) - 1))])
