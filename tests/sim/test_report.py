"""`python -m sim.report`: one page of what a trace tells, and one line of what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from plugins.tracing.pictures import PICTURES
from plugins.tracing.schema import TABLES, VERSION
from sim import World
from sim.report import TRACES_MAX, main
from tests import TOP
from tests.sim.browser import probed

NO_DATA = "Infinite extent"  # a chart that is empty
MARKUP = "<img src=x onerror=alert(1)></script><script>alert(2)</script><!--<script>"


class Tags(HTMLParser):
    """The elements of a page, and what they refer to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.references: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few."""
    folder = tmp_path_factory.mktemp("traces")
    World(nodes=120, fanout=5, trace=folder / "plain").run()
    World(
        nodes=150, partitions=400, fanout=6, delay="exponential:3", faults="heavy", seed=3,
        trace=folder / "heavy",
    ).run()  # fmt: skip
    World(nodes=9, trace=folder / "empty")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What is said."""
    assert main(list(map(str, arguments))) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    return out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 2) -> str:
    assert main(list(map(str, arguments))) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("python -m sim.report: ")
    assert "Traceback" not in err
    return err


# -- what comes out ------------------------------------------------------------------------


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


# -- what goes wrong -----------------------------------------------------------------------


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


def told(**changes: object) -> Callable[[Path], None]:
    """Says something else in trace.json; with `...` nothing."""

    def change(folder: Path) -> None:
        file = folder / "trace.json"
        found = {**json.loads(file.read_text()), **changes}
        file.write_text(json.dumps({k: v for k, v in found.items() if v is not ...}))

    return change


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


def test_what_a_user_wrote_does_not_become_markup(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job's name, an option, a fault, the name of a folder."""
    job = here / f"{MARKUP.replace('/', '')}.py"
    shutil.copy(TOP / "plugins" / "demo.py", job)
    World(nodes=5, input=MARKUP.replace("5", "6"), trace=here / "other").run()
    trace = here / MARKUP.replace("/", "_")
    try:
        World(nodes=5, job=str(job), trace=trace).run()
    except ValueError:  # a job may not be called that
        World(nodes=5, trace=trace).run()
    told(job=MARKUP, transport=MARKUP, options={MARKUP: MARKUP})(trace)
    plain = Tags(_plain(here, capsys))
    written(capsys, trace, "other")
    tags = Tags((here / "report.html").read_text())
    assert set(tags.found) == set(plain.found)
    assert tags.found.count("script") == plain.found.count("script")
    found = probed(here / "report.html", here)
    assert found["drawn"] == "all"
    assert [line for line in found["complaints"] if NO_DATA not in line] == []


def _plain(here: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The page of two harmless traces."""
    for name in ("one", "two"):
        World(nodes=5, trace=here / name).run()
    written(capsys, "one", "two")
    return (here / "report.html").read_text()


# -- in a browser --------------------------------------------------------------------------

LOOK = """
const KEPT = {willReadFrequently: true};
const hash = (canvas) => {
  const pixels = new Uint32Array(
    canvas.getContext("2d", KEPT).getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  let sum = 0;
  for (const pixel of pixels) sum = (Math.imul(sum, 31) + pixel) | 0;
  return sum;
};
const colours = (canvas) => new Set(new Uint32Array(
  canvas.getContext("2d", KEPT).getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
told.figures = Object.fromEntries([...document.querySelectorAll("figure")].map(
  (figure) => [figure.id, [...figure.querySelectorAll("canvas")].map(colours)]));
told.wider = [...document.querySelectorAll("figure")].filter(
  (figure) => figure.scrollWidth > figure.clientWidth + 1).map((figure) => figure.id);
const figure = document.getElementById("tree");
const canvas = figure.querySelector("canvas");
const slider = figure.querySelector("input[type=range]");
told.too_wide = document.documentElement.scrollWidth - window.innerWidth;
told.sliders = document.querySelectorAll("input[type=range]").length;
told.last = Number(slider.max);
told.begins = Number(slider.value);
told.hashes = {};
for (const at of [0, Math.round(slider.max / 2), Number(slider.max)]) {
  slider.value = at;
  slider.dispatchEvent(new Event("input"));
  await wait(200);
  told.hashes[at] = hash(canvas);
}
slider.value = 0;
slider.dispatchEvent(new Event("input"));
await wait(200);
told.again = hash(canvas);
const button = figure.querySelector("button");
const press = () => button.dispatchEvent(new Event("click"));  // click() hangs in virtual time
told.played = [button.textContent];
press();
await wait(400);
told.played.push(button.textContent, Number(slider.value), hash(canvas));
press();
await wait(100);
told.paused = [button.textContent, Number(slider.value)];
await wait(300);
told.paused.push(Number(slider.value));
slider.value = slider.max - 3;
slider.dispatchEvent(new Event("input"));
await wait(100);
press();
await wait(1000);
told.ended = [button.textContent, Number(slider.value), hash(canvas)];
press();
await wait(200);
told.anew = [button.textContent, Number(slider.value)];
press();
"""


def seen(
    names: list[str], traces: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> Mapping[str, Any]:
    page = folder / "page.html"
    written(capsys, *(traces / name for name in names), "--out", page)
    return probed(page, folder, LOOK)


@pytest.mark.parametrize("names", [["heavy"], ["plain", "heavy"]], ids=len)
def test_a_browser_draws_everything(
    names: list[str], traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = seen(names, traces, tmp_path, capsys)
    assert "error" not in found
    assert found["drawn"] == "all"
    assert found["complaints"] == []
    assert [line for line in found["said"] if "Canvas2D: Multiple readback" not in line] == []
    assert found["requested"] == []  # no file, no network
    assert set(found["figures"]) >= set(PICTURES)
    for name, canvases in found["figures"].items():
        assert canvases, name
        assert all(colours > 10 for colours in canvases), name
    assert found["wider"] == []
    assert found["too_wide"] <= 0

    # The slider.
    assert found["sliders"] == 1
    last = found["last"]
    assert 0 < found["begins"] < last
    assert len(set(found["hashes"].values())) == 3
    assert found["again"] == found["hashes"]["0"]

    # The button.
    word, pressed, at, hash_ = found["played"]
    assert (word, pressed) == ("Play", "Pause")
    assert 0 < at < last
    assert hash_ not in (found["hashes"]["0"], found["hashes"][str(last)])
    word, at, later = found["paused"]
    assert (word, at) == ("Play", later)
    assert found["ended"] == ["Play", last, found["hashes"][str(last)]]
    word, at = found["anew"]
    assert word == "Pause"
    assert 0 < at < last


def test_a_browser_draws_a_trace_with_nothing_in_it(
    traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    written(capsys, traces / "empty", "--out", page)
    found = probed(page, tmp_path)
    assert (found["drawn"], found["requested"]) == ("all", [])
    assert [line for line in found["complaints"] if NO_DATA not in line] == []
