"""What was late, what was lost, and how it was made good."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl
from altair.typing import ChartType

from plugins.tracing import measures
from plugins.tracing.pictures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    SKY,
    WIDTH,
    amount,
    colours,
    data,
    magnitude,
    rounded_up,
    seconds,
    stacked,
    tip,
    title,
    with_faults,
)
from plugins.tracing.reading import Trace

ROWS_MAX = 40  # late partitions that are shown one by one
FAULTS_MAX = 15  # the same
HELPED, FIRST = "the helper was first", "the first worker was first"


def stragglers(trace: Trace, width: int = WIDTH) -> ChartType:
    """How long partitions took from being given to being accepted; those that somebody doubled
    up on, the longest of them one by one."""
    took = measures.took(trace)
    bars = (
        alt.Chart(data(took))
        .mark_bar()
        .encode(
            x=alt.X(
                "low:Q",
                bin="binned",
                title="seconds from given to accepted",
                scale=alt.Scale(domainMin=0, nice=False),
            ),
            x2="high:Q",
            y=amount("partitions", "partitions").stack("zero"),
            color=colours("which", {"computed once": SKY, "doubled": ORANGE}),
            tooltip=["which:N", tip("partitions", "partitions"), tip("low", "from s", ",.2f")],
        )
        .properties(width=width, height=150, title=title("How long partitions took"))
    )
    doubled = measures.doubled(trace)
    charts: list[Any] = [bars] if doubled.is_empty() else [bars, _doubled(doubled, width)]
    return stacked(charts)


def _doubled(doubled: pl.DataFrame, width: int) -> ChartType:
    end = pl.max_horizontal("accepted", "finished")
    longest = doubled.sort(end - pl.col("assigned"), descending=True, nulls_last=True)
    winner = pl.when(pl.col("by") == pl.col("helper")).then(pl.lit(HELPED)).otherwise(pl.lit(FIRST))
    rows = longest.head(ROWS_MAX).with_columns(winner=winner, end=end)
    shown = f"the {len(rows)} longest of {len(doubled):,}" if len(doubled) > len(rows) else "all"
    saved = doubled["saved"].sum()
    text = "Doubled up on" + (f": {saved:,.1f} s of waiting saved in all" if saved else "")
    told = f"{shown}: the first worker's time in grey, the helper's in orange"
    return alt.layer(*_two_times(rows)).properties(
        width=width, height=max(60, 7 * len(rows)), title=title(text, told)
    )


def _two_times(rows: pl.DataFrame) -> list[alt.Chart]:
    """Of each partition the first worker's time, the helper's, and who was first."""
    told: list[Any] = ["partition:N", "winner:N"]
    told += [tip(of, of, ",.2f") for of in ("assigned", "doubled", "accepted", "finished", "saved")]
    unnamed = alt.Axis(labels=False, ticks=False)
    y = alt.Y("partition:N", title="partition", sort=None, axis=unnamed)
    base = alt.Chart(data(rows)).encode(y=y, tooltip=told)
    own = base.mark_rule(color=GREY, strokeWidth=3).encode(
        x=alt.X("assigned:Q", title="seconds"), x2="end:Q"
    )
    helper = base.mark_rule(color=ORANGE, strokeWidth=3).encode(x="doubled:Q", x2="accepted:Q")
    done = base.mark_point(filled=True, size=55, opacity=1).encode(
        x="accepted:Q", color=colours("winner", {HELPED: ORANGE, FIRST: GREY})
    )
    return [own, helper, done]


def recovery(trace: Trace, width: int = WIDTH) -> ChartType:
    """What happened around the faults: places left, and taken again; sessions opened anew."""
    faults = measures.faults(trace)
    begin, end = measures.troubled(trace)
    calm = begin == end == 0
    end = trace.end if calm else end
    kinds = {"places left": RED, "places taken": BLUE, "sessions opened anew": GREEN}
    step = rounded_up(max(end - begin, 1e-3) / 150)
    lines = (
        alt.Chart(data(measures.recovery(trace, begin, end, step)))
        .mark_line(strokeWidth=1.5, interpolate="step")
        .encode(
            x=seconds("time", begin, end),
            y=magnitude("count", f"in each {step:g} s"),
            color=colours("what", kinds),
            tooltip=["what:N", tip("time", "seconds", ",.2f"), tip("count", "how many")],
        )
        .properties(width=width, height=200)
    )
    text = "Nothing was lost" if calm else "Recovery"
    told = "places that were left and taken, sessions that were opened anew"
    charts: list[Any] = [with_faults(trace, lines).properties(title=title(text, told))]
    if not faults.is_empty():
        charts.append(_fault_lines(faults, begin, end, width))
    return stacked(charts)


def _fault_lines(faults: pl.DataFrame, begin: float, end: float, width: int) -> ChartType:
    """From each fault to the last session that was opened anew before the next one."""
    cost = pl.col("left") + pl.col("recovered")
    rows = faults.sort(cost, descending=True, maintain_order=True).head(FAULTS_MAX).sort("time")
    after = (pl.col("recovered_at") - pl.col("time")).round(2)
    anew = pl.format(", sessions opened anew {}, the last after {} s", "recovered", after)
    words = pl.format("{}: places left {}", pl.col("what").str.slice(0, 60), "left")
    rows = rows.with_columns(
        row=pl.int_range(pl.len()).cast(pl.String),
        end=pl.coalesce("recovered_at", "time"),
        text=words + pl.when(pl.col("recovered") > 0).then(anew).otherwise(pl.lit("")),
    )
    base = alt.Chart(data(rows)).encode(y=alt.Y("row:N", sort=None, title=None, axis=None))
    x = seconds("time", begin, end)
    line = base.mark_bar(color=RED, height=6, yOffset=5).encode(x=x, x2="end:Q")
    point = base.mark_point(filled=True, color=RED, size=40, opacity=1, yOffset=5).encode(x=x)
    said = base.mark_text(align="left", dx=4, dy=-7, fontSize=11, limit=width).encode(
        x=alt.value(0), text="text:N"
    )
    more = f" ({FAULTS_MAX} of {len(faults):,})" * (len(faults) > FAULTS_MAX)
    told = "and until when, before the next one, sessions were opened anew"
    return alt.layer(line, point, said).properties(
        width=width, height=30 * len(rows), title=title(f"Faults{more}", told)
    )
