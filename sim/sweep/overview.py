"""What a sweep has found, in a short table for people: medians over the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from sim.sweep.options import VARIED
from sim.sweep.table import Row

MEDIANS = {"formed_seconds": 3, "finished_seconds": 3, "messages": 0, "root_messages": 0}  # digits
TEXTS = ("latency",)  # at the left of their columns


def overview(rows: Sequence[Row]) -> str:
    """A line for each combination of what is varied, below a line of names."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in VARIED), []).append(row)
    lines = [[*VARIED, "runs", *MEDIANS]]
    lines += [_line(group, members) for group, members in groups.items()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_aligned(line, widths, lines[0]) for line in lines)


def _line(group: tuple[Any, ...], members: list[Row]) -> list[str]:
    good = [row for row in members if not row["failed"]]
    medians = [_median([row[name] for row in good], digits) for name, digits in MEDIANS.items()]
    runs = f"{len(good)}" if len(good) == len(members) else f"{len(good)} of {len(members)}"
    return [*map(_shown, group), runs, *medians]


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _median(values: list[float], digits: int) -> str:
    return f"{median(values):,.{digits}f}" if values else "-"


def _aligned(cells: list[str], widths: list[int], names: list[str]) -> str:
    placed = [
        cell.ljust(width) if name in TEXTS else cell.rjust(width)
        for cell, width, name in zip(cells, widths, names, strict=True)
    ]
    return "  ".join(placed).rstrip()
