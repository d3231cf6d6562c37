"""Places, and how far apart any two of them are, as it was measured and as it follows from that.

The table has round trips in milliseconds: the average of a pair, which counts both ways. What was
not measured is filled in from what was:

- Two places without a row are as far apart as the best way by a third place; where there is none,
  by places for which there is. Such a way exists, and is a fair guess: in a measured table of 173
  countries it came to 0.95 of the direct round trip in the median of all pairs that had one, and
  to between 0.76 and 1.07 of it for half of them. Pairs that have a row keep what it says, even if
  a detour would be shorter.
- Two nodes at one place without a row of its own are as far apart as that place is from the
  nearest other.

A table that falls into parts without a row between them is refused.
"""

from __future__ import annotations

import os
from functools import lru_cache
from math import inf

import attrs

from sim.measured import tables

PREFIX = "places:"
PLACES_MAX = 1000  # filling in takes the cube of it


@attrs.frozen
class Places:
    """Names in alphabetical order, and the round trip between any two, in milliseconds."""

    names: list[str]
    milliseconds: list[list[float]]


def read(path: str) -> Places:
    """A table of round trips, with what is missing filled in.

    Raises ValueError with one line that names the file and what is wrong with it.
    """
    try:
        seen = os.stat(path)
    except (OSError, ValueError):
        return _read(path, 0, 0)  # which tells what is wrong
    return _read(path, seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=1)  # it is checked with the other options, and then used
def _read(path: str, changed: int, size: int) -> Places:
    measured = tables.round_trips(path)
    names = sorted({place for pair in measured for place in pair})
    if len(names) > PLACES_MAX:
        raise ValueError(f"{path!r} has {len(names)} places, give at most {PLACES_MAX}")
    index = {name: i for i, name in enumerate(names)}
    table = [[inf] * len(names) for _ in names]
    for (one, other), average in measured.items():
        _set(table, index[one], index[other], average)
    apart = _fill(table)
    if apart is not None:
        one, other = (names[place] for place in apart)
        raise ValueError(f"{path!r} has no way from {one!r:.30} to {other!r:.30}, add a row")
    for place, row in enumerate(table):
        if row[place] == inf:
            row[place] = min(row)
    return Places(names, table)


def _fill(table: list[list[float]]) -> tuple[int, int] | None:
    """Fill in pairs by third places; returns one for which there is no way, if there is any."""
    missing = [(i, j) for i, row in enumerate(table) for j in range(i) if row[j] == inf]
    while missing:
        near = [[k for k, way in enumerate(row) if way < inf] for row in table]
        found = [
            (i, j, _way(table[i], table[j], min(near[i], near[j], key=len))) for i, j in missing
        ]
        for way in found:
            _set(table, *way)
        left = [(i, j) for i, j, way in found if way == inf]
        if len(left) == len(missing):
            return left[0]
        missing = left
    return None


def _way(one: list[float], other: list[float], thirds: list[int]) -> float:
    """The best by any of these places."""
    return min([one[k] + other[k] for k in thirds], default=inf)


def _set(table: list[list[float]], i: int, j: int, milliseconds: float) -> None:
    table[i][j] = table[j][i] = milliseconds
