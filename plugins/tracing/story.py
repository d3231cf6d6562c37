"""A run in a few words and numbers, for the head of a page."""

from __future__ import annotations

from typing import Any

import polars as pl

from plugins.tracing import measures
from plugins.tracing.reading import Trace

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
        parts.append(f"what happened to one in {run.sample} nodes, and to those that led")
    if run.summary is None:
        parts.append(f"broken off: all that is known up to {trace.end:,.2f} s")
    return " · ".join(parts)


def facts(trace: Trace) -> dict[str, str]:
    """The numbers to begin with: of its events, or of the run's own summary where these are not
    all there."""
    told: dict[str, Any] = measures.totals(trace)
    if trace.run.sample > 1:
        known = trace.run.summary or {}
        told |= {name: known.get(name) for name in ("accepted", "finished_seconds")}
    run, finished = trace.run, told["finished_seconds"]
    failed = (run.summary or {}).get("failure") is not None
    return {
        "levels": f"{run.levels}",
        "fanout": f"{run.fanout:,}",
        "sessions": f"{told['sessions']:,}",
        "last seat taken after": f"{_seated(trace):,.2f} s",
        "failed after" if failed else "finished after": (
            "never" if finished is None else f"{finished:,.2f} s"
        ),
        "accepted": "not known" if told["accepted"] is None else f"{told['accepted']:,}",
        "messages": f"{told['messages']:,}",
        "connections at most": f"{told['connections_max']:,}",
    }


def told(trace: Trace) -> list[str]:
    """How it went: from the root down, and from the leaves up again."""
    levels = range(trace.run.levels)
    lines = [line for level in levels if (line := _opened(trace, level))]
    accepted = trace.partitions()["accepted"].drop_nulls().sort()
    known = f" of {len(accepted):,}" if trace.run.sample == 1 else ""
    if len(accepted):
        lines.append(
            f"The first output was accepted after {accepted[0]:,.2f} s, the last{known} after "
            f"{accepted[-1]:,.2f} s."
        )
    if trace.run.sample == 1 and (left := _never_seated(trace)):
        lines.append(f"{_count(left, 'node')} came and never had a place: there was none left.")
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
    if trace.run.sample > 1 and level == trace.run.levels - 1:  # of its places only some are known
        return f"{name} open after {opened:,.2f} s."
    then = "not all of their places were ever taken"
    if trace.run.summary is None:
        then = "not yet all of their places were taken"
    if not of["full"].null_count():
        then = f"all places were taken after {full:,.2f} s"
    return f"{name} open after {opened:,.2f} s; {then}."


def _ended(trace: Trace) -> str:
    summary = trace.run.summary
    if summary is None:
        return "The run was broken off: nothing of its end is known."
    failure, finished = summary.get("failure"), summary.get("finished_seconds")
    if failure is not None:
        when = "" if finished is None else f" after {finished:,.2f} s"
        return f"It failed{when}: {_reason(failure)}"
    return (
        "There was no result."
        if finished is None
        else f"The result was there after {finished:,.2f} s."
    )


def _reason(failure: Any) -> str:
    """The last line of what a job raised."""
    error = failure.get("error", failure) if isinstance(failure, dict) else failure
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else "nobody said why"


def has(picture: str, trace: Trace) -> bool:
    """Whether there is anything to be seen."""
    return picture != "recovery" or measures.troubled(trace) != (0.0, 0.0)


def _never_seated(trace: Trace) -> int:
    arrived, joined = trace.of("arrived")["node"].unique(), trace.of("joined")["node"].unique()
    return len(arrived) - len(joined)


def _seated(trace: Trace) -> float:
    latest: Any = trace.of("joined").unique("node", keep="first", maintain_order=True)["time"].max()
    return float(latest or 0.0)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
