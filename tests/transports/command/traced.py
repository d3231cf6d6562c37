"""A trace that was written, as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from core.sessions.messages import NODE_BITS
from plugins.tracing.schema import TABLES


def pieces(folder: Path, table: str = "events") -> list[pl.DataFrame]:
    return [pl.read_parquet(path) for path in sorted(folder.glob(f"{table}-*.parquet"))]


def rows(folder: Path, table: str = "events") -> pl.DataFrame:
    """All of them, in the order of time."""
    found = pieces(folder, table)
    whole: pl.DataFrame = pl.concat(found) if found else pl.DataFrame(schema=TABLES[table])
    return whole.sort("time", maintain_order=True)


def of(found: pl.DataFrame, *events: str) -> pl.DataFrame:
    return found.filter(pl.col("event").is_in(events))


def described(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "trace.json").read_text())
    return told


def processes(nodes: pl.Series) -> set[int]:
    return {node >> NODE_BITS for node in nodes}
