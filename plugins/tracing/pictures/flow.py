"""Over time: nodes, partitions, sessions, messages."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from plugins.tracing import measures
from plugins.tracing.pictures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    WIDTH,
    amount,
    colours,
    data,
    magnitude,
    seconds,
    stacked,
    tip,
    title,
    with_faults,
)
from plugins.tracing.reading import Trace


def timeline(trace: Trace, width: int = WIDTH, until: float | None = None) -> ChartType:
    """Nodes by state, partitions accepted, and sessions, over time, to `until` seconds at least."""
    end = max(trace.end, until or 0.0)
    table = trace.timeline()
    nodes = {"arrived": GREY, "seated": BLUE, "computing": ORANGE, "idle": GREEN}
    if table["gone"].max():
        nodes["gone"] = RED
    panels = [
        ("nodes", nodes, "Nodes", "arrived so far; of these now seated, computing, idle"),
        ("partitions", {"accepted": PURPLE}, "Partitions", "whose output was accepted"),
        ("sessions", {"opened": SKY, "completed": BLUE}, "Sessions", "opened, completed so far"),
    ]
    charts = []
    for i, (of, states, text, told) in enumerate(panels):
        lines = _lines(table, states, of, end).properties(width=width, height=110 if i else 190)
        charts.append(with_faults(trace, lines).properties(title=title(text, told)))
    return stacked(charts)


def _lines(table: pl.DataFrame, states: dict[str, str], of: str, end: float) -> alt.Chart:
    long = table.unpivot(list(states), index="time", variable_name="state", value_name="count")
    chart: alt.Chart = (
        alt.Chart(data(long))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=seconds("time", 0, end),
            y=amount("count", of),
            color=colours("state", states),
            tooltip=["state:N", tip("time", "seconds", ",.2f"), tip("count", of)],
        )
    )
    return chart


def messages(trace: Trace, width: int = WIDTH, until: float | None = None) -> ChartType:
    """Messages a second at one session of each level: what its host has to bear; to `until`
    seconds at least."""
    levels = trace.run.levels
    names = {level: f"a session of level {level}" for level in range(levels)}
    names[levels - 1] = "a leaf session"
    names[0] = "the root"
    shades = [ORANGE, GREEN, PURPLE, SKY, GREY]  # however many levels: the same for the same name
    chosen = {name: shades[(i - 1) % len(shades)] for i, name in names.items()}
    chosen |= {names[levels - 1]: BLUE, "the root": RED}
    of = pl.col("level").replace_strict(names, default="further down", return_dtype=pl.String)
    chart = (
        alt.Chart(data(measures.messages(trace).with_columns(of=of)))
        .mark_line(strokeWidth=2, interpolate="monotone")
        .encode(
            x=seconds("time", 0, max(trace.end, until or 0.0)),
            y=magnitude("per_session", "messages a second"),
            color=colours("of", chosen),
            tooltip=[
                "of:N",
                tip("time", "seconds", ",.2f"),
                tip("per_session", "messages a second, each", ",.1f"),
                tip("sessions", "sessions of the level"),
                tip("per_second", "messages a second, all", ",.0f"),
            ],
        )
        .properties(width=width, height=220)
    )
    told = "of the root, and on average of one session of each other level"
    return with_faults(trace, chart).properties(title=title("Messages a second", told))


def connections(trace: Trace, width: int = WIDTH) -> ChartType:
    """How many nodes have at most how many connections, and the bound that is promised."""
    usual, most = measures.connections_promised(trace)
    bars = _connection_bars(measures.connection_counts(trace, max(1, most // 80)), most)
    told = (
        f"the most that a node ever had, and the promised bound: {most:,}, "
        "however many nodes there are"
    )
    return alt.layer(bars, *_bounds(usual, most)).properties(
        width=width, height=200, title=title("Connections", told)
    )


def _connection_bars(counts: pl.DataFrame, most: int) -> alt.Chart:
    connections = alt.X(
        "low:Q",
        title="connections",
        scale=alt.Scale(domain=[0, most * 1.05], nice=False),
        axis=alt.Axis(grid=False),
    )
    nodes = alt.Y(
        "nodes:Q",
        title="nodes",
        scale=alt.Scale(type="log", domainMin=0.5),
        axis=alt.Axis(format="~s", values=[10**i for i in range(13)]),
    )
    told = [tip("low", "connections, from"), tip("high", "to below"), tip("nodes", "nodes")]
    bars: alt.Chart = alt.Chart(data(counts)).mark_rect(color=BLUE)
    return bars.encode(x=connections, x2="high:Q", y=nodes, y2="floor:Q", tooltip=told)


def _bounds(usual: int, most: int) -> tuple[alt.Chart, alt.Chart]:
    """A line at each of the two, and what it says."""
    what = ["fanout * levels", "with as many standbys"]
    rules = alt.Chart(data(pl.DataFrame({"at": [usual, most], "what": what})))
    lines = rules.mark_rule(color=RED, strokeDash=[4, 3], strokeWidth=1.5).encode(x="at:Q")
    texts = rules.mark_text(align="right", dx=-5, dy=6, baseline="top", color=RED).encode(
        x="at:Q", y=alt.value(0), text="what:N"
    )
    return lines, texts
