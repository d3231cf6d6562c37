"""The commands of those who use a fleet: submit, result, cancel, jobs, stop.

Rules it keeps:
- They speak to the root of the fleet alone, and are told by it.
- Whoever stops waiting, by Ctrl-C or after a while, leaves the job as it is, and is told how to ask
  for it again.
"""

from __future__ import annotations

import json
import math
import secrets
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

import attrs
import trio

from core.messages import Failure
from plugins.console import streams, telling
from plugins.console.exits import Exit
from plugins.console.progress import progress
from plugins.console.telling import Lost, aligned, brief, counted, duration, short
from transports.command.clients_patience import patiently
from transports.command.clients_wanted import (
    CancelOptions,
    ForClients,
    JobsOptions,
    LogOptions,
    MapOptions,
    ResultOptions,
    StopOptions,
    SubmitOptions,
    WeighOptions,
)
from transports.command.wanted import PROGRAM
from transports.fleet.asked import user
from transports.fleet.client import Client, News, connected
from transports.fleet.job import readable, unknown
from transports.fleet.log import Log, shown
from transports.fleet.signing import Signing, listed, signed, sources_of
from transports.fleet.telling import progress_line
from transports.net import wire
from transports.net.addresses import Address
from transports.net.figures import PATIENCE_SECONDS
from transports.net.security import Security
from transports.signing.keys import Key
from transports.work.jobs import called
from transports.work.sources import files_of


@attrs.frozen
class Report:
    """What came of a job, as the root of the fleet tells it."""

    number: int
    state: str
    result: Any
    failure: Failure | None
    nodes: int
    partitions: int
    accepted: int
    seconds: float  # from its beginning to its end
    lost: Lost | None  # partitions that failed for good, where the others were to go on

    @classmethod
    def of(cls, outcome: wire.Outcome) -> Report:
        return cls(
            outcome.number,
            outcome.state,
            outcome.result,
            outcome.failure,
            outcome.nodes,
            outcome.partitions,
            outcome.accepted,
            outcome.seconds,
            Lost.of(outcome.lost),
        )


async def submit(wanted: SubmitOptions, security: Security) -> int:
    """Have the job computed, and tell the result, or its number."""
    calls, signer = wanted.calls, None if wanted.sign is None else Key.read(wanted.sign)
    travels = signer is not None and calls is None
    sources = sources_of(wanted.work.job, wanted.work.parts) if travels else {}
    async with _reached(wanted, security) as client:
        client.user, client.on_note = user(), _note
        spec, key = _spec(wanted), secrets.token_bytes(16)
        files: dict[str, str] = {}
        if calls is not None:
            spec = await _of_calls(client, calls, spec, key, signer)
        elif signer is None:
            files = files_of([wanted.work.job, *wanted.work.parts.values()])
        else:
            _tell_sent({name: len(source) for name, source in sources.items()})
            spec = signed(spec, sources, key, client.fleet, signer)
        number = await client.submit(spec, key, files)
        if wanted.detach:
            said = f"job {number}; {_how_to_ask(wanted.address, number)}"
            return _answered(wanted.json, {"number": number}, said)
        outcome = await _last_news(client, wanted.address, number, wanted.json)
    return _told(outcome, wanted.json)


async def _of_calls(
    client: Client, calls: MapOptions, spec: wire.Spec, key: bytes, signer: Key | None
) -> wire.Spec:
    """The job that is these calls, as it travels."""
    from transports.command import mapping  # with what pickles, which no other command needs

    spec = mapping.mapped(calls, spec, (await client.status())["nodes"])
    if signer is None:
        return spec
    _tell_sent(mapping.sizes(calls, spec))
    return Signing(signer, trust_nodes=False).signed(mapping.ASKED, spec, key, client.fleet)


async def result(wanted: ResultOptions, security: Security) -> int:
    """Tell what came of the job, if it ends in time."""
    wait = math.inf if wanted.wait is None else wanted.wait
    async with _reached(wanted, security) as client:
        news = await _last_news(client, wanted.address, wanted.number, wanted.json, wait)
    return _told(news, wanted.json)


