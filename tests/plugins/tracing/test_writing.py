"""How a trace is written: piece by piece, in little memory, so that it can be read at any time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import polars as pl
import pytest

from plugins import tracing
from plugins.tracing import writing
from plugins.tracing.schema import FORMAT, TABLES, VERSION, Run
from plugins.tracing.writing import ROWS_MAX, Writer, begin, describe
from tests.plugins.tracing.worlds import Runs

RUN = Run(
    transport="simulator", job="job", nodes=2, partitions=2, fanout=2, levels=1, seed=0
)  # fmt: skip
ROWS: dict[str, tuple[Any, ...]] = {
    "events": (1.0, "arrived", 1, "0", None, None, None, None),
    "traffic": (1.0, 0, 1),
    "connections": (1.0, 0, 1),
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that it says."""
    now = [100.0]
    monkeypatch.setattr(writing.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("table", TABLES)
def test_no_more_than_so_many_rows_are_kept(table: str, tmp_path: Path, clock: list[float]) -> None:
    """However fast they come."""
    writer = Writer(tmp_path, "x")
    rows, width, most = getattr(writer, table), len(TABLES[table]), 0
    for _ in range(2 * ROWS_MAX // 1000 + 2):
        rows += ROWS[table] * 1000
        most = max(most, len(rows) // width)
        if writer.is_due():
            writer.flush()
            assert rows is getattr(writer, table)  # whoever adds rows holds the list
            assert rows == []
    assert ROWS_MAX <= most < ROWS_MAX + 1000
    writer.flush()
    pieces = sorted(tmp_path.glob("*.parquet"))
    assert len(pieces) == 2
    assert sum(len(pl.read_parquet(piece)) for piece in pieces) == (2 * ROWS_MAX // 1000 + 2) * 1000


def test_a_piece_is_due_now_and_then(tmp_path: Path, clock: list[float]) -> None:
    """So that little is lost where it is killed, and there are never too many pieces."""
    writer, pieces, last = Writer(tmp_path, "x"), 0, 100.0
    assert not writer.is_due()
    clock[0] += 1.1
    assert writer.is_due()
    while clock[0] < 100 + 24 * 3600:
        clock[0] += 0.1 if clock[0] < 200 else 10
        if writer.is_due():
            writer.flush()
            assert clock[0] - last < writing.WAIT_SECONDS_MAX + 11
            pieces, last = pieces + 1, clock[0]
    assert 20 < pieces < 3000


def test_what_is_taken_is_written_later(tmp_path: Path) -> None:
    """And what comes in between is not lost, and not written twice."""
    writer = Writer(tmp_path, "x")
    writer.traffic += ROWS["traffic"]
    taken = writer.take()
    writer.traffic += (2.0, 1, 7)
    writer.write(taken)
    writer.flush()
    found = [pl.read_parquet(piece) for piece in sorted(tmp_path.iterdir())]
    assert [piece.rows() for piece in found] == [[ROWS["traffic"]], [(2.0, 1, 7)]]


def test_nothing_to_write_is_no_piece(tmp_path: Path) -> None:
    Writer(tmp_path, "x").flush()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    writer = Writer(folder, "x")
    writer.traffic += ROWS["traffic"]
    with pytest.raises(tracing.TraceError, match="gone") as error:
        writer.flush()
    assert "\n" not in str(error.value)
    with pytest.raises(tracing.TraceError, match="gone"):
        describe(folder, RUN)


def test_a_description_that_is_half_written_is_never_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe(tmp_path, RUN)

    def broken(path: Path, text: str, encoding: str) -> None:
        with path.open("w", encoding=encoding) as file:
            file.write(text[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", broken)
    with pytest.raises(tracing.TraceError, match="No space left"):
        describe(tmp_path, attrs.evolve(RUN, summary={"a": 1}))
    told = json.loads((tmp_path / "trace.json").read_text())
    assert (told["format"], told["version"], told["summary"]) == (FORMAT, VERSION, None)
    assert tracing.read(tmp_path).run == RUN


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    assert begin(tmp_path) == tmp_path
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_with_a_trace_is_kept(again: bool, runs: Runs) -> None:
    folder = runs["one node"].folder
    before = {path: path.read_bytes() for path in folder.iterdir()}
    if again:
        begin(folder, again=True)
    else:
        with pytest.raises(tracing.TraceError, match="there already"):
            begin(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_parts_are_never_read(runs: Runs, tmp_path: Path) -> None:
    whole = runs["plain"]
    for path in whole.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for table in TABLES:
        (piece, *_) = whole.folder.glob(f"{table}-*.parquet")
        (tmp_path / f"{table}-sim-000099.parquet.part").write_bytes(piece.read_bytes())
        (tmp_path / f"{table}-sim-000100.parquet.part").write_bytes(b"PAR1 half of it")
    (tmp_path / "trace.json.part").write_text("{")
    found = tracing.read(tmp_path)
    assert found.events.equals(whole.trace.events)
    assert found.traffic.equals(whole.trace.traffic)
    assert found._table("connections").equals(whole.trace._table("connections"))
