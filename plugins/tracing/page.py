"""One page with all pictures of a trace, or of several side by side.

The drawing library is in the file, so it opens without a network, and from a mail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import altair as alt
import vl_convert

from plugins.tracing import pictures, story
from plugins.tracing.reading import Trace

WIDTH = 900  # pixels
LEGEND_PIXELS = 215
WIDTH_OF_SEVERAL = 1240
CONFIG: dict[str, Any] = {
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {"gridColor": "#E5E7EB"},
}

SECTIONS = {  # of a picture: its heading, and how to read it
    "rings": (
        "The tree at a glance",
        "The root session inside, each ring a level further down, each session as wide as the part "
        "of the work that lies under it. Darker is further: places taken, then outputs there.",
    ),
    "tree": (
        "How the tree forms",
        "The root is on top. Move the slider, or play: colours go from light to dark, first while "
        "places are taken, then while outputs come in. Scroll in the picture to zoom into a part "
        "of the tree, hover over a session to see its story; double-click to go back.",
    ),
    "timeline": (
        "Who does what, when",
        "Nodes arrive, find a seat and compute; then outputs are accepted and sessions complete.",
    ),
    "messages": (
        "Who has to say how much",
        "What one host has to bear. Each arrival asks the root and gets an answer, a place or the "
        "name of a session to try; after that the root hears only of the sessions right below it. "
        "Each line up is ten times as many.",
    ),
    "connections": (
        "Nobody is connected to many",
        "Each node holds few connections; the bound depends on the fanout and the levels, not on "
        "the number of nodes.",
    ),
    "stragglers": (
        "What was late",
        "A slot that takes more than twice the median of those done in its session is given to an "
        "idle node as well, and the first output counts.",
    ),
    "recovery": (
        "What was lost, and made good",
        "Dashed lines are faults. Places are left where nodes are lost, and taken by others; a "
        "session that lost its host is opened anew by a new leader.",
    ),
}


def page(traces: Mapping[str, Trace]) -> str:
    """The page as HTML. One trace, or several, by name, side by side."""
    charts = _charts(traces)
    sections = [_section(name) for name in charts]
    specs = {name: _spec(chart, len(traces) > 1) for name, chart in charts.items()}
    title = " beside ".join(traces)
    if len(traces) == 1:
        title = story.title(*traces.values())
    return Template(_file("page.html")).substitute(
        title=escape(title),
        width=WIDTH if len(traces) == 1 else WIDTH_OF_SEVERAL,
        style=_file("page.css"),
        heads="\n".join(_head(name, trace, len(traces) > 1) for name, trace in traces.items()),
        sections="\n".join(sections),
        library=library(),
        specs=json.dumps(specs, separators=(",", ":")).replace("<", "\\u003c"),
        script=_file("page.js"),
    )


def _charts(traces: Mapping[str, Trace]) -> dict[str, Any]:
    if len(traces) > 1:
        return {
            name: pictures.side_by_side(name, traces, WIDTH_OF_SEVERAL)
            for name in pictures.PICTURES
            if any(story.has(name, trace) for trace in traces.values())
        }
    (trace,) = traces.values()
    charts = {
        name: picture(trace, width=WIDTH - LEGEND_PIXELS)
        for name, picture in pictures.PICTURES.items()
        if story.has(name, trace)
    }
    return {"rings": pictures.rings(trace, pictures.telling(trace)), **charts}


def _spec(chart: Any, several: bool) -> dict[str, Any]:
    config = CONFIG
    if several:  # there is no room beside them
        config = {**config, "legend": {"orient": "bottom"}}
    return {**chart.to_dict(), "config": config}


def _head(name: str, trace: Trace, named: bool) -> str:
    facts = "".join(
        f"<div><dt>{escape(what)}</dt><dd>{escape(value)}</dd></div>"
        for what, value in story.facts(trace).items()
    )
    lines = "".join(f"<li>{escape(line)}</li>" for line in story.told(trace))
    heading = f"<h2>{escape(name)}: {escape(story.title(trace))}</h2>" if named else ""
    return (
        f"<section>{heading}<p class='run'>{escape(story.run(trace))}</p>"
        f"<dl>{facts}</dl><ol>{lines}</ol></section>"
    )


def _section(name: str) -> str:
    heading, told = SECTIONS[name]
    return (
        f"<section><h2>{escape(heading)}</h2><p>{escape(told)}</p>"
        f"<figure id='{name}'></figure></section>"
    )


def library() -> str:
    """What draws, as one script."""
    bundle: Any = vl_convert.javascript_bundle  # its types want what it has defaults for
    version = "_".join(alt.SCHEMA_VERSION.split(".")[:2])
    return str(bundle(vl_version=version))


def _file(name: str) -> str:
    return files("plugins.tracing").joinpath(name).read_text(encoding="utf-8")