async def weigh(wanted: WeighOptions, security: Security) -> int:
    """Change what the job weighs."""
    async with _reached(wanted, security) as client:
        told = await client.weigh(wanted.number, wanted.priority, wanted.weight)
    if told.state == "unknown":
        return _told(unknown(wanted.number), wanted.json)
    over = told.state not in ("queued", "running")
    line = f"job {told.number} is {told.state}"
    said = f"{line}, it was over before" if over else f"{line}, {_weighs(told)}"
    weighs = {"priority": told.priority, "weight": told.weight}
    answer = {"number": told.number, "state": told.state, **weighs}
    return _answered(wanted.json, answer, said) or (Exit.FAILED if over else Exit.FINISHED)


def _weighs(told: wire.Weighed) -> str:
    return f"priority {told.priority}, weight {told.weight:g}"


async def cancel(wanted: CancelOptions, security: Security) -> int:
    """End the job."""
    async with _reached(wanted, security) as client:
        before = await client.latest(wanted.number)
        was_over = isinstance(before, wire.Outcome)
        outcome = before if was_over else await client.cancel(wanted.number)
    if outcome.state == "unknown":
        return _told(outcome, wanted.json)
    is_cancelled = outcome.state == "cancelled" and not was_over
    line = f"job {wanted.number} is {outcome.state}"
    said = line if is_cancelled else f"{line}, it was over before"
    answer = {"number": wanted.number, "state": outcome.state}
    return _answered(wanted.json, answer, said) or (Exit.FINISHED if is_cancelled else Exit.FAILED)


async def jobs(wanted: JobsOptions, security: Security) -> int:
    """Tell of all jobs."""
    async with _reached(wanted, security) as client:
        status = await client.status()
    known = {name: status.get(name) for name in ("address", "processes", "nodes")}
    rows = status.get("jobs", [])
    return _answered(wanted.json, {**known, "jobs": rows}, table(status, rows, time.time()))


async def log(wanted: LogOptions, security: Security) -> int:
    """Tell what happened in the job."""
    async with _reached(wanted, security) as client:
        told = await client.log(wanted.number)
    if told is None:
        return _told(unknown(wanted.number), wanted.json)
    found = Log.of(wanted.number, told)
    return _answered(wanted.json, found.plain(), str(found))


async def stop(wanted: StopOptions, security: Security) -> int:
    """End the fleet."""
    async with _reached(wanted, security) as client:
        await client.halt()
    address = str(wanted.address)
    return _answered(wanted.json, {"address": address}, f"the fleet at {address} ends")


def _reached(wanted: ForClients, security: Security) -> AbstractAsyncContextManager[Client]:
    """The root, looked for as long as is wanted. Raises ConnectError."""
    lost = PATIENCE_SECONDS if wanted.patience is None else wanted.patience
    return connected(str(wanted.address), security, lost, patiently(wanted.patience, _note))


# -- a job ---------------------------------------------------------------------------------


def _spec(wanted: SubmitOptions) -> wire.Spec:
    work = wanted.work
    return wire.Spec(
        called(work.job),
        {part: called(name) for part, name in work.parts.items()},
        work.input,
        work.partitions,
        work.fanout,
        work.delay,
        work.seed,
        work.piece_timeout,
        work.keep_going,
        wanted.priority,
        weight=wanted.weight,
    )


def _tell_sent(sizes: Mapping[str, int]) -> None:
    """On a terminal: what travels, and how large it is."""
    if sys.stderr and sys.stderr.isatty():
        _note(f"signed and sent: {listed(sizes)}")


async def _last_news(
    client: Client, address: Address, number: int, as_json: bool, wait: float = math.inf
) -> News:
    """Wait for the outcome of the job, for so many seconds after it is found; say meanwhile how
    far it is, where there is a terminal."""
    try:
        return await _news(client, number, as_json, wait)
    except trio.Cancelled:
        _note(f"job {number} goes on; {_how_to_ask(address, number)}")
        raise


async def _news(client: Client, number: int, as_json: bool, wait: float = math.inf) -> News:
    began, last = trio.current_time(), None
    with progress(None if as_json else sys.stderr) as shown, trio.CancelScope() as scope:
        async with aclosing(client.watch(number)) as news:
            async for last in news:
                if isinstance(last, wire.Progress):
                    scope.deadline = min(scope.deadline, trio.current_time() + wait)
                    shown.show(progress_line(last, trio.current_time() - began))
    assert last is not None
    return last


def _how_to_ask(address: Address, number: int) -> str:
    result, cancel = (f"'{PROGRAM} {do} {address} {number}'" for do in ("result", "cancel"))
    return f"what comes of it: {result}; to end it: {cancel}"


