"""How a run went, as a table for people."""

from __future__ import annotations

from plugins.console import summary
from plugins.console.summary import BLANK, Row
from plugins.console.telling import aligned, counted, duration
from sim.idle import IdleReport
from sim.record import Report

Either = Report | IdleReport  # of a world with a job, or without


def with_cause(report: Report) -> Report:
    return summary.with_cause(report, _missing)


def _missing(report: Report) -> str:
    done = summary.done(report)
    if report.accepted == report.partitions:
        done += ", but not all outputs combined"
    if not report.root_messages:  # nobody has the root
        return (
            f"the submitter crashed and was not restarted: {done}; "
            "restart it, as in 'at 30 restart node 0 with memory'"
        )
    if report.crashed:
        gone = f"of {report.nodes:,} nodes {report.left:,} left, and there were "
        crashes = counted(report.crashed, "crash")
        return f"nothing more can happen: {done}, {gone}{crashes}; restart who crashed"
    if report.left < report.nodes:
        staying = report.nodes - report.left
        return f"nothing more can happen: {done}, {staying:,} of {report.nodes:,} nodes are there"
    return (
        f"all {report.nodes:,} nodes have left: {done}; "
        "let nodes live longer (--lifetime) or let there be more of them (--nodes)"
    )


# -- for people ----------------------------------------------------------------------------


def table(report: Report) -> str:
    """Aligned names and values, with thousands separated and units."""
    r = report
    rows = [
        *summary.head(r),
        ("sessions", f"{r.sessions:,}"),
        ("control nodes", f"{r.control_nodes:,}"),
        ("computation nodes", f"{r.computation_nodes:,}"),
        BLANK,
        ("nodes", nodes(r)),
        ("tree formed", f"after {r.formed_seconds:,.3f} s simulated"),
        summary.finished(r, " simulated"),
        *summary.partitions(r),
        summary.messages(r),
        ("connections", f"at most {r.connections_max:,} at any node"),
        *faults(r),
        *summary.replicas(r),
        BLANK,
        ("wall time", f"{duration(r.wall_seconds)}, {rate(r)}"),
        *machine(r),
    ]
    return aligned(rows)


def machine(report: Either) -> list[Row]:
    """What it took, and what tells that it was the same run."""
    return [
        ("peak memory", f"{report.peak_rss_bytes / 2**20:,.1f} MiB"),
        ("code", "compiled" if report.compiled else "interpreted"),
        ("seed", f"{report.seed}"),
        ("digest", report.digest),
    ]


def faults(report: Either) -> list[Row]:
    """What there is to say only where something went wrong, or was to."""
    vain = report.faults_in_vain
    if not (report.faults or report.faults_left):
        return []
    text = f"{report.faults:,} happened"
    if vain:
        text += f", {len(vain):,} of which concerned nobody: {', '.join(vain[:3])}"
        text += ", ..." * (len(vain) > 3)
    if report.faults_left:
        text += f"; {report.faults_left:,} were to come after the end"
    return [("faults", text)]


def nodes(report: Either) -> str:
    """Who came and went."""
    text = f"{report.arrived:,} of {report.nodes:,} arrived, {report.left:,} left"
    return f"{text}, {counted(report.crashed, 'crash')}" if report.crashed else text


def rate(report: Either) -> str:
    """How fast it was simulated."""
    return f"{report.messages / max(report.wall_seconds, 1e-9):,.0f} messages a second"
