"""How many are in which state at one moment after the other.

A node's life has turns: it arrives, is gone, is back. What was on its way when its node went
happens to nobody. Of a sample as many are counted as that makes likely.
"""

from __future__ import annotations

from functools import cached_property

import polars as pl

from plugins.tracing.schema import in_sample
from plugins.tracing.written import Written


def count_until(times: pl.Series, grid: pl.Series) -> pl.Series:
    """How many of `times` are at or before each moment of `grid`."""
    return times.drop_nulls().sort().search_sorted(grid, side="right").cast(pl.Int64)


def submitters(trace: Written) -> list[int]:
    """Who opened the root: it computes nothing, and is not counted as one of the nodes."""
    opened = trace.of("opened", "recovered")
    opened = opened.filter(pl.col("session").cast(pl.String).is_in(list(trace.roots)))
    return opened["node"].unique().to_list()


class Counted:
    """Of the nodes of a trace, at each moment of a grid."""

    def __init__(self, trace: Written, grid: pl.Series) -> None:
        self._trace, self._grid = trace, grid
        self._submitters = submitters(trace)

    @cached_property
    def arrived(self) -> pl.Series:
        """So far."""
        return self.so_far(self._trace.of("arrived").unique("node", keep="first"))

    def gone(self) -> pl.Series:
        """Now, of those that had arrived."""
        if self._trace.of("gone").is_empty():
            return self.arrived * 0
        came, went = self._turns("arrived", "back")
        return self.arrived - self.so_far(came) + self.so_far(went)

    def seated(self) -> pl.Series:
        """Now: they have a place in a session."""
        seated, unseated = self._turns("joined")
        return self.so_far(seated) - self.so_far(unseated)

    def computing(self) -> pl.Series:
        """Now."""
        begins, ends = self._pieces()
        return self.so_far(begins) - self.so_far(ends)

    def so_far(self, rows: pl.DataFrame) -> pl.Series:
        """How many of `rows` (time, node) there are until each moment, without the submitter's; of
        a sample as many as that makes likely."""
        sample = self._trace.run.sample
        rows = rows.filter(pl.col("node").is_null() | ~pl.col("node").is_in(self._submitters))
        if sample > 1:
            rows = rows.filter(in_sample(pl.col("node"), sample))
        return count_until(rows["time"], self._grid) * sample

    def _turns(self, *events: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """When nodes had the first of `events`, and again after they had been gone; and went."""
        rows, gone, event = self._trace.of(*events), self._trace.of("gone"), pl.col("event")
        if gone.is_empty():
            return rows.unique("node", keep="first", maintain_order=True), gone
        rows = self._trace.of(*events, "arrived", "back", "gone")
        comes = event.is_in(["arrived", "back"])
        there = pl.when(event == "gone").then(False).when(comes).then(True).forward_fill()
        rows = rows.with_columns(there=there.over("node"))
        rows = rows.filter(event.is_in([*events, "gone"]))
        rows = rows.filter((event == "gone") | pl.col("there").fill_null(True))
        rows = rows.select("node", "time", here=event != "gone")
        before = pl.col("here").shift(fill_value=False).over("node")
        turns = rows.filter(pl.col("here") != before)
        return turns.filter("here"), turns.filter(~pl.col("here"))

    def _pieces(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """When nodes began to compute, one piece or several at a time, and ended, or were gone."""
        trace = self._trace
        begins, ends, gone = trace.of("started"), trace.of("finished"), trace.of("gone")
        if gone.is_empty() and begins["node"].n_unique() == len(begins):  # one piece each
            return begins, ends
        steps = pl.col("event").replace_strict({"started": 1, "finished": -1, "gone": 0})
        rows = trace.of("started", "finished", "gone").select("node", "time", "event", step=steps)
        life = (pl.col("event") == "gone").cum_sum().over("node")
        rows = rows.with_columns(life=life)
        pieces = pl.col("step").cum_sum().over("node", "life")
        rows = rows.with_columns(busy=(pl.col("event") != "gone") & (pieces > 0))
        turns = rows.filter(pl.col("busy") != pl.col("busy").shift(fill_value=False).over("node"))
        return turns.filter("busy"), turns.filter(~pl.col("busy"))
