"""A browser draws all of a page, and nothing that a user wrote is markup in it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from plugins.tracing.pictures import PICTURES
from sim import World
from tests import TOP
from tests.sim.report.browser import probed
from tests.sim.report.pages import NO_DATA, Tags, told, written

MARKUP = "<img src=x onerror=alert(1)></script><script>alert(2)</script><!--<script>"


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
