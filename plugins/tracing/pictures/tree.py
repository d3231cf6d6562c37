"""The tree: how it forms, works, breaks and is mended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl
from altair.typing import ChartType

from plugins.tracing import measures
from plugins.tracing.pictures.style import RED, SHORT, WIDTH, data, tip, title
from plugins.tracing.reading import Trace

NEVER = 1e12  # seconds: later than any
MOMENT = "moment"  # seconds, a parameter of the charts that have a slider
MOMENTS = 240  # of a slider
DENSE = 150  # sessions of a row: above it there are no lines between them
LEAST_SHARE = 500  # of the width: what is drawn is no narrower, or it would look pale
ROW_PIXELS = 56
LOST = "leader lost"
PHASES = {  # what a session is in after so many milestones, and its colour
    "not open": "#EEF0F2",
    "open": "#EDF8C9",
    "1/4 of its places taken": "#C7E9B4",
    "1/2 taken": "#7FCDBB",
    "3/4 taken": "#41B6C4",
    "all places taken": "#1D91C0",
    "first output there": "#225EA8",
    "1/2 of the outputs there": "#253494",
    "complete": "#0B1440",
    LOST: RED,
}
MILESTONES = (
    "opened", "given_quarter", "given_half", "given_three_quarters", "given_all",
    "done_first", "done_half", "done_all",
)  # fmt: skip
PHASE_SCALE = alt.Scale(domain=list(PHASES), range=list(PHASES.values()))
LINES = alt.condition("datum.dense", alt.value(0), alt.value(0.5))
TOLD = [
    alt.Tooltip("what:N", title="what"),
    tip("first", "first partition"),
    tip("partitions", "partitions"),
    alt.Tooltip("phase:N", title="now"),
    tip("leader", "node", "d"),
    tip("opened", "open after s", ",.3f"),
    tip("given_all", "all places taken after s", ",.3f"),
    tip("done_all", "complete after s", ",.3f"),
]


def tree(
    trace: Trace, at: float | str | None = None, width: int = WIDTH, name: str = "tree"
) -> ChartType:
    """The tree as it stood after `at` seconds, or (None) with a slider over the moments at which
    something changes. `at` may be the name of a parameter of a chart that this one is part of,
    in which each tree needs a `name` of its own.

    A row a level, the root on top; a session stands over the partitions that lie under it, and its
    colour tells how many of its places are taken and done. Scroll to zoom, drag to move; the
    tooltip tells about one session.
    """
    rows = _rows(trace)
    names = _row_names(rows)
    moment = MOMENT if at is None else at
    zoom = alt.selection_interval(name=f"{name}_zoom", bind="scales", encodings=["x"])
    told = "each level a row, each session as wide as what lies under it; scroll to zoom"
    text: Any = alt.expr(f"'The tree after ' + format({moment}, ',.2f') + ' s'")
    params = [zoom, *(slider([trace]) if at is None else [])]
    chart = _rectangles(rows, names, moment, trace.run.partitions).properties(
        name=f"{name}_view",  # else two that look the same are called the same
        width=width,
        height=ROW_PIXELS * len(names),
        title=title(text, told),
    )
    return chart.add_params(*params)


def _rectangles(
    rows: pl.DataFrame, names: list[str], moment: float | str, partitions: int
) -> alt.Chart:
    """The sessions and partitions themselves, each in the row of its name."""
    x = alt.X(
        "first:Q",
        title="partition",
        scale=alt.Scale(domain=[0, partitions], nice=False),
        axis=alt.Axis(labelExpr=SHORT, grid=False, tickCount=10),
    )
    y = alt.Y("row:O", title=None, sort=names, scale=alt.Scale(paddingInner=0.05))
    base = alt.Chart(data(_columns(rows))).transform_calculate(phase=_phase(moment))
    chart: alt.Chart = base.mark_rect(stroke="white", clip=True).encode(
        x=x, x2="last:Q", y=y, color=_phase_colour(), strokeWidth=LINES, tooltip=TOLD
    )
    return chart


def moments(trace: Trace, count: int) -> list[float]:
    """About so many telling moments, from 0 to the end: half of them where most changes in the
    tree, half evenly in time."""
    changes = [0.0, trace.end]
    sessions = trace.sessions()
    for level in range(trace.run.levels):  # each counts alike, or only the last would
        of = sessions.filter(pl.col("level") == level).select("opened", "full", "completed")
        known = pl.concat(of.get_columns()).drop_nulls().sort()
        share = max(1, count // (2 * trace.run.levels))
        changes += [known[round(i * (len(known) - 1) / share)] for i in range(share) if len(known)]
    left = max(0, count - len(set(changes)))
    changes += [trace.end * (i + 1) / (left + 1) for i in range(left)]
    return sorted({round(moment, 3) for moment in changes})


def telling(trace: Trace) -> list[float]:
    """Eight moments, or a few less, that tell how it went: when half the sessions of each level
    were open, when places were taken and outputs there, when half of each level was complete."""
    sessions, parts = trace.sessions(), trace.partitions()
    levels = [sessions.filter(pl.col("level") == level) for level in range(trace.run.levels)]
    inner = levels[1:3] or levels[:1]  # of a deep tree, those near to the root
    found = [level["opened"].median() for level in inner]
    found += [parts["assigned"].quantile(share) for share in (0.5, 1.0)]
    found += [parts["accepted"].quantile(0.5)]
    found += [level["completed"].median() for level in reversed(inner)]
    known: list[Any] = [moment for moment in found if moment is not None]
    return sorted({round(moment, 3) for moment in (*known, trace.end)})


def slider(traces: Sequence[Trace]) -> list[Any]:
    """The parameters by which a tree's moment is chosen."""
    shown = sorted({moment for trace in traces for moment in moments(trace, MOMENTS)})
    times = traces[0].partitions()["assigned"].drop_nulls()
    telling: Any = times.quantile(0.3) if len(times) else 0.0
    begin = max(0, sum(moment <= telling for moment in shown) - 1)
    binding = alt.binding_range(
        min=0, max=len(shown) - 1, step=1, name="from the start to the end "
    )
    return [
        alt.param("at", value=begin, bind=binding),
        alt.param(MOMENT, expr=f"{shown}[at]"),
    ]


