"""The face of a trace for users: the tables that were written, and what follows from them.

    from plugins import tracing

    trace = tracing.read("run.trace")
    trace.tree(at=3.0)      # the sessions as they stood after 3 seconds
    trace.sessions()        # a row a session: when it was opened, full, complete
    trace.nodes()           # a row a node: when it arrived, joined, computed
    trace.partitions()      # a row a partition: when it was assigned, started, finished, accepted
    trace.timeline()        # how many nodes and partitions were in which state, over time

All are polars data frames; times are seconds since the root was opened. What has not happened is
null. `plugins.tracing.schema` tells what the written tables mean.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import polars as pl

from plugins.tracing import rows, timeline
from plugins.tracing.timeline import count_until
from plugins.tracing.written import Written

POINTS = 240  # of a timeline


def read(path: str | Path) -> Trace:
    """The trace in a folder, as far as it is written. Raises TraceError."""
    return Trace(Path(path))


class Trace(Written):
    """A run, from its events. `run` says what was run; `run.summary` is None if it was killed."""

    def __repr__(self) -> str:
        run = self.run
        return f"<Trace of {run.nodes:,} nodes, {run.partitions:,} partitions of {run.job}>"

    # -- a row each ------------------------------------------------------------------------

    def partitions(self) -> pl.DataFrame:
        """A row a partition: `node` whose output counts, when it was first assigned, started,
        finished and accepted, and when somebody doubled up on it."""
        return self._partitions

    @cached_property
    def _partitions(self) -> pl.DataFrame:
        return rows.partitions(self)

    def sessions(self) -> pl.DataFrame:
        """A row a session that was ever open, by level and place in the tree.

        `slots`, `partitions` and `first` (partition) are its shape; `host` is the address, `leader`
        the last one; `joined` and `sent_on` count nodes; `full` is when all slots had been given.
        With a sample these counts and times are null where only some of the nodes are known.
        """
        return self._sessions

    @cached_property
    def _sessions(self) -> pl.DataFrame:
        return rows.sessions(self)

    def tree(self, at: float | None = None) -> pl.DataFrame:
        """The sessions that were open after `at` seconds (by default: at the end), and their state.

        `taken` and `done` count slots given and slots whose output was accepted by then; `state`
        is "forming" until all slots are given, then "working" until all outputs are there, then
        "complete". With a sample leaves are "open" before that, and their counts null.
        """
        return rows.tree(self, self.sessions(), self.end if at is None else at)

    def nodes(self) -> pl.DataFrame:
        """A row a node: when it arrived, first joined and was last `gone`.

        `sent_on` counts how often it was sent to another session, `leads` the sessions that it
        led, `computed` the partitions that it finished, in so many `busy` seconds; `role` is
        "control", "computation", "both" or "none".
        """
        return self._nodes

    @cached_property
    def _nodes(self) -> pl.DataFrame:
        return rows.nodes(self)

    @cached_property
    def control(self) -> pl.DataFrame:
        """The nodes that led a session at any time."""
        return self.of("leads").select(pl.col("node").unique())

    @cached_property
    def submitters(self) -> list[int]:
        """Who opened the root: it computes nothing, and is not counted as one of the nodes."""
        return timeline.submitters(self)

    # -- over time -------------------------------------------------------------------------

    def grid(self, points: int = POINTS) -> pl.Series:
        """So many moments from 0 to the end."""
        step = self.end / max(points - 1, 1)
        return pl.Series("time", [i * step for i in range(points)], dtype=pl.Float64)

    def timeline(self, points: int = POINTS) -> pl.DataFrame:
        """How many are in which state at so many moments from 0 to the end.

        Of nodes: `arrived` so far, and now `gone` again, `seated` (have a place in a session),
        `computing`, `idle` (the other seated ones; who leads is one of them where it does not
        compute); partitions `accepted` so far; sessions `opened` and `completed` so far. With a
        sample the nodes and partitions are estimates.
        """
        grid, sessions = self.grid(points), self.sessions()
        counted = timeline.Counted(self, grid)
        seated, computing = counted.seated(), counted.computing()
        accepted = self.partitions().filter(pl.col("accepted").is_not_null())
        return pl.DataFrame(
            {
                "time": grid,
                "arrived": counted.arrived,
                "gone": counted.gone(),
                "seated": seated,
                "computing": computing,
                "idle": seated - computing,
                "accepted": counted.so_far(accepted.select("node", time="accepted")),
                "opened": count_until(sessions["opened"], grid),
                "completed": count_until(sessions["completed"], grid),
            }
        )
