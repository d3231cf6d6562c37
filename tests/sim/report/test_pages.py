"""`python -m sim.report` writes one page of what a trace tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plugins.tracing.pictures import PICTURES
from sim import World
from sim.report import TRACES_MAX, main
from tests.sim.report.pages import Tags, refused, written


def test_one_file_is_written(traces: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "report.html" in written(capsys, traces / "plain")
    assert [path.name for path in here.iterdir()] == ["report.html"]


def test_an_older_page_is_replaced(
    traces: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(capsys, traces / "heavy", "--out", "page.html")
    older = (here / "page.html").read_text()
    written(capsys, traces / "plain", "--out", "page.html")
    assert (here / "page.html").read_text() != older
    assert [path.name for path in here.iterdir()] == ["page.html"]


def test_what_is_no_page_is_not_overwritten(
    traces: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "notes.md").write_text("of use")
    assert "notes.md" in refused(capsys, traces / "plain", "--out", "notes.md")
    assert (here / "notes.md").read_text() == "of use"


def test_a_page_tells_the_summary(
    traces: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(capsys, traces / "plain")
    page = (here / "report.html").read_text()
    summary = json.loads((traces / "plain" / "trace.json").read_text())["summary"]
    for name in ("messages", "sessions", "connections_max", "accepted"):
        assert f"<dd>{summary[name]:,}</dd>" in page, name
    assert f"<dd>{summary['finished_seconds']:.2f} s</dd>" in page
    assert "120 nodes, 120 partitions" in page
    assert "broken off" not in page


@pytest.mark.parametrize("names", [["plain"], ["heavy"], ["empty"], ["plain", "heavy", "empty"]])
def test_a_page_has_all_pictures_and_needs_no_other_file(
    names: list[str], traces: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(capsys, *(traces / name for name in names))
    page = (here / "report.html").read_text()
    tags = Tags(page)
    assert tags.references == ["data:,"]
    assert not set(tags.found) & {"img", "iframe", "base", "object", "embed"}
    shown = set(PICTURES) - (set() if "heavy" in names else {"recovery"})
    if len(names) == 1:
        shown.add("rings")
    assert tags.found.count("figure") == len(shown)
    assert all(f"<figure id='{name}'>" in page for name in shown)
    assert ("broken off" in page) == ("empty" in names)
    if len(names) > 1:
        assert all(f"<h2>{name}: " in page for name in names)


def test_the_same_trace_gives_the_same_page(
    traces: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(capsys, traces / "heavy", "--out", "one.html")
    written(capsys, traces / "heavy", "--out", "two.html")
    assert (here / "one.html").read_bytes() == (here / "two.html").read_bytes()


def test_traces_of_the_same_name_are_told_apart(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("first", "second"):
        Path(folder).mkdir()
        World(nodes=5, trace=Path(folder) / "trace").run()
    written(capsys, "first/trace", "second/trace/")
    page = (here / "report.html").read_text()
    assert "<h2>first/trace: 5 nodes" in page
    assert "<h2>second/trace" in page


def test_help_tells_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out, _ = capsys.readouterr()
    assert "--out" in out
    assert f"up to {TRACES_MAX}" in out
