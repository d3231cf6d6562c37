"""What was measured, for the simulator: a trace of volunteers, a table of round trips.

The files are those of `plugins.console.tables`.
"""

from __future__ import annotations

from operator import itemgetter

import attrs

from plugins.console.tables import number, rows, wrong


@attrs.frozen
class Trace:
    """When each node arrived, in that order, and how long it stayed: None is to the end."""

    arrivals_seconds: tuple[float, ...]
    lifetimes_seconds: tuple[float | None, ...]

    @property
    def tells_lifetimes(self) -> bool:
        return any(lifetime is not None for lifetime in self.lifetimes_seconds)


def trace(path: str) -> Trace:
    """The columns `arrival` and, if it is there, `lifetime`, in seconds.

    Rows need not be in order; of those that arrive at once the first in the file is the first.
    A node whose lifetime is left empty stays.
    """
    nodes = [
        (
            number(path, line, arrival, "seconds"),
            number(path, line, lifetime, "seconds, or nothing") if lifetime else None,
        )
        for line, (arrival, lifetime) in rows(path, ["arrival"], ["lifetime"])
    ]
    nodes.sort(key=itemgetter(0))
    return Trace(tuple(arrival for arrival, _ in nodes), tuple(lifetime for _, lifetime in nodes))


def round_trips(path: str) -> dict[tuple[str, str], float]:
    """Milliseconds between places: the column `rtt_avg` by the columns `cty1` and `cty2`.

    A pair stands for both directions: it is returned once, in alphabetical order.
    """
    found: dict[tuple[str, str], float] = {}
    for line, (one, other, text) in rows(path, ["cty1", "cty2", "rtt_avg"]):
        if not (one and other):
            raise wrong(path, line, "'' is no place, give two places in each row")
        average = number(path, line, text, "milliseconds")
        pair = (one, other) if one <= other else (other, one)
        if found.setdefault(pair, average) != average:
            raise wrong(path, line, f"{one!r:.30} and {other!r:.30} are in two rows, keep one")
    return found