def rings(trace: Trace, at: Sequence[float], size: int = 200, columns: int = 4) -> ChartType:
    """The tree at some moments, as rings: the root inside, each session as wide as what lies
    under it."""
    rows = _rows(trace)
    if trace.run.partitions > measures.PLACES_MAX:
        rows = rows.filter(pl.col("session").is_not_null())  # partitions have no ring of their own
    base = _arcs(_row_names(rows), size / 2, trace.run.partitions)
    charts = []
    for moment in at:
        heading = alt.Title(f"after {moment:.3g} s", fontSize=13, anchor="middle")
        drawn = base.transform_calculate(phase=_phase(moment))
        charts.append(drawn.properties(width=size, height=size, title=heading))
    lines = [
        alt.hconcat(*charts[i : i + columns], spacing=24) for i in range(0, len(charts), columns)
    ]
    return alt.vconcat(*lines, data=data(_columns(rows)))


def _arcs(names: list[str], radius: float, partitions: int) -> alt.Chart:
    """Those of any data: the rows of these names from the inside out."""
    scale = alt.Scale(domain=[0, partitions], range=[0, 2 * math.pi])
    ring = f"indexof({names}, datum.row)"
    base = alt.Chart().transform_calculate(
        r=f"{radius} * (0.15 + 0.85 * {ring} / {len(names)})",
        s=f"{radius} * (0.15 + 0.85 * ({ring} + 0.94) / {len(names)})",
    )
    chart: alt.Chart = base.mark_arc(stroke="white").encode(
        theta=alt.Theta("first:Q", scale=scale),
        theta2="last:Q",
        radius=alt.Radius("r:Q", scale=None),
        radius2="s:Q",
        color=_phase_colour(),
        strokeWidth=LINES,
    )
    return chart


def _phase_colour() -> alt.Color:
    legend = alt.Legend(
        orient="bottom",
        columns=5,
        symbolType="square",
        symbolStrokeColor="#9CA3AF",
        symbolStrokeWidth=0.5,
    )
    return alt.Color("phase:N", title=None, scale=PHASE_SCALE, legend=legend)


def _phase(moment: str | float) -> str:
    """A Vega expression for the phase that a row is in at `moment`: seconds, or a parameter."""

    def over(name: str) -> str:
        return f"((datum.{name} == null ? {NEVER} : datum.{name}) <= {moment})"

    reached = " + ".join(over(name) for name in MILESTONES)
    names = [name for name in PHASES if name != LOST]
    lost = f"{over('broken')} && !{over('mended')} && !{over('done_all')}"
    return f"{lost} ? '{LOST}' : {names}[{reached}]"


def _rows(trace: Trace) -> pl.DataFrame:
    """A row for each rectangle, with the name of its row."""
    rows = measures.milestones(trace)
    session, leaves = pl.col("session"), trace.run.levels - 1
    together: Any = rows["partitions"][-1] if rows["session"][-1] is None else 1
    drawn: Any = rows["level"].filter(rows["session"].is_not_null()).max()
    if trace.run.partitions > measures.PLACES_MAX and drawn == leaves:
        rows = rows.filter(session.is_not_null())  # they would show what the leaf sessions show
    bottom = "partitions"
    if trace.run.partitions > measures.PLACES_MAX:
        together = -(-trace.run.partitions // measures.PLACES_MAX)
        bottom = f"{together:,} partitions each"
    name = (
        pl.when(session.is_null()).then(pl.lit(bottom))
        .when(pl.col("level") == 0).then(pl.lit("root session"))
        .when(pl.col("level") == leaves).then(pl.lit("leaf sessions"))
        .otherwise(pl.format("level {}", "level"))
    )  # fmt: skip
    one, least = pl.col("partitions") == 1, trace.run.partitions / LEAST_SHARE
    place = pl.when(one).then(pl.lit("partition")).otherwise(pl.lit("partitions"))
    return rows.with_columns(
        row=name,
        dense=(pl.len().over("level") > DENSE).cast(pl.Int8),
        what=pl.when(session.is_null()).then(place).otherwise(pl.format("session {}", "session")),
        last=pl.col("first") + pl.max_horizontal("partitions", pl.lit(least)),
    )


def _columns(rows: pl.DataFrame) -> pl.DataFrame:
    """What a picture needs of them: there may be thousands."""
    return rows.select(
        "what", "row", "dense", "first", "last", "partitions", "leader",
        *MILESTONES, "broken", "mended",
    )  # fmt: skip


def _row_names(rows: pl.DataFrame) -> list[str]:
    return rows.sort("level")["row"].unique(maintain_order=True).to_list()
