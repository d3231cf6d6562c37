"""Two runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import altair as alt
from altair.typing import ChartType

from plugins.tracing.pictures.flow import connections, messages, timeline
from plugins.tracing.pictures.style import WIDTH
from plugins.tracing.pictures.tree import MOMENT, slider, tree
from plugins.tracing.pictures.trouble import recovery, stragglers
from plugins.tracing.reading import Trace

AXIS_PIXELS = 80  # what stands beside a picture; the legend stands below it
SPACING = 40  # pixels
OVER_TIME = ("timeline", "messages")  # on the same axis, so that they can be compared
PICTURES: dict[str, Callable[..., Any]] = {
    "tree": tree,
    "timeline": timeline,
    "messages": messages,
    "connections": connections,
    "stragglers": stragglers,
    "recovery": recovery,
}


def side_by_side(picture: str, traces: Mapping[str, Trace], width: int = WIDTH) -> ChartType:
    """The same picture of several traces, by name."""
    each = max(200, (width - SPACING * (len(traces) - 1)) // len(traces) - AXIS_PIXELS)
    until = max(trace.end for trace in traces.values())
    charts = []
    for i, (name, trace) in enumerate(traces.items()):
        options: dict[str, Any] = {"until": until} if picture in OVER_TIME else {}
        options |= {"at": MOMENT, "name": f"tree{i}"} if picture == "tree" else {}
        chart = PICTURES[picture](trace, width=each, **options)
        charts.append(alt.vconcat(chart, title=alt.Title(name, anchor="start", fontSize=16)))
    both = alt.hconcat(*charts, spacing=SPACING)
    if picture == "messages":  # they may have other levels
        both = both.resolve_scale(color="independent")
    return both.add_params(*slider(list(traces.values()))) if picture == "tree" else both
