"""How a computation on real sockets went, as a table for people.

The fields of a report are called as the simulator's where they mean the same, but seconds are
real. What the root's process cannot know of is None, and left out of the table.
"""

from __future__ import annotations

from typing import Any

import attrs

from core.messages import Failure
from plugins.console import summary
from plugins.console.summary import BLANK, Row
from plugins.console.telling import Lost, aligned, counted, duration


@attrs.frozen
class Report:
    """How a computation went. Seconds count from when the root was opened; sizes in bytes."""

    result: Any
    failure: Failure | None
    nodes: int  # that were started for it, or else that came
    processes: int  # in which these were
    partitions: int
    fanout: int
    levels: int
    arrived: int  # nodes that have come
    left: int | None  # nodes that were there and were not at the end
    lost_processes: int | None  # that ended, or were cut off, before the end
    accepted: int  # partitions, as far as the root's process knows
    finished_seconds: float | None
    messages: int  # frames that the root's process sent and received
    root_messages: int  # that changed the root session
    bytes_sent: int  # by the root's process
    connections_max: int  # of the root's process, at any time
    seed: int
    wall_seconds: float  # with starting the processes and ending them
    peak_rss_bytes: int  # of the root's process
    resumed: bool = False  # from a store
    sessions: int | None = None
    control_nodes: int | None = None
    computation_nodes: int | None = None
    formed_seconds: float | None = None
    repeated: int | None = None  # partitions given out again after they had been accepted
    divergences: int = 0  # replicas that differed, and were repaired
    digest: str | None = None  # of the root session's model
    lost: Lost | None = None  # partitions that failed for good, where the others were to go on


def with_cause(report: Report) -> Report:
    return summary.with_cause(report, _missing)


def _missing(report: Report) -> str:
    done = summary.done(report)
    if report.left is not None and report.left < report.arrived:
        return f"ended before the result was there: {done}"
    if not report.arrived:
        return f"no node has come: {done}; see what the processes of the nodes say"
    lost = f", {counted(report.lost_processes, 'process')} lost" if report.lost_processes else ""
    return f"all {report.arrived:,} nodes have left{lost}: {done}; see what their processes say"


def table(report: Report) -> str:
    """Aligned names and values, with thousands separated and units."""
    r = report
    since = ", since the root was opened again" if r.resumed else ""
    rows = [
        *summary.head(r),
        *_known("sessions", r.sessions),
        *_known("control nodes", r.control_nodes),
        *_known("computation nodes", r.computation_nodes),
        BLANK,
        ("nodes", _nodes(r)),
        ("processes", _processes(r)),
        *([("tree formed", f"after {r.formed_seconds:,.3f} s")] if r.formed_seconds else []),
        summary.finished(r, since),
        *summary.partitions(r),
        summary.messages(r),
        ("connections", f"at most {r.connections_max:,} at the root's process"),
        *summary.replicas(r),
        BLANK,
        ("wall time", f"{duration(r.wall_seconds)}, {_rate(r)}"),
        ("sent", f"{r.bytes_sent / 2**20:,.1f} MiB by the root's process"),
        ("peak memory", f"{r.peak_rss_bytes / 2**20:,.1f} MiB of the root's process"),
        *([("digest", r.digest)] if r.digest else []),
    ]
    return aligned(rows)


def _known(name: str, number: int | None) -> list[Row]:
    return [] if number is None else [(name, f"{number:,}")]


def _nodes(report: Report) -> str:
    left = "" if report.left is None else f", {report.left:,} left"
    return f"{report.arrived:,} of {report.nodes:,} arrived{left}"


def _processes(report: Report) -> str:
    lost = f", of which {report.lost_processes:,} lost" if report.lost_processes else ""
    return f"{report.processes:,}{lost}"


def _rate(report: Report) -> str:
    seconds = report.finished_seconds or report.wall_seconds
    return f"{report.accepted / max(seconds, 1e-9):,.0f} partitions a second"
