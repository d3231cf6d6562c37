"""When nodes arrive: evenly, so many a second, or as it was recorded."""

from __future__ import annotations

from bisect import bisect_right
from math import ceil

from sim.measured.tables import Trace


class Evenly:
    """`nodes` nodes, `rate` of them a second, at equal distances."""

    def __init__(self, nodes: int, rate: float, tick_seconds: float) -> None:
        self.last_seconds = nodes / rate
        self._nodes = nodes
        self._per_tick = rate * tick_seconds

    def due(self, tick: int) -> int:
        """How many have arrived when `tick` is over."""
        return min(self._nodes, int((tick + 1) * self._per_tick + 1e-9))

    def tick(self, node: int) -> int:
        """The tick in which a node, counted from 1, arrives."""
        return ceil(node / self._per_tick - 1e-9) - 1


class Replayed:
    """The first `nodes` nodes of a trace, each at its time, rounded to the tick."""

    def __init__(self, nodes: int, trace: Trace, tick_seconds: float) -> None:
        seconds = trace.arrivals_seconds[:nodes]
        self.last_seconds = seconds[-1]
        self._ticks = [round(arrival / tick_seconds) for arrival in seconds]

    def due(self, tick: int) -> int:
        """How many have arrived when `tick` is over."""
        return bisect_right(self._ticks, tick)

    def tick(self, node: int) -> int:
        """The tick in which a node, counted from 1, arrives."""
        return self._ticks[node - 1]


def arrivals(
    nodes: int, rate: float, trace: Trace | None, tick_seconds: float
) -> Evenly | Replayed:
    """As the trace has them, or else evenly."""
    if trace is None:
        return Evenly(nodes, rate, tick_seconds)
    return Replayed(nodes, trace, tick_seconds)


def stays(trace: Trace, tick_seconds: float) -> list[int | None]:
    """How many ticks each node stays, by its number; None is to the end, as node 0 does."""
    lifetimes = trace.lifetimes_seconds
    return [None] + [None if life is None else round(life / tick_seconds) for life in lifetimes]
