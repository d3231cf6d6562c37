"""What is no trace, and where no page can be, is told in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from plugins.tracing.schema import TABLES, VERSION
from sim.report import TRACES_MAX
from tests.sim.report.pages import refused, told, written


@pytest.mark.parametrize("name", ["nothing", "folder", "file", "x" * 300, "nul\0l"])
def test_what_is_no_trace_is_named(
    name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "folder").mkdir()
    (here / "file").write_text("of use")
    assert name in refused(capsys, name)
    assert sorted(path.name for path in here.iterdir()) == ["file", "folder"]


def test_no_trace_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert "TRACE" in refused(capsys)


@pytest.mark.parametrize(
    "out", ["missing/page.html", "folder", "file/page.html", "", "nul\0l", "."]
)
def test_a_place_where_no_page_can_be_is_named(
    out: str, traces: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "folder").mkdir()
    (here / "file").write_text("of use")
    assert "--out" in refused(capsys, traces / "plain", "--out", out)
    assert sorted(path.name for path in here.iterdir()) == ["file", "folder"]
    assert list((here / "folder").iterdir()) == []


def test_a_page_that_cannot_be_written_is_named(
    traces: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "too long" in refused(capsys, traces / "plain", "--out", "x" * 300, code=1)
    assert list(here.iterdir()) == []


def test_too_many_traces(traces: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = []
    for i in range(TRACES_MAX + 1):
        names.append(f"trace{i}")
        shutil.copytree(traces / "plain", names[-1])
    assert str(TRACES_MAX) in refused(capsys, *names)
    assert not (here / "report.html").exists()
    written(capsys, *names[:TRACES_MAX])


def replaced(content: bytes) -> Callable[[Path], None]:
    return lambda folder: _write(folder / "trace.json", content)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "half": replaced(b'{"format": "million-no'),
    "empty": replaced(b""),
    "list": replaced(b"[]"),
    "text": replaced(b'"trace"'),
    "binary": replaced(b"\xff\xfe\x00"),
    "missing": lambda folder: (folder / "trace.json").unlink(),
    "other format": told(format="a holiday"),
    "no format": told(format=...),
    "no version": told(version=...),
    "version of text": told(version="1"),
    "no nodes": told(nodes=...),
    "no partitions": told(partitions=0),
    "partitions of text": told(partitions="many"),
    "fanout": told(fanout=1),
    "levels": told(levels=7),
    "options": told(options=[]),
    "summary": told(summary=[]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_description_is_named(
    damage: str, traces: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(traces / "plain", here / "trace")
    DAMAGES[damage](here / "trace")
    assert "trace" in refused(capsys, "trace")
    assert not (here / "report.html").exists()


def test_a_newer_trace_is_named(
    traces: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(traces / "plain", here / "trace")
    told(version=VERSION + 1, nodes=..., more=1)(here / "trace")
    said = refused(capsys, "trace")
    assert "newer" in said
    assert f"version {VERSION + 1}" in said


def _piece(folder: Path, table: str) -> Path:
    return next(folder.glob(f"{table}-*.parquet"))


BROKEN: dict[str, Callable[[Path], None]] = {
    "empty": lambda piece: _write(piece, b""),
    "half": lambda piece: _write(piece, piece.read_bytes()[: piece.stat().st_size // 2]),
    "no end": lambda piece: _write(piece, piece.read_bytes()[:-3]),
    "text": lambda piece: _write(piece, b"time,event\n" * 100),
    "other columns": lambda piece: pl.DataFrame({"x": [1]}).write_parquet(piece),
    "other types": lambda piece: (
        pl.read_parquet(piece)
        .with_columns(time=pl.lit("now"))
        .write_parquet(piece.with_name(f"{piece.stem}9.parquet"))
    ),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("damage", BROKEN)
def test_a_piece_that_cannot_be_read_is_named(
    damage: str, table: str, traces: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(traces / "plain", here / "trace")
    BROKEN[damage](_piece(here / "trace", table))
    said = refused(capsys, "trace")
    assert table in said
    assert not (here / "report.html").exists()
