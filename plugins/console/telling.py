"""How a run went, in words: what every summary has in common, for people and as JSON.

The last word is `told`: the answer, what went wrong, and which exit code that is.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Iterable
from typing import Any, Protocol

import attrs
import msgspec

from core.messages import Failure
from plugins.console import streams
from plugins.console.exits import Exit

SHORT = 240  # characters of a value in a table
TRACEBACKS_MAX = 3  # of what is missing from a result
NAMES_WIDTH = 18


@attrs.frozen
class Lost:
    """What is missing from a result, as it failed for good; of some of it, what failed where."""

    count: int  # of partitions
    pieces: list[Failure]  # partition None: all that lie under the session

    @classmethod
    def of(cls, loss: Any) -> Lost | None:
        """What the submitter was told; None for None."""
        return loss and cls(loss[0], [Failure(*piece) for piece in loss[1]])

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {"count": self.count, "pieces": [piece.plain() for piece in self.pieces]}

    @property
    def tracebacks(self) -> str:
        """Of the first few; of what left none, what is known."""
        return "\n".join([piece.error.rstrip() for piece in self.pieces[:TRACEBACKS_MAX]])

    @property
    def which(self) -> str:
        """Their numbers, as far as they are told."""
        names = [
            f"all of session {piece.session}" if piece.partition is None else f"{piece.partition}"
            for piece in self.pieces
        ]
        told = sum(piece.partition is not None for piece in self.pieces)
        more = told == len(names) and told < self.count
        return ", ".join([*names, "..."] if more else names)

    def line(self, partitions: int) -> str:
        """What is missing, of so many."""
        verb = "is" if self.count == 1 else "are"
        return (
            f"{self.count:,} of {counted(partitions, 'partition')} failed for good and {verb} not "
            f"in the result: {self.which}"
        )


STEPS = (" in prepare", " in collect")


def failure_line(failure: Failure) -> str:
    """What failed where, without the traceback."""
    error = failure.error.strip().splitlines() or ["no message"]
    if len(error) == 1:  # of what ended without a traceback, or of no function of the job
        of_job = failure.partition is not None or error[0].endswith(STEPS)
        return f"the job failed in session {failure.session}: {error[0]}" if of_job else error[0]
    where = f"partition {failure.partition}"
    if failure.partition is None:
        where = "prepare or collect"
    return f"the job failed in session {failure.session}, {where}: {error[-1]}"


# -- the last word -------------------------------------------------------------------------


class Report(Protocol):
    """What the end of a report is about."""

    @property
    def failure(self) -> Failure | None: ...
    @property
    def lost(self) -> Lost | None: ...
    @property
    def partitions(self) -> int: ...


def told(program: str, report: Report, text: str) -> int:
    """Print the answer, and what went wrong. Returns the exit code."""
    if code := streams.answer(program, text):
        return code
    failure, lost = report.failure, report.lost
    if failure is not None:
        if "\n" in failure.error.strip():
            streams.aside(failure.error.rstrip())
        streams.complain(program, failure_line(failure))
        return Exit.FAILED
    if lost is not None:
        if lost.tracebacks:
            streams.aside(lost.tracebacks)
        streams.complain(program, lost.line(report.partitions))
        return Exit.INCOMPLETE
    return Exit.FINISHED


# -- for people ----------------------------------------------------------------------------


def aligned(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values below each other; a pair of nothing is a blank line."""
    return "\n".join(f"{name:<{NAMES_WIDTH}}{value}".rstrip() for name, value in rows)


def counted(number: int, what: str) -> str:
    """`1 crash`, `1,000 nodes`."""
    plural = "es" if what.endswith(("sh", "ss")) else "s"
    return f"{number:,} {what}{plural if number != 1 else ''}"


def duration(seconds: float) -> str:
    """Of wall time."""
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{int(seconds) // 60} min {seconds % 60:.0f} s"


def brief(seconds: float) -> str:
    """The same in a narrow column."""
    if seconds < 100:
        return f"{max(0.0, seconds):.{1 if seconds < 10 else 0}f} s"
    for size, unit in ((60, "min"), (3600, "h")):
        if seconds < 100 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:,.0f} d"


class _Short(reprlib.Repr):
    """Values on one line of bounded length, numbers with their thousands separated."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother, self.maxlong = 4, SHORT, SHORT, SHORT
        self.maxlist = self.maxtuple = self.maxset = self.maxdict = 8

    def repr_int(self, x: int, level: int) -> str:
        if abs(x) < 10**60:
            return f"{x:,}"
        return f"a whole number of about {int(x.bit_length() * math.log10(2)) + 1:,} digits"

    def repr_float(self, x: float, level: int) -> str:
        return f"{x:,}"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        return _abbreviated(super().repr_dict(x, level), len(x), self.maxdict)

    def repr_list(self, x: list[Any], level: int) -> str:
        return _abbreviated(super().repr_list(x, level), len(x), self.maxlist)


def _abbreviated(text: str, size: int, shown: int) -> str:
    return text if size <= shown else f"{text} ({size:,} in all)"


def short(value: Any) -> str:
    """A value on one line, abbreviated where it is large."""
    if isinstance(value, str) and len(value) <= SHORT and value.isprintable():
        return value
    text = _Short().repr(value)
    return text if len(text) <= 2 * SHORT else f"{text[: 2 * SHORT]}..."


# -- for programs --------------------------------------------------------------------------


def by_name(report: Any) -> dict[str, Any]:
    """Every field of a report as plain data, but for the result, which is as it is."""
    fields = attrs.asdict(report, recurse=False)
    fields["failure"] = report.failure and report.failure.plain()
    fields["lost"] = report.lost and report.lost.plain()
    return fields


def as_json(report: Any) -> str:
    """One object with every field of the report: an attrs class with a result, and what failed."""
    fields = by_name(report)
    try:
        return msgspec.json.encode(fields).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return json.dumps({**fields, "result": encodable(report.result)})


def encodable(result: Any) -> Any:
    """Something JSON can say that a person would recognise as `result`."""
    try:
        return json.loads(json.dumps(_plain(result)))
    except (ValueError, RecursionError):
        return short(result)


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {k if isinstance(k, str) else str(k): _plain(v) for k, v in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return repr(value)
