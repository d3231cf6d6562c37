"""The file of a sweep's table: CSV or Parquet, replaced as a whole or not at all."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from sim.sweep.points import GIVEN

if TYPE_CHECKING:
    import polars

ENDINGS = (".csv", ".parquet")


def check(path: Path) -> None:
    """Raises ValueError with one line where a table could not be written there."""
    if path.suffix not in ENDINGS:
        raise ValueError(f"{str(path)!r} is neither CSV nor Parquet, end it in .csv or .parquet")
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder, name a file in it")
    try:
        if path.exists() and not _is_table(path):
            raise ValueError(f"{str(path)!r} is there and no table of a sweep, name another file")
        part = _part(path)
        part.touch()
        part.unlink()
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be written: {error.strerror}") from None


def _is_table(path: Path) -> bool:
    """So that nobody's measured data is overwritten by what was computed from it."""
    if not path.is_file():  # a device, say
        return False
    if path.suffix == ".csv":
        with path.open("rb") as file:
            first = file.readline(1000)
        return first.startswith(",".join(GIVEN).encode())
    import polars as pl

    try:
        return list(pl.read_parquet_schema(path))[: len(GIVEN)] == list(GIVEN)
    except pl.exceptions.PolarsError:
        return False


def save(table: polars.DataFrame, path: Path) -> None:
    """Raises OSError; what was there before is there then."""
    data = BytesIO()
    if path.suffix == ".csv":
        table.write_csv(data)
    else:
        table.write_parquet(data)
    part = _part(path)
    try:
        part.write_bytes(data.getvalue())
        part.replace(path.resolve())
    finally:
        part.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    """Beside the file, of this process alone."""
    place = path.resolve()
    return place.with_name(f".{place.name}.{os.getpid()}.part")
