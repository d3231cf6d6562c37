"""What all pictures have in common: colours, titles, data as text, marks of faults.

Colours are told apart by the colour-blind, and in print: shades of one scale for what comes one
after the other, Okabe and Ito's palette (https://jfly.uni-koeln.de/color/) for what stands side
by side.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl
from altair.typing import ChartType

from plugins.tracing import measures
from plugins.tracing.reading import Trace

WIDTH = 860  # pixels
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#6B7280",
)  # fmt: skip
FEW = 10  # faults
SHORT = "format(datum.value, '~s')"  # of a number: 250k


def data(table: pl.DataFrame) -> alt.InlineData:
    """A table for a chart, as text: a tenth of the size of what Altair makes of it, and at once."""
    parse: Any = {
        name: "number" if kind.is_numeric() else "string" for name, kind in table.schema.items()
    }
    return alt.InlineData(
        values=table.write_csv(float_precision=4),
        format=alt.CsvDataFormat(type="csv", parse=parse),
    )


def title(text: Any, subtitle: Any = "") -> alt.Title:
    """What is seen, and how to read it."""
    return alt.Title(
        text,
        subtitle=subtitle,
        anchor="start",
        fontSize=14,
        subtitleFontSize=12,
        subtitleColor=GREY,
        offset=10,
    )


def colours(field: str, chosen: dict[str, str]) -> alt.Color:
    """A colour for each of the names."""
    scale = alt.Scale(domain=list(chosen), range=list(chosen.values()))
    return alt.Color(f"{field}:N", title=None, scale=scale)


def seconds(field: str, begin: float, end: float) -> alt.X:
    """Time to the right."""
    scale = alt.Scale(domain=[begin, max(end, begin + 1e-3)], nice=False, clamp=True)
    return alt.X(f"{field}:Q", title="seconds", scale=scale)


def amount(field: str, what: str) -> alt.Y:
    """How many, upwards."""
    return alt.Y(f"{field}:Q", title=what, axis=alt.Axis(labelExpr=SHORT))


def magnitude(field: str, what: str) -> alt.Y:
    """How many, upwards: 0, and each power of ten as far from the next."""
    ticks: Any = [0, *(10**power for power in range(13))]
    scale = alt.Scale(type="symlog", constant=1)
    return alt.Y(
        f"{field}:Q", title=what, scale=scale, axis=alt.Axis(labelExpr=SHORT, values=ticks)
    )


def tip(field: str, name: str, form: str = ",d") -> alt.Tooltip:
    """A line of a tooltip."""
    return alt.Tooltip(f"{field}:Q", title=name, format=form)


def with_faults(trace: Trace, chart: Any) -> ChartType:
    """The chart, with a line at each moment at which something went wrong on purpose."""
    table = measures.faults(trace)
    if table.is_empty():
        return alt.layer(chart)
    marks = (
        alt.Chart(data(table))
        .mark_rule(
            color=GREY,
            strokeDash=[4, 3],
            strokeWidth=1.5 if len(table) <= FEW else 1,
            opacity=1 if len(table) <= FEW else 0.35,  # they must not hide the curves
        )
        .encode(
            x="time:Q",
            tooltip=[
                alt.Tooltip("what:N", title="fault"),
                tip("time", "seconds", ",.2f"),
                tip("nodes", "nodes concerned"),
            ],
        )
    )
    return alt.layer(marks, chart)


def stacked(charts: list[Any]) -> ChartType:
    """One below the other, each with its own colours."""
    chart: ChartType = alt.vconcat(*charts, spacing=18).resolve_scale(color="independent")
    return chart


def rounded_up(value: float) -> float:
    """To 1, 2 or 5 times a power of ten."""
    for power in range(-6, 12):
        for digit in (1, 2, 5):
            if digit * 10.0**power >= value * (1 - 1e-9):
                return round(digit * 10.0**power, 9)
    return value
