"""Runs of `python -m sim.report`, and the elements of a page that it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sim.report import main

NO_DATA = "Infinite extent"  # a chart that is empty


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


def told(**changes: object) -> Callable[[Path], None]:
    """Says something else in trace.json; with `...` nothing."""

    def change(folder: Path) -> None:
        file = folder / "trace.json"
        found = {**json.loads(file.read_text()), **changes}
        file.write_text(json.dumps({k: v for k, v in found.items() if v is not ...}))

    return change
