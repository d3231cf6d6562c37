"""How a run went: as a table for people, or as one JSON object."""

from __future__ import annotations

import json
import math
import reprlib
from typing import Any

import attrs
import msgspec

from core.messages import Failure
from sim.world import Report

SHORT = 240  # characters of a value in a table
NAMES_WIDTH = 18


def with_cause(report: Report) -> Report:
    """The report, with what was missing as its failure where the run could not finish."""
    if report.failure or report.finished_seconds is not None:
        return report
    return attrs.evolve(report, failure=Failure("0", None, _missing(report)))


def _missing(report: Report) -> str:
    done = f"{report.accepted:,} of {report.partitions:,} partitions were accepted"
    if report.accepted == report.partitions:
        done += ", but not all outputs combined"
    if not report.root_messages:  # nobody has the root
        return (
            f"the submitter crashed and was not restarted: {done}; "
            "restart it, as in 'at 30 restart node 0 with memory'"
        )
    if report.crashed:
        gone = f"of {report.nodes:,} nodes {report.left:,} left, and there were "
        crashes = _count(report.crashed, "crash")
        return f"nothing more can happen: {done}, {gone}{crashes}; restart who crashed"
    if report.left < report.nodes:
        staying = report.nodes - report.left
        return f"nothing more can happen: {done}, {staying:,} of {report.nodes:,} nodes are there"
    return (
        f"all {report.nodes:,} nodes have left: {done}; "
        "let nodes live longer (--lifetime) or let there be more of them (--nodes)"
    )


def failure_line(failure: Failure) -> str:
    """What failed where, without the traceback."""
    error = failure.error.strip().splitlines() or ["no message"]
    if len(error) == 1:
        return error[0]
    where = f"partition {failure.partition}"
    if failure.partition is None:
        where = "prepare or collect"
    return f"the job failed in session {failure.session}, {where}: {error[-1]}"


# -- for people ----------------------------------------------------------------------------


def table(report: Report) -> str:
    """Aligned names and values, with thousands separated and units."""
    r = report
    rows = [
        ("result", short(r.result) if r.failure is None else "none"),
        ("", ""),
        ("tree", f"{_count(r.levels, 'level')}, at most {r.fanout:,} slots a session"),
        ("sessions", f"{r.sessions:,}"),
        ("control nodes", f"{r.control_nodes:,}"),
        ("computation nodes", f"{r.computation_nodes:,}"),
        ("", ""),
        ("nodes", _nodes(r)),
        ("tree formed", f"after {r.formed_seconds:,.3f} s simulated"),
        ("finished", _finished(r)),
        ("partitions", _partitions(r)),
        ("messages", f"{r.messages:,}, of which {r.root_messages:,} changed the root session"),
        ("connections", f"at most {r.connections_max:,} at any node"),
        *_faults(r),
        ("", ""),
        ("wall time", f"{_wall(r.wall_seconds)}, {_rate(r)}"),
        ("peak memory", f"{r.peak_rss_bytes / 2**20:,.1f} MiB"),
        ("seed", f"{r.seed}"),
        ("digest", r.digest),
    ]
    return "\n".join(f"{name:<{NAMES_WIDTH}}{value}".rstrip() for name, value in rows)


def _faults(report: Report) -> list[tuple[str, str]]:
    """What there is to say only where something went wrong, or was to."""
    rows, vain = [], report.faults_in_vain
    if report.faults or report.faults_left:
        text = f"{report.faults:,} happened"
        if vain:
            text += f", {len(vain):,} of which concerned nobody: {', '.join(vain[:3])}"
            text += ", ..." * (len(vain) > 3)
        if report.faults_left:
            text += f"; {report.faults_left:,} were to come after the end"
        rows.append(("faults", text))
    if report.divergences:
        rows.append(("replicas", f"{report.divergences:,} differed, and were repaired"))
    return rows


def _nodes(report: Report) -> str:
    text = f"{report.arrived:,} of {report.nodes:,} arrived, {report.left:,} left"
    return f"{text}, {_count(report.crashed, 'crash')}" if report.crashed else text


def _partitions(report: Report) -> str:
    text = f"{report.accepted:,} of {report.partitions:,} accepted"
    if not report.repeated:
        return text
    return f"{text}; {report.repeated:,} computed again ({report.repeated / report.partitions:.2%})"


def _finished(report: Report) -> str:
    if report.finished_seconds is None:
        return "never"
    verb = "failed " if report.failure else ""
    return f"{verb}after {report.finished_seconds:,.3f} s simulated"


def _count(number: int, what: str) -> str:
    plural = "es" if what.endswith("sh") else "s"
    return f"{number:,} {what}{plural if number != 1 else ''}"


def _wall(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{int(seconds) // 60} min {seconds % 60:.0f} s"


def _rate(report: Report) -> str:
    return f"{report.messages / max(report.wall_seconds, 1e-9):,.0f} messages a second"


class _Short(reprlib.Repr):
    """Values on one line of bounded length, numbers with their thousands separated."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother, self.maxlong = 4, SHORT, SHORT, SHORT
        self.maxlist = self.maxtuple = self.maxset = self.maxdict = 8

    def repr_int(self, x: int, level: int) -> str:
        if abs(x) < 10**60:
            return f"{x:,}"
        return f"a whole number of about {int(x.bit_length() * math.log10(2)) + 1:,} digits"

    def repr_float(self, x: float, level: int) -> str:
        return f"{x:,}"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        return _counted(super().repr_dict(x, level), len(x), self.maxdict)

    def repr_list(self, x: list[Any], level: int) -> str:
        return _counted(super().repr_list(x, level), len(x), self.maxlist)


def _counted(text: str, size: int, shown: int) -> str:
    return text if size <= shown else f"{text} ({size:,} in all)"


def short(value: Any) -> str:
    """A value on one line, abbreviated where it is large."""
    if isinstance(value, str) and len(value) <= SHORT and value.isprintable():
        return value
    text = _Short().repr(value)
    return text if len(text) <= 2 * SHORT else f"{text[: 2 * SHORT]}..."


# -- for programs --------------------------------------------------------------------------


def as_json(report: Report) -> str:
    """One object with every field of the report."""
    fields = attrs.asdict(report, recurse=False)
    fields["failure"] = report.failure and attrs.asdict(report.failure)
    try:
        return msgspec.json.encode(fields).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return json.dumps({**fields, "result": _encodable(report.result)})


def _encodable(result: Any) -> Any:
    """Something JSON can say that a person would recognise as `result`."""
    try:
        return json.loads(json.dumps(_plain(result)))
    except (ValueError, RecursionError):
        return short(result)


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {k if isinstance(k, str) else str(k): _plain(v) for k, v in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return repr(value)
