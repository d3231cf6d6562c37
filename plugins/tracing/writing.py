"""Writes a trace piece by piece while the run goes on.

What is to end the run waits until the piece that is being written is complete.
"""

from __future__ import annotations

import json
import os
import time
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import polars as pl

from plugins.console import signals
from plugins.console.telling import encodable, short
from plugins.tracing.schema import FORMAT, TABLES, VERSION, Run, TraceError

ROWS_MAX = 2**17  # of one piece: what is kept in memory
VALUES_MAX = {table: ROWS_MAX * len(columns) for table, columns in TABLES.items()}
WAIT_SECONDS_MIN = 1.0  # of wall time between pieces
WAIT_SHARE = 0.1  # of the time so far, if that is more: so there are few pieces
WAIT_SECONDS_MAX = 30.0  # what a killed run may have lost
RUN_FILE = "trace.json"
TEXT_MAX = 10_000  # characters of one option, or of one figure of the summary

Taken = dict[str, list[Any]]  # by table, its rows end to end


class Writer:
    """The pieces of one process in a folder. Rows are kept end to end, a flat list a table."""

    def __init__(self, folder: Path, who: str) -> None:
        self.folder = folder
        self.who = who
        self.events: list[Any] = []
        self.traffic: list[Any] = []
        self.connections: list[Any] = []
        self._numbers = count(1)
        self._began = self._written = time.monotonic()

    def is_due(self) -> bool:
        """Whether it is time for the next piece."""
        if any(len(getattr(self, table)) >= most for table, most in VALUES_MAX.items()):
            return True
        now = time.monotonic()
        wait = min(WAIT_SECONDS_MAX, WAIT_SHARE * (now - self._began))
        return now - self._written > max(WAIT_SECONDS_MIN, wait)

    def flush(self) -> None:
        """Write what there is. Raises TraceError."""
        with signals.deferred():
            self.write(self.take())

    def take(self) -> Taken:
        """What there is, which is to be written; rows of the next piece may be added from now."""
        self._written = time.monotonic()
        taken = {table: getattr(self, table)[:] for table in TABLES}
        for table in TABLES:
            getattr(self, table).clear()  # others hold the list
        return taken

    def write(self, taken: Taken) -> None:
        """Write that, in any thread, one after the other. Raises TraceError."""
        number = next(self._numbers)
        for table, rows in taken.items():
            if rows:
                self._write(f"{table}-{self.who}-{number:06}.parquet", rows, TABLES[table])

    def _write(self, name: str, rows: list[Any], columns: dict[str, Any]) -> None:
        width = len(columns)
        series = [
            pl.Series(column, rows[i::width], dtype=kind, strict=False)
            for i, (column, kind) in enumerate(columns.items())
        ]
        part = self.folder / f"{name}.part"
        try:
            pl.DataFrame(series).write_parquet(part, compression="zstd")
            part.rename(self.folder / name)
        except (OSError, pl.exceptions.PolarsError) as error:  # the latter where a disk is full
            raise TraceError(
                f"the trace {self.folder} cannot be written: see whether there is room, or give "
                f"another --trace ({getattr(error, 'strerror', None) or error})"
            ) from error


def begin(folder: str | Path, again: bool = False) -> Path:
    """Make the folder of a new trace, which may be there if it is empty: whoever is to write into
    it, too, may have come first. `again`: it may be there with a trace. Raises TraceError.
    """
    folder = Path(folder)
    try:
        folder.mkdir(exist_ok=again or _is_empty(folder))
        probe = folder / f".{os.getpid()}"
        probe.touch()
        probe.unlink(missing_ok=True)  # of another machine, whose process has the same number
    except FileExistsError:
        raise TraceError(
            f"{folder} is there already: give another name, or remove it first"
        ) from None
    except OSError as error:
        raise TraceError(
            f"{folder} cannot be made ({error.strerror or error}): give another path"
        ) from None
    return folder


def _is_empty(folder: Path) -> bool:
    """Whether it is a folder with nothing in it but what others try just now."""
    return folder.is_dir() and all(path.name.startswith(".") for path in folder.iterdir())


def describe(folder: Path, run: Run) -> None:
    """Say what was run, and at the end how it went. Raises TraceError."""
    summary = None if run.summary is None else _plain(run.summary)
    run = attrs.evolve(run, options=_plain(run.options), summary=summary)
    told = {"format": FORMAT, "version": VERSION, **attrs.asdict(run)}
    part = folder / f"{RUN_FILE}.part"
    try:
        with signals.deferred():
            part.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
            part.rename(folder / RUN_FILE)
    except OSError as error:
        raise TraceError(
            f"the trace {folder} cannot be written ({error.strerror or error})"
        ) from error


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """What JSON has, each bounded: an input or a result may be of any kind and size."""
    return {name: _bounded(value) for name, value in values.items()}


def _bounded(value: Any) -> Any:
    plain = encodable(value)
    return plain if len(json.dumps(plain)) <= TEXT_MAX else short(value)
