"""A run in a few words and numbers, for the head of a page."""

from __future__ import annotations

from typing import Any

import polars as pl

from plugins.tracing import measures
from plugins.tracing.reading import Trace

LEGEND_PIXELS = 215
TRANSPORTS = {"simulator": "simulated", "tcp": "on real sockets"}


def title(trace: Trace) -> str:
    """`1,000,000 nodes, 1,000,000 partitions`."""
    run = trace.run
    return f"{_count(run.nodes, 'node')}, {_count(run.partitions, 'partition')}"


def run(trace: Trace) -> str:
    """What was run, in a line."""
    run = trace.run
    options = [f"{name.replace('_', ' ')} {value}" for name, value in run.options.items()]
    parts = [run.job, TRANSPORTS.get(run.transport, run.transport), f"seed {run.seed}", *options]
    if run.sample > 1:
        parts.append(f"what happened to control nodes and every {run.sample}th of the others")
    if run.summary is None:
        parts.append(f"broken off: all that is known up to {trace.end:,.2f} s")
    return " · ".join(parts)


def facts(trace: Trace) -> dict[str, str]:
    """The numbers to begin with: of its events, or of the run's own summary where these are not
    all there."""
    told: dict[str, Any] = measures.totals(trace)
    if trace.run.sample > 1 and trace.run.summary is not None:
        told |= {name: trace.run.summary.get(name, value) for name, value in told.items()}
    run, finished = trace.run, told["finished_seconds"]
    return {
        "levels": f"{run.levels}",
        "fanout": f"{run.fanout:,}",
        "sessions": f"{told['sessions']:,}",
        "all seated after": f"{_seated(trace):,.2f} s",
        "finished after": "never" if finished is None else f"{finished:,.2f} s",
        "accepted": f"{told['accepted']:,}",
        "messages": f"{told['messages']:,}",
        "connections at most": f"{told['connections_max']:,}",
    }


def told(trace: Trace) -> list[str]:
    """How it went: from the root down, and from the leaves up again."""
    levels = range(trace.run.levels)
    lines = [line for level in levels if (line := _opened(trace, level))]
    accepted = trace.partitions()["accepted"].drop_nulls().sort()
    if len(accepted):
        lines.append(
            f"The first output was accepted after {accepted[0]:,.2f} s, the last of "
            f"{len(accepted):,} after {accepted[-1]:,.2f} s."
        )
    if again := int(trace.sessions()["recovered"].sum()):
        lines.append(
            f"{_count(again, 'time')} a session was opened anew, after it had lost its leader or "
            "its host."
        )
    return [*lines, _ended(trace)]


def _opened(trace: Trace, level: int) -> str | None:
    of = trace.sessions().filter(pl.col("level") == level)
    if of.is_empty():
        return None
    opened: Any = of["opened"].max()
    full: Any = of["full"].max()
    name = "The root session was"
    if level:
        name = f"{'All' if len(of) > 1 else 'The'} {_count(len(of), 'session')} of level {level} "
        name += "were" if len(of) > 1 else "was"
    then = "not all of their places were ever taken"
    if not of["full"].null_count():
        then = f"all places were taken after {full:,.2f} s"
    return f"{name} open after {opened:,.2f} s; {then}."


def _ended(trace: Trace) -> str:
    if trace.run.summary is None:
        return "The run was broken off: nothing of its end is known."
    finished = trace.run.summary.get("finished_seconds")
    return (
        "There was no result."
        if finished is None
        else f"The result was there after {finished:,.2f} s."
    )


def has(picture: str, trace: Trace) -> bool:
    """Whether there is anything to be seen."""
    return picture != "recovery" or measures.troubled(trace) != (0.0, 0.0)


def _seated(trace: Trace) -> float:
    latest: Any = trace.of("joined").unique("node", keep="first", maintain_order=True)["time"].max()
    return float(latest or 0.0)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
