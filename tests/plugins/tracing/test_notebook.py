"""A notebook's charts, and its tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import altair as alt
import polars as pl
import pytest

from plugins.tracing import notebook


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was displayed while everything was set up."""
    texts: list[str] = []
    monkeypatch.setattr(notebook, "display", lambda html: texts.append(html.data))
    before = alt.renderers.active
    with pl.Config():
        notebook.set_up()
        yield texts
    alt.renderers.enable(before)


def chart(title: str) -> alt.Chart:
    marks: alt.Chart = alt.Chart(alt.InlineData(values=[{"a": 1}]), title=title).mark_point()
    return marks.encode(x="a:Q")


def drawn(title: str) -> str:
    bundle: Any = chart(title)._repr_mimebundle_()
    return str(bundle["text/html"])


def test_the_library_is_there_once(shown: list[str]) -> None:
    (library,) = shown
    assert "vegaEmbed" in library
    assert library.count("</script") == 1
    assert "http" not in re.findall(r"<script[^>]*>", library)[0]
    assert len(drawn("a picture")) < 2000


def test_a_chart_says_what_to_draw(shown: list[str]) -> None:
    (text,) = re.findall(r"vegaEmbed\(figure, (.*), \{actions", drawn("a </script> in a title"))
    assert "</script>" not in text
    spec = json.loads(text)
    assert spec["title"] == "a </script> in a title"
    assert spec["config"]["font"] == "system-ui, sans-serif"


def test_tables_are_for_people(shown: list[str]) -> None:
    text = pl.DataFrame({"a": [1.0]})._repr_html_()
    assert "shape" not in text
    assert "f64" not in text
    assert "1.000" in text
