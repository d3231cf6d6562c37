"""Reads a trace: the tables that were written, and what follows from them.

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

import glob
import json
import os
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from core.cutting import ROOT, Shape
from plugins.tracing.schema import FORMAT, TABLES, VERSION, Run, TraceError, in_sample
from plugins.tracing.writing import RUN_FILE

POINTS = 240  # of a timeline


def read(path: str | Path) -> Trace:
    """The trace in a folder, as far as it is written. Raises TraceError."""
    folder = Path(path)
    return Trace(folder, _run(folder))


class Trace:
    """A run, from its events. `run` says what was run; `run.summary` is None if it was killed."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder = folder
        self.run = run
        self.shape = Shape.root(run.partitions, run.fanout)

    def __repr__(self) -> str:
        run = self.run
        return f"<Trace of {run.nodes:,} nodes, {run.partitions:,} partitions of {run.job}>"

    # -- what was written ------------------------------------------------------------------

    @cached_property
    def events(self) -> pl.DataFrame:
        """What happened: a row an event, in the order of time."""
        events = self._table("events")
        last: Any = events["partition"].max()
        if last is not None and last >= self.run.partitions:
            raise TraceError(
                f"{self.folder} has a piece of another run, of partition {last}: "
                f"there are {self.run.partitions} here; take it out"
            )
        if not events["time"].is_sorted():
            events = events.sort("time", maintain_order=True)
        return events if self.run.transport == "simulator" else _with_deaths(events)

    @cached_property
    def traffic(self) -> pl.DataFrame:
        """Messages by interval and level, each interval once."""
        rows = self._table("traffic").group_by("time", "level").agg(pl.col("messages").sum())
        return rows.sort("time", "level")

    @cached_property
    def connections(self) -> pl.DataFrame:
        """Of nodes that host sessions, each time that they had more connections than before."""
        return self._table("connections")

    def _table(self, name: str) -> pl.DataFrame:
        pieces = sorted(self.folder.glob(f"{name}-{glob.escape(self.run.pieces)}*.parquet"))
        columns = TABLES[name]
        if not pieces:
            return pl.DataFrame(schema=columns)
        try:
            table = pl.concat(pl.read_parquet(piece, columns=list(columns)) for piece in pieces)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise TraceError(
                f"{self.folder}: a piece of {name} cannot be read ({str(error).splitlines()[0]})"
            ) from None
        return table.with_columns(pl.col("time").round(9))  # 7.895, not 7.8950000000000005

    def of(self, *events: str) -> pl.DataFrame:
        """The rows of those events."""
        return self.events.filter(pl.col("event").is_in(events))

    @cached_property
    def end(self) -> float:
        """The last moment of which anything is known."""
        return max(_latest(self.events), _latest(self.traffic))

    # -- what follows ----------------------------------------------------------------------

    def partitions(self) -> pl.DataFrame:
        """A row a partition: `node` whose output counts, when it was first assigned, started,
        finished and accepted, and when somebody doubled up on it."""
        return self._partitions

    @cached_property
    def _partitions(self) -> pl.DataFrame:
        rows = self.events.filter(pl.col("partition").is_not_null())
        count = self.run.partitions
        columns = [pl.int_range(count, eager=True).alias("partition")]
        for event in ("assigned", "started", "finished", "accepted", "doubled"):
            of = rows.filter(pl.col("event") == event).reverse()  # the first is to be the last
            times = pl.repeat(None, count, dtype=pl.Float64, eager=True).alias(event)
            columns.append(times.scatter(of["partition"], of["time"]))
            if event == "accepted":
                nodes = pl.repeat(None, count, dtype=pl.Int64, eager=True).alias("node")
                columns.append(nodes.scatter(of["partition"], of["node"]))
        return pl.DataFrame(columns)

    def sessions(self) -> pl.DataFrame:
        """A row a session that was ever open, by level and place in the tree.

        `slots`, `partitions` and `first` (partition) are its shape; `host` is the address, `leader`
        the last one; `joined` and `sent_on` count nodes; `full` is when all slots had been given.
        With a sample these counts and times are null where only some of the nodes are known.
        """
        return self._sessions

    @cached_property
    def _sessions(self) -> pl.DataFrame:
        opened = self.of("opened", "recovered")
        table = opened.group_by("session").agg(
            pl.col("time").min().alias("opened"),
            pl.col("to").last().alias("host"),
            (pl.col("event") == "recovered").sum().alias("recovered"),
        )
        leaders = self.of("leads").group_by("session")
        table = table.join(
            leaders.agg(leader=pl.col("node").last(), leaders=pl.len()), "session", how="left"
        )
        slots = self.of("assigned").unique(["session", "slot"], keep="first")
        given = slots.group_by("session").agg(given=pl.len(), full=pl.col("time").max())
        table = table.join(given, "session", how="left")
        accepted = self.of("accepted").group_by("session")
        accepted_ = accepted.agg(accepted=pl.len(), first_accepted=pl.col("time").min())
        table = table.join(accepted_, "session", how="left")
        for event in ("joined", "sent_on"):
            rows = self.of(event).group_by("session").agg(pl.len().alias(event))
            table = table.join(rows, "session", how="left")
        for event in ("completed", "collected"):
            times = self.of(event).group_by("session").agg(pl.col("time").min().alias(event))
            table = table.join(times, "session", how="left")
        table = table.with_columns(pl.col("session").cast(pl.String))
        table = table.join(self._shapes(table["session"].to_list()), "session")
        counts = pl.col("given", "accepted", "joined", "sent_on", "leaders").fill_null(0)
        table = table.with_columns(counts)
        full = pl.when(pl.col("given") == pl.col("slots")).then(pl.col("full"))
        table = table.with_columns(full=full).sort("level", "first")
        if self.run.sample > 1:  # of leaves only some are known
            known = pl.when(pl.col("level") < self.run.levels - 1)
            of = ["joined", "sent_on", "given", "accepted", "full", "first_accepted"]
            table = table.with_columns(known.then(pl.col(of)))
        return table.select(
            "session", "level", "parent", "slot", "first", "partitions", "slots", "host",
            "leader", "leaders", "recovered", "joined", "sent_on", "given", "accepted",
            "opened", "full", "first_accepted", "completed", "collected",
        )  # fmt: skip

    def _shapes(self, names: list[str]) -> pl.DataFrame:
        known = {ROOT: self.shape}

        def shape(name: str) -> Shape:
            if name not in known:
                parent, _, slot = name.rpartition("-")
                known[name] = shape(parent).child(int(slot))
            return known[name]

        rows = [
            (
                name,
                name.count("-"),
                name.rpartition("-")[0] or None,
                int(name.rpartition("-")[2]) if "-" in name else None,
                (s := shape(name)).first,
                s.partitions,
                s.slots,
            )
            for name in names
        ]
        columns = {
            "session": pl.String, "level": pl.Int16, "parent": pl.String, "slot": pl.Int32,
            "first": pl.Int64, "partitions": pl.Int64, "slots": pl.Int32,
        }  # fmt: skip
        return pl.DataFrame(rows, schema=columns, orient="row")

    def tree(self, at: float | None = None) -> pl.DataFrame:
        """The sessions that were open after `at` seconds (by default: at the end), and their state.

        `taken` and `done` count slots given and slots whose output was accepted by then; `state`
        is "forming" until all slots are given, then "working" until all outputs are there, then
        "complete". With a sample leaves are "open" before that, and their counts null.
        """
        at = self.end if at is None else at
        until = self.events.filter(pl.col("time") <= at)
        slots = until.filter(pl.col("event").is_in(["assigned", "accepted"]))
        slots = (
            slots.unique(["session", "slot", "event"])
            .group_by("session")
            .agg(
                taken=(pl.col("event") == "assigned").sum(),
                done=(pl.col("event") == "accepted").sum(),
            )
        )
        slots = slots.with_columns(pl.col("session").cast(pl.String))
        table = (
            self.sessions()
            .filter(pl.col("opened") <= at)
            .select(
                "session",
                "level",
                "parent",
                "slot",
                "first",
                "partitions",
                "slots",
                "opened",
                "completed",
            )
            .join(slots, "session", how="left", maintain_order="left")
        )
        table = table.with_columns(pl.col("taken", "done").fill_null(0))
        state = (
            pl.when(pl.col("done") == pl.col("slots")).then(pl.lit("complete"))
            .when(pl.col("taken") == pl.col("slots")).then(pl.lit("working"))
            .otherwise(pl.lit("forming"))
        )  # fmt: skip
        table = table.with_columns(state=state)
        if self.run.sample > 1:
            leaf, done = pl.col("level") == self.run.levels - 1, pl.col("completed") <= at
            known = pl.when(done).then(pl.lit("complete")).otherwise(pl.lit("open"))
            table = table.with_columns(
                pl.when(~leaf).then(pl.col("taken", "done")),
                state=pl.when(leaf).then(known).otherwise(pl.col("state")),
            )
        return table.drop("completed")

    def nodes(self) -> pl.DataFrame:
        """A row a node: when it arrived, first joined and was last `gone`.

        `sent_on` counts how often it was sent to another session, `leads` the sessions that it
        led, `computed` the partitions that it finished, in so many `busy` seconds; `role` is
        "control", "computation", "both" or "none".
        """
        return self._nodes

    @cached_property
    def _nodes(self) -> pl.DataFrame:
        rows = self.events.filter(pl.col("node").is_not_null() & (pl.col("event") != "fault"))
        table = rows.select(pl.col("node").unique())
        time, seconds = pl.col("time"), pl.col("seconds")
        for event, columns in {
            "arrived": [time.min().alias("arrived")],
            "joined": [time.min().alias("joined")],
            "started": [time.min().alias("started")],
            "gone": [time.max().alias("gone")],
            "sent_on": [pl.len().alias("sent_on")],
            "leads": [pl.len().alias("leads")],
            "finished": [pl.len().alias("computed"), seconds.sum().alias("busy")],
        }.items():
            of = rows.filter(pl.col("event") == event).group_by("node").agg(columns)
            table = table.join(of, "node", how="left")
        counts = pl.col("sent_on", "leads", "computed", "busy").fill_null(0)
        table = table.with_columns(counts)
        controls, computes = pl.col("leads") > 0, pl.col("computed") > 0
        role = (
            pl.when(controls & computes).then(pl.lit("both"))
            .when(controls).then(pl.lit("control"))
            .when(computes).then(pl.lit("computation"))
            .otherwise(pl.lit("none"))
        )  # fmt: skip
        return table.with_columns(role=role).sort("node")

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
        grid, parts = self.grid(points), self.partitions()
        begins, ends = self._computing()
        seated, unseated = self._turns("joined")
        now = self._so_far(seated, grid) - self._so_far(unseated, grid)
        first = self._so_far(self.of("arrived").unique("node", keep="first"), grid)
        gone = self._gone(first, grid)
        computing = self._so_far(begins, grid) - self._so_far(ends, grid)
        accepted = parts.filter(pl.col("accepted").is_not_null())
        sessions = self.sessions()
        return pl.DataFrame(
            {
                "time": grid,
                "arrived": first,
                "gone": gone,
                "seated": now,
                "computing": computing,
                "idle": now - computing,
                "accepted": self._so_far(accepted.select("node", time="accepted"), grid),
                "opened": count_until(sessions["opened"], grid),
                "completed": count_until(sessions["completed"], grid),
            }
        )

    @cached_property
    def control(self) -> pl.DataFrame:
        """The nodes that led a session at any time."""
        return self.of("leads").select(pl.col("node").unique())

    def _so_far(self, rows: pl.DataFrame, grid: pl.Series) -> pl.Series:
        """How many of `rows` (time, node) there are until each moment, without the submitter's; of
        a sample as many as that makes likely."""
        rows = rows.filter(pl.col("node").is_null() | ~pl.col("node").is_in(self.submitters))
        if self.run.sample > 1:
            rows = rows.filter(in_sample(pl.col("node"), self.run.sample))
        return count_until(rows["time"], grid) * self.run.sample

    @cached_property
    def submitters(self) -> list[int]:
        """Who opened the root: it computes nothing, and is not counted as one of the nodes."""
        opened = self.of("opened", "recovered").filter(pl.col("session").cast(pl.String) == ROOT)
        return opened["node"].unique().to_list()

    def _gone(self, arrived: pl.Series, grid: pl.Series) -> pl.Series:
        if self.of("gone").is_empty():
            return arrived * 0
        came, went = self._turns("arrived", "back")
        return arrived - self._so_far(came, grid) + self._so_far(went, grid)

    def _turns(self, *events: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """When nodes had the first of `events`, and again after they had been gone; and went.

        What was on its way when its node went happens to nobody.
        """
        rows, gone, event = self.of(*events), self.of("gone"), pl.col("event")
        if gone.is_empty():
            return rows.unique("node", keep="first", maintain_order=True), gone
        rows = self.of(*events, "arrived", "back", "gone")
        comes = event.is_in(["arrived", "back"])
        there = pl.when(event == "gone").then(False).when(comes).then(True).forward_fill()
        rows = rows.with_columns(there=there.over("node"))
        rows = rows.filter(event.is_in([*events, "gone"]))
        rows = rows.filter((event == "gone") | pl.col("there").fill_null(True))
        rows = rows.select("node", "time", here=event != "gone")
        before = pl.col("here").shift(fill_value=False).over("node")
        turns = rows.filter(pl.col("here") != before)
        return turns.filter("here"), turns.filter(~pl.col("here"))

    def _computing(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """When nodes began to compute, one piece or several at a time, and ended, or were gone."""
        begins, ends, gone = self.of("started"), self.of("finished"), self.of("gone")
        if gone.is_empty() and begins["node"].n_unique() == len(begins):  # one piece each
            return begins, ends
        steps = pl.col("event").replace_strict({"started": 1, "finished": -1, "gone": 0})
        rows = self.of("started", "finished", "gone").select("node", "time", "event", step=steps)
        life = (pl.col("event") == "gone").cum_sum().over("node")
        rows = rows.with_columns(life=life)
        pieces = pl.col("step").cum_sum().over("node", "life")
        rows = rows.with_columns(busy=(pl.col("event") != "gone") & (pieces > 0))
        turns = rows.filter(pl.col("busy") != pl.col("busy").shift(fill_value=False).over("node"))
        return turns.filter("busy"), turns.filter(~pl.col("busy"))


def count_until(times: pl.Series, grid: pl.Series) -> pl.Series:
    """How many of `times` are at or before each moment of `grid`."""
    return times.drop_nulls().sort().search_sorted(grid, side="right").cast(pl.Int64)


def _with_deaths(events: pl.DataFrame) -> pl.DataFrame:
    """Who dies on TCP says nothing: who was lost, and of whom nothing is known after, is gone."""
    known = events.filter(pl.col("node").is_not_null())
    ended: Any = events.filter(pl.col("event") == "ended")["time"].min()
    lost = known.filter(pl.col("event") == "lost").filter(pl.col("time") <= (ended or inf))
    lost = lost.group_by("node").agg(pl.col("time").max())
    signs = known.filter(~pl.col("event").is_in(["lost", "left"]))
    signs = signs.group_by("node").agg(latest=pl.col("time").max())
    lost = lost.join(signs, "node", how="left").filter(
        pl.col("latest").fill_null(0) <= pl.col("time")
    )
    dead = lost.select("time", "node", event=pl.lit("gone", dtype=events.schema["event"]))
    if dead.is_empty():
        return events
    return pl.concat([events, dead], how="diagonal").sort("time", maintain_order=True)


def _latest(table: pl.DataFrame) -> float:
    latest: Any = table["time"].max()
    return float(latest or 0.0)


def _run(folder: Path) -> Run:
    file = folder / RUN_FILE
    if not os.path.exists(folder):  # of a name that is too long the other raises
        raise TraceError(f"there is no {folder}: give the folder that --trace named")
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        known = told["format"] == FORMAT
    except (OSError, ValueError, TypeError, KeyError):
        known = False
    if not known:
        raise TraceError(f"{folder} is not a trace: give the folder that --trace named")
    if _is_later(told.get("version")):
        raise TraceError(
            f"{folder} was written by a newer version of this program (trace version "
            f"{told['version']}, this one reads up to {VERSION}): update it"
        )
    try:
        run = msgspec.convert(told, Run)
        good = type(told["version"]) is int and run.sample >= 1 and run.nodes >= 0
        good &= Shape.root(run.partitions, run.fanout).levels == run.levels
        good &= isinstance((run.summary or {}).get("finished_seconds", 0.0), int | float | None)
    except (msgspec.ValidationError, KeyError, TypeError, ValueError):
        good = False
    if not good:
        raise TraceError(f"{file} is damaged: give another trace, or write it anew")
    return run


def _is_later(version: object) -> bool:
    return isinstance(version, int) and version > VERSION