def _told(news: News, as_json: bool) -> int:
    """Print how it stands. Returns the exit code."""
    if isinstance(news, wire.Progress):
        answer = {"number": news.number, "state": news.state}
        said = f"job {news.number} is not over yet, it is {news.state}"
        return _answered(as_json, answer, said) or Exit.UNFINISHED
    report = Report.of(readable(news))
    if report.state == "unknown":
        why = report.failure.error if report.failure else "there is no such job"
        if as_json:
            streams.answer(PROGRAM, in_vain(why, Exit.MISUSED))
        _note(why)
        return Exit.MISUSED
    text = telling.as_json(report) if as_json else _table(report)
    return telling.told(PROGRAM, report, text)


def _table(report: Report) -> str:
    without = "" if report.lost is None else f" without {counted(report.lost.count, 'partition')}"
    rows = [
        *([("result", short(report.result))] if report.state == "done" else []),
        ("job", f"{report.number:,}, {report.state}{without} after {duration(report.seconds)}"),
        ("partitions", f"{report.accepted:,} of {report.partitions:,} accepted"),
        ("nodes", f"{report.nodes:,}"),
    ]
    if report.lost is not None:
        rows.append(("lost", f"{report.lost.count:,}: {report.lost.which}"))
    return aligned(rows)


# -- all of them ---------------------------------------------------------------------------

WIDTH = 80  # characters of a line, if numbers are not too large
WHO_WIDTH, JOB_WIDTH_MIN = 16, 8
HEAD = ("N", "job", "state", "from", "age", "took", "progress")


def table(status: dict[str, Any], rows: list[dict[str, Any]], now: float) -> str:
    """A line a job, the last that was submitted at the end. `now` by the wall clock."""
    head = [
        ("fleet", str(status["address"])),
        ("connected", f"{counted(status['processes'], 'process')}, {status['nodes']:,} nodes"),
    ]
    if not rows:
        return f"{aligned(head)}\n\nno job has been submitted yet"
    cells = [HEAD, *(_cells(row, now) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEAD))]
    widths[1] = max(JOB_WIDTH_MIN, min(widths[1], WIDTH - sum(widths) + widths[1] - 12))
    return "\n".join([aligned(head), "", *(_line(line, widths) for line in cells)])


def _cells(row: dict[str, Any], now: float) -> tuple[str, ...]:
    began, ended = row["started"], row["ended"]
    return (
        str(row["number"]),
        shown(row["job"]),
        row["state"],
        _cut(shown(row["user"]), WHO_WIDTH),
        brief(now - row["submitted"]),
        "" if began is None else brief((ended or now) - began),
        ", ".join(filter(None, (_how_far(row), _weighs_still(row)))),
    )


def _weighs_still(row: dict[str, Any]) -> str:
    return _weighing(row) if row["state"] in ("queued", "running") else ""


def _how_far(row: dict[str, Any]) -> str:
    if row["state"] == "queued":
        return f"behind {row['ahead']:,}" if row["ahead"] else "next"
    if row["missing"]:
        return f"{row['missing']:,} missing"
    if not row["partitions"]:
        return ""
    return f"{100 * row['accepted'] // row['partitions']} % of {row['partitions']:,}"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    number, job, state, who, age, took, how_far = cells
    job = job if len(job) <= widths[1] else f"...{job[3 - widths[1] :]}"
    left = f"{number:>{widths[0]}}  {job:<{widths[1]}}  {state:<{widths[2]}}  {who:<{widths[3]}}"
    return f"{left}  {age:>{widths[4]}}  {took:>{widths[5]}}  {how_far}".rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _weighing(row: dict[str, Any]) -> str:
    """What it weighs, where that is not what all do."""
    priority, weight = row.get("priority", 0), row.get("weight", 1)
    return ", ".join(
        ([f"priority {priority}"] if priority else [])
        + ([f"weight {weight:g}"] if weight != 1 else [])
    )


def in_vain(error: str, code: Exit) -> str:
    """What a program is told in place of an answer, in JSON."""
    return json.dumps({"error": error, "exit": int(code)})


def _answered(as_json: bool, answer: dict[str, Any], said: str) -> int:
    return streams.answer(PROGRAM, json.dumps(answer) if as_json else said)


def _note(line: str) -> None:
    streams.complain(PROGRAM, line)
