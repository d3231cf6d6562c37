"""How a run went, as a table for people."""

from __future__ import annotations

from plugins.console import summary
from plugins.console.summary import BLANK, Row
from plugins.console.telling import aligned, counted, duration
from sim.record import Report


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
        ("nodes", _nodes(r)),
        ("tree formed", f"after {r.formed_seconds:,.3f} s simulated"),
        summary.finished(r, " simulated"),
        *summary.partitions(r),
        summary.messages(r),
        ("connections", f"at most {r.connections_max:,} at any node"),
        *_faults(r),
        *summary.replicas(r),
        BLANK,
        ("wall time", f"{duration(r.wall_seconds)}, {_rate(r)}"),
        ("peak memory", f"{r.peak_rss_bytes / 2**20:,.1f} MiB"),
        ("code", "compiled" if r.compiled else "interpreted"),
        ("seed", f"{r.seed}"),
        ("digest", r.digest),
    ]
    return aligned(rows)


def _faults(report: Report) -> list[Row]:
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


def _nodes(report: Report) -> str:
    text = f"{report.arrived:,} of {report.nodes:,} arrived, {report.left:,} left"
    return f"{text}, {counted(report.crashed, 'crash')}" if report.crashed else text


def _rate(report: Report) -> str:
    return f"{report.messages / max(report.wall_seconds, 1e-9):,.0f} messages a second"
