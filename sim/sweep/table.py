"""The table of a sweep: a row a run. First what it was given, then what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sim.faults import script
from sim.faults.actions import Fault
from sim.sweep.outcome import FIGURES, Outcome
from sim.sweep.points import GIVEN, PARAMETERS, Point

if TYPE_CHECKING:
    import polars

Row = dict[str, Any]

RENAMED = {"faults": "faults_happened"}  # the other faults are those that were given
FOUND = {RENAMED.get(name, name): kind for name, kind in FIGURES.items() if name not in GIVEN}
NUMBER_MAX = 2**63  # in a column of whole numbers


def rows(points: Sequence[Point], outcomes: Mapping[int, Outcome]) -> list[Row]:
    """Of the points that have an outcome, in their order."""
    return [_row(points[place], outcomes[place]) for place in sorted(outcomes)]


def _row(point: Point, outcome: Outcome) -> Row:
    figures = outcome.figures
    chosen = {name: figures[name] for name in GIVEN if name in figures}
    given = {name: PARAMETERS[name].default for name in GIVEN} | point | chosen
    found = {RENAMED.get(name, name): figures.get(name) for name in FIGURES if name not in GIVEN}
    cells = {name: _cell(value) for name, value in given.items()}
    return {**cells, **found, "failed": outcome.error is not None, "error": outcome.error}


def _cell(value: Any) -> Any:
    """Plain data as JSON, and faults in the words of a script."""
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Fault):
        return script.line(value)
    if isinstance(value, tuple) and all(isinstance(item, Fault) for item in value):
        return "; ".join(map(script.line, value))
    return json.dumps(value, default=repr)


# -- with polars, which takes a third of a second to import -----------------------------------


def frame(points: Sequence[Point], outcomes: Mapping[int, Outcome]) -> polars.DataFrame:
    """A row for each point that has an outcome, in their order."""
    import polars as pl

    of_kind = {
        "int": pl.Int64,
        "float": pl.Float64,
        "float | None": pl.Float64,
        "str": pl.String,
        "bool": pl.Boolean,
    }
    found = rows(points, outcomes)
    kinds = _kinds(points) | FOUND | {"failed": "bool", "error": "str"}
    columns = {
        name: pl.Series(name, _alike((row[name] for row in found), kind), of_kind[kind])
        for name, kind in kinds.items()
    }
    return pl.DataFrame(columns)


def _kinds(points: Sequence[Point]) -> dict[str, str]:
    """Of the columns of what was given; text where there are numbers and texts."""
    kinds = dict(GIVEN)
    for name in points[0]:
        if name not in GIVEN:
            kinds[name] = _kind({_cell(point[name]) for point in points} - {None})
    return kinds


def _kind(values: set[Any]) -> str:
    types = {type(value) for value in values}
    if types == {bool}:
        return "bool"
    if types == {int} and all(abs(value) < NUMBER_MAX for value in values):
        return "int"
    return "float" if types and types <= {int, float} else "str"


def _alike(values: Iterable[Any], kind: str) -> list[Any]:
    if kind == "str":
        return [None if value is None else str(value) for value in values]
    if kind.startswith("float"):
        return [None if value is None else float(value) for value in values]
    return list(values)
