"""A run of `python -m sim --jobs FILE`: a fleet, its jobs, and the last word."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

import attrs
import msgspec

from plugins.console import streams, telling
from plugins.console.ending import Ended
from plugins.console.exits import Exit
from plugins.console.progress import Progress, progress
from plugins.console.progress import line as progress_line
from plugins.console.telling import aligned, counted, duration, failure_line, short
from plugins.jobs.values import plain as plain_value
from sim.command.options import PROGRAM, Options
from sim.fleet import alone
from sim.fleet.fleet import Fleet
from sim.fleet.job import Job, State
from sim.fleet.report import FleetReport, JobRow, plain

COLUMNS = (
    "job", "name", "state", "priority", "waited", "seconds", "partitions", "right", "result",
)  # fmt: skip
SHORT = 60  # characters of a result in a table
NOT_OVER = (State.PLANNED, State.QUEUED, State.RUNNING)
NOT_RIGHT = "its result is not that of the job run by one"


def built(wanted: Options) -> Fleet:
    """With its jobs. Raises ValueError with one line for what only shows now."""
    assert wanted.jobs is not None
    with redirect_stdout(sys.stderr):  # what a job prints is no answer
        fleet = Fleet(**wanted.world)
        for entry in wanted.jobs:
            try:
                job = fleet.submit(
                    at=entry.at, priority=entry.priority, name=entry.name, **entry.options
                )
            except ValueError as error:
                raise ValueError(f"{entry.where}: {error}") from None
            if entry.cancel is not None:
                job.cancel(at=entry.cancel)
    return fleet


def run(fleet: Fleet, wanted: Options) -> int:
    """Run it, and tell how it went. Returns the exit code."""
    try:
        report = _run(fleet, wanted)
    except KeyboardInterrupt:
        over = sum(job.over for job in fleet.jobs)
        jobs = f"{over:,} of {counted(len(fleet.jobs), 'job')} were over"
        line = f"interrupted at {fleet.now:,.3f} simulated seconds: {jobs}"
        raise Ended(Exit.INTERRUPTED, line) from None
    code = streams.answer(PROGRAM, as_json(report) if wanted.json else table(report))
    code = code or _complain(report)
    if fleet.trace_error is None:
        return code
    raise Ended(Exit.FAILED, fleet.trace_error)


def _run(fleet: Fleet, wanted: Options) -> FleetReport:
    stream = None if wanted.json else sys.stderr
    with redirect_stdout(sys.stderr), progress(stream) as live:
        if live.on_terminal:
            fleet.clock.after_tick.insert(0, lambda: _show(fleet, live))
        report = fleet.run()
        rows = [
            attrs.evolve(row, right=_is_right(job))
            for job, row in zip(fleet.jobs, report.jobs, strict=True)
        ]
    return attrs.evolve(report, jobs=rows)


def _show(fleet: Fleet, live: Progress) -> None:
    def line() -> str:
        over, running = sum(job.over for job in fleet.jobs), len(fleet.queue.running())
        parts = [f"at {fleet.now:.1f} s", f"{over:,} jobs over", f"{running} running"]
        return progress_line(over / len(fleet.jobs), parts, None)

    live.show(line)


def _is_right(job: Job) -> bool | None:
    """Whether the result is what one alone comes to; None where there is nothing to compare."""
    if job.state is not State.DONE or job.lost is not None or job.shape is None:
        return None
    try:
        wanted = alone.result(job.plan.loaded, job.shape, job.plan.input)
    except Exception:  # noqa: BLE001 - a job may fail for one, at times
        return None
    return bool(wanted == plain_value(job.result))


# -- what is told --------------------------------------------------------------------------


def table(report: FleetReport) -> str:
    """A row a job, and what there is to say of all."""
    r = report
    rows = [
        ("nodes", f"{r.arrived:,} of {r.nodes:,} arrived, {r.left:,} left{_crashes(r)}"),
        ("over", f"after {r.seconds:,.3f} s simulated"),
        ("messages", f"{r.messages:,}"),
        ("connections", f"at most {r.connections_max:,} at any node for one job"),
    ]
    if r.faults or r.faults_left:
        text = f"{r.faults:,} happened, {len(r.faults_in_vain):,} of which concerned nobody"
        rows.append(("faults", text + (f"; {r.faults_left:,} were to come" * bool(r.faults_left))))
    rows += [
        ("wall time", duration(r.wall_seconds)),
        ("peak memory", f"{r.peak_rss_bytes / 2**20:,.1f} MiB"),
        ("code", "compiled" if r.compiled else "interpreted"),
        ("seed", f"{r.seed}"),
        ("digest", r.digest),
    ]
    return f"{_jobs(r.jobs)}\n\n{aligned(rows)}"


def _crashes(report: FleetReport) -> str:
    return f", {counted(report.crashed, 'crash')}" if report.crashed else ""


def _jobs(rows: list[JobRow]) -> str:
    cells = [COLUMNS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def _cells(row: JobRow) -> tuple[str, ...]:
    waited = "-" if row.waited is None else f"{row.waited:,.3f} s"
    seconds = "-" if row.seconds is None else f"{row.seconds:,.3f} s"
    partitions = "-" if row.partitions is None else f"{row.partitions:,}"
    right = {None: "-", True: "yes", False: "NO"}[row.right]
    result = "-"
    if row.failure is not None:
        result = failure_line(row.failure)
    elif row.state is State.DONE:
        result = short(row.result)
    number = "-" if row.number is None else str(row.number)
    cells = number, f"{row.name:.40}", row.state.value, str(row.priority), waited, seconds
    return *cells, partitions, right, f"{result:.{SHORT}}"


def as_json(report: FleetReport) -> str:
    """One object with every field of the report."""
    fields = plain(report)
    try:
        return msgspec.json.encode(fields).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        jobs = [{**job, "result": telling.encodable(job["result"])} for job in fields["jobs"]]
        return msgspec.json.encode({**fields, "jobs": jobs}).decode()


def _complain(report: FleetReport) -> int:
    """Say what went wrong, a line each. Returns the exit code."""
    code = Exit.FINISHED
    for row in report.jobs:
        who = f"job {'-' if row.number is None else row.number} ({row.name:.40})"
        if row.failure is not None or row.right is False:
            why = NOT_RIGHT if row.failure is None else failure_line(row.failure)
            streams.complain(PROGRAM, f"{who}: {why}")
            code = Exit.FAILED
        elif row.lost is not None:
            streams.complain(PROGRAM, f"{who}: {row.lost.line(row.partitions or 0)}")
            code = code or Exit.INCOMPLETE
    left = [row.state.value for row in report.jobs if row.state in NOT_OVER]
    if left:
        states = [f"{left.count(state)} {state}" for state in dict.fromkeys(left)]
        why = f"jobs are not over, {' and '.join(states)}, and nothing more can happen"
        streams.complain(PROGRAM, f"{why}: let there be nodes that stay, and a root")
        code = Exit.FAILED
    return code
