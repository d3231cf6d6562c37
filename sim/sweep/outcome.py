"""What comes of a run, as it crosses from process to process and as a row has it."""

from __future__ import annotations

from typing import Any

import attrs

from plugins.console.telling import failure_line
from sim.command.summary import with_cause
from sim.record import Report
from sim.sweep.points import Point
from sim.world import World

SCALARS = ("int", "float", "float | None", "str")  # what a cell can hold

# Of the report, by name, the type of each; what it repeats of the point is among them.
FIGURES = {f.name: str(f.type) for f in attrs.fields(Report) if str(f.type) in SCALARS}


@attrs.frozen
class Outcome:
    """`error` is one line: why the run failed, or what it lost; without a report no figures."""

    figures: dict[str, Any]
    error: str | None = None


def outcome(point: Point) -> Outcome:
    """Run it, here and now."""
    try:
        report = with_cause(World(**point).run())
    except MemoryError:
        return Outcome({}, "there was not enough memory")
    except Exception as error:  # noqa: BLE001 - a run that fails is a row, not the end of the others
        return Outcome({}, " ".join(f"{type(error).__name__}: {error}".split()))
    figures = {name: getattr(report, name) for name in FIGURES}
    if report.failure is not None:
        return Outcome(figures, failure_line(report.failure))
    lost = report.lost
    return Outcome(figures, None if lost is None else lost.line(report.partitions))
