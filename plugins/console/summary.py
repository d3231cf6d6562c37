"""How a run went, as a table for people: the rows that mean the same in the simulator and on TCP.

A row is a name and a value; where there is nothing to say there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs

from core.messages import Failure
from plugins.console import telling
from plugins.console.telling import counted, short

Row = tuple[str, str]

BLANK: Row = ("", "")


class Report(telling.Report, Protocol):
    """What both reports have."""

    @property
    def result(self) -> Any: ...
    @property
    def fanout(self) -> int: ...
    @property
    def levels(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def repeated(self) -> int | None: ...
    @property
    def finished_seconds(self) -> float | None: ...
    @property
    def messages(self) -> int: ...
    @property
    def root_messages(self) -> int: ...
    @property
    def divergences(self) -> int: ...


Some = TypeVar("Some", bound=Report)


def with_cause(report: Some, missing: Callable[[Some], str]) -> Some:
    """The report, with what was missing as its failure where the run could not finish."""
    if report.failure is not None or report.finished_seconds is not None:
        return report
    failure = Failure("0", None, missing(report))
    return attrs.evolve(report, failure=failure)  # type: ignore[misc]  # both classes are of attrs


def done(report: Report) -> str:
    return f"{report.accepted:,} of {report.partitions:,} partitions were accepted"


def head(report: Report) -> list[Row]:
    """The result, and the shape of the tree."""
    return [
        ("result", short(report.result) if report.failure is None else "none"),
        BLANK,
        ("tree", f"{counted(report.levels, 'level')}, at most {report.fanout:,} slots a session"),
    ]


def finished(report: Report, since: str) -> Row:
    """When; `since` says in which time."""
    if report.finished_seconds is None:
        return "finished", "never"
    verb = "failed " if report.failure else ""
    return "finished", f"{verb}after {report.finished_seconds:,.3f} s{since}"


def partitions(report: Report) -> list[Row]:
    """How many of them, how many again, how many are lost."""
    text = f"{report.accepted:,} of {report.partitions:,} accepted"
    if again := report.repeated:
        text += f"; {again:,} computed again ({again / report.partitions:.2%})"
    rows = [("partitions", text)]
    if (lost := report.lost) is not None:
        rows.append(("lost", f"{lost.count:,}: {lost.which}"))
    return rows


def messages(report: Report) -> Row:
    changed = f"{report.root_messages:,} changed the root session"
    return "messages", f"{report.messages:,}, of which {changed}"


def replicas(report: Report) -> list[Row]:
    if not report.divergences:
        return []
    return [("replicas", f"{report.divergences:,} differed, and were repaired")]
