"""The log of a job, as whoever asks for it has it: what its functions raised and printed.

What comes from elsewhere may be anything: what a terminal would obey is shown as escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

import attrs

from core.messages import Failure
from core.sessions.messages import NODE_BITS
from plugins.console.telling import aligned, counted, failure_line

PLACES_SHOWN = 5  # of one error
_LINES = re.compile(r"\r\n|\n|\r")
_OBEYED = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@attrs.frozen
class Raised:
    """Something that the functions of a job have raised at a node, maybe several times, whether or
    not others could do it then. `partition` None: in prepare or collect, or in one of several."""

    session: str
    partition: int | None
    node: int  # its number among those of the process
    process: str  # where that listens, or was connected from
    times: int
    error: str  # with the traceback


@attrs.frozen
class Printed:
    """What the functions of a job have printed in a process; `missing` bytes before it are gone."""

    process: str
    text: str
    missing: int


@attrs.frozen
class Log:
    """Of a job. `str()` of it is for people."""

    number: int
    job: str
    state: str
    failure: Failure | None  # for which it has failed
    missing: int  # partitions that its result is without
    raised: list[Raised]  # the last that was, at the end
    left_off: int  # how often something has raised that is not told any more
    declined: dict[str, list[str]]  # why processes took no part, and some of these
    printed: list[Printed]
    unreached: list[str]  # processes that did not say what was printed there

    @classmethod
    def of(cls, number: int, told: dict[str, Any]) -> Log:
        """What the root of the fleet has told."""
        errors, mask = told["errors"], (1 << NODE_BITS) - 1
        return cls(
            number,
            told["job"],
            told["state"],
            Failure.of(told["failed_by"]),
            told["missing"],
            [
                Raised(session, partition, node & mask, process, times, errors[error])
                for error, session, partition, node, process, times in told["raised"]
            ],
            told["left_off"],
            dict(told["declined"]),
            [
                Printed(process, data.decode(errors="backslashreplace"), missing)
                for process, data, missing in told["printed"]
            ],
            list(told["unreached"]),
        )

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return attrs.asdict(self) | {"failure": self.failure and self.failure.plain()}


def shown(text: str) -> str:
    """One line, as a terminal is to show it."""
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def _lines(log: Log) -> Iterator[str]:
    short = f", without {counted(log.missing, 'partition')}" if log.missing else ""
    rows = [("job", f"{log.number}, {shown(log.job)}, {log.state}{short}")]
    if log.failure is not None:
        rows.append(("failure", shown(failure_line(log.failure))))
    rows += [
        ("declined", f"by {', '.join(processes)}: {shown(why)}")
        for why, processes in log.declined.items()
    ]
    rows += [("unreached", process) for process in log.unreached]
    if not log.raised:
        rows.append(("raised", "nothing"))
    if not log.printed:
        rows.append(("printed", "nothing"))
    yield aligned(rows)
    for error, places in groupby(sorted(log.raised, key=attrgetter("error")), attrgetter("error")):
        yield ""
        yield from _raised(error, list(places))
    if log.left_off:
        yield f"\nand {counted(log.left_off, 'time')} what is not kept any more"
    for printed in log.printed:
        yield ""
        yield from _printed(printed)


def _raised(error: str, places: list[Raised]) -> Iterator[str]:
    yield f"raised {counted(sum(place.times for place in places), 'time')}:"
    yield from map(shown, _LINES.split(error.rstrip()))
    yield from map(_place, places[:PLACES_SHOWN])
    if len(places) > PLACES_SHOWN:
        yield f"  and at {counted(len(places) - PLACES_SHOWN, 'other place')}"


def _place(place: Raised) -> str:
    part = "" if place.partition is None else f", partition {place.partition:,}"
    where = f"session {place.session}{part}, node {place.node:,} of {place.process}"
    return f"  {counted(place.times, 'time')} in {where}"


def _printed(printed: Printed) -> Iterator[str]:
    if printed.missing:
        yield f"{printed.process}  ({printed.missing:,} bytes before this are not kept)"
    yield from (f"{printed.process}  {line}".rstrip() for line in _shown_lines(printed.text))


def _shown_lines(text: str) -> Iterable[str]:
    return map(shown, _LINES.split(text.rstrip("\r\n")))
