"""What was written of a run: its tables, as they are, and what was run."""

from __future__ import annotations

import glob
import json
import os
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

import attrs
import msgspec
import polars as pl

from core.cutting import ROOT, Shape
from plugins.tracing.schema import FORMAT, NEEDED, TABLES, VERSION, Run, TraceError
from plugins.tracing.writing import RUN_FILE


class Written:
    """The tables in the folder of a trace, as far as they are written. Raises TraceError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = _run(folder)  # its `summary` is None if the run was killed
        cuts = self.run.jobs or {ROOT: (self.run.partitions, self.run.fanout)}
        self.roots = {name: _root(name, *cut) for name, cut in cuts.items()}  # by their names

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
        if not pieces:
            return pl.DataFrame(schema=TABLES[name])
        try:
            table = pl.concat(_piece(piece, name) for piece in pieces)
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


def _root(name: str, partitions: int, fanout: int) -> Shape:
    shape: Shape = attrs.evolve(Shape.root(partitions, fanout), session=name)
    return shape


def _piece(path: Path, name: str) -> pl.DataFrame:
    """The columns that this version knows: null where whoever wrote it did not know them yet."""
    columns, there = TABLES[name], pl.read_parquet_schema(path)
    if lacking := NEEDED[name] - there.keys():
        raise TraceError(
            f"{path} has no column {min(lacking)!r}: give another trace, or write it anew"
        )
    table = pl.read_parquet(path, columns=[column for column in columns if column in there])
    unknown = {column: pl.lit(None, columns[column]) for column in columns if column not in there}
    return table.with_columns(**unknown).select(list(columns)) if unknown else table


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
    told = _told(folder, file)
    if _is_later(told.get("version")):
        raise TraceError(
            f"{folder} was written by a newer version of this program (trace version "
            f"{told['version']}, this one reads up to {VERSION}): update it"
        )
    try:
        run = msgspec.convert(told, Run)
        good = type(told["version"]) is int and run.sample >= 1 and run.nodes >= 0
        good &= Shape.root(run.partitions, run.fanout).levels == run.levels or bool(run.jobs)
        good &= all(Shape.root(*cut).levels > 0 for cut in run.jobs.values())
        good &= isinstance((run.summary or {}).get("finished_seconds", 0.0), int | float | None)
    except (msgspec.ValidationError, KeyError, TypeError, ValueError):
        good = False
    if not good:
        raise TraceError(f"{file} is damaged: give another trace, or write it anew")
    return run


def _is_later(version: object) -> bool:
    return isinstance(version, int) and version > VERSION


def _told(folder: Path, file: Path) -> dict[str, Any]:
    """What the file of a run says."""
    if not os.path.exists(folder):  # of a name that is too long the other raises
        raise TraceError(f"there is no {folder}: give the folder that --trace named")
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        known = told["format"] == FORMAT
    except (OSError, ValueError, TypeError, KeyError):
        known = False
    if not known:
        raise TraceError(f"{folder} is not a trace: give the folder that --trace named")
    return told
