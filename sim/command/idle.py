"""How nodes are at home, as a table for people and as JSON."""

from __future__ import annotations

import attrs
import msgspec

from plugins.console.summary import BLANK, Row
from plugins.console.telling import aligned, counted, duration
from sim.command import summary
from sim.idle import IdleReport


def as_json(report: IdleReport) -> str:
    """One object with every field of the report."""
    return msgspec.json.encode(attrs.asdict(report)).decode()


def table(report: IdleReport) -> str:
    """Aligned names and values, with thousands separated and units."""
    r = report
    levels = counted(r.levels, "level")
    rows: list[Row] = [
        ("at home", _at_home(r)),
        ("lobby", f"{levels}, {counted(r.sessions, 'session')} of at most {r.fanout:,} slots"),
        BLANK,
        ("nodes", summary.nodes(r)),
        ("listening", f"{r.listening:.0%} of them"),
        ("settled", f"after {r.settled_seconds:,.3f} s of {r.seconds:,.3f} s simulated"),
        ("connections", f"at most {r.connections_max:,} at any node"),
        ("root session", f"{r.root_ordered:,} messages in order, {r.root_arrivals:,} arrivals, "
                         f"{r.root_calls:,} counts"),
        ("messages", f"{r.messages:,}"),
        *summary.faults(r),
        BLANK,
        ("wall time", f"{duration(r.wall_seconds)}, {summary.rate(r)}"),
        *summary.machine(r),
    ]  # fmt: skip
    return aligned(rows)


def _at_home(report: IdleReport) -> str:
    text = counted(report.at_home, "node")
    if report.turned_away:
        text += f"; {report.turned_away:,} turned away"
    if report.without:
        text += f"; {report.without:,} on their way"
    return text
