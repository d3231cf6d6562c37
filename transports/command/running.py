"""A command on real sockets, once it is known what is wanted: from its options to its exit code.

It loads Trio, TLS and the core, which takes a while, so `transports.tcp` reads the options before.
"""

from __future__ import annotations

import errno
import json
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, redirect_stdout
from functools import partial
from typing import Any

import trio

from plugins.console import signals, streams, telling
from plugins.console.ending import Ended
from plugins.console.exits import Exit
from plugins.console.options import BadOption
from plugins.jobs.loading import JobError
from plugins.launching import BotsError
from transports import logs
from transports.command import clients, status, summary
from transports.command.clients_patience import patiently
from transports.command.clients_wanted import (
    CancelOptions,
    ForClients,
    JobsOptions,
    LogOptions,
    ResultOptions,
    StopOptions,
    SubmitOptions,
    WeighOptions,
)
from transports.command.deployment import CannotListen, opened, trace_folder, traced
from transports.command.joining import join
from transports.command.options import OnSockets
from transports.command.progress import teller
from transports.command.root import Root
from transports.command.serving import serve
from transports.command.wanted import (
    PROGRAM,
    HostOptions,
    JobOptions,
    JoinOptions,
    SecurityOptions,
    ServeOptions,
    StatusOptions,
)
from transports.fleet.bulk import TooLarge
from transports.fleet.errors import FleetLost, JobAbsent, Refused
from transports.net.connection import ConnectError
from transports.net.security import Security, SecurityError
from transports.process.keys import Keys
from transports.process.store import SqliteStore, StoreError
from transports.signing.files import SigningError
from transports.values.blobs import Blobs
from transports.values.files import BlobError
from transports.values.folder import values_folder
from transports.work import jobs

EXITS: list[tuple[type[Exception], Exit]] = [
    (JobError, Exit.MISUSED),
    (SecurityError, Exit.MISUSED),
    (SigningError, Exit.MISUSED),
    (CannotListen, Exit.NOT_LISTENING),
    (StoreError, Exit.STORE_UNUSABLE),
    (ConnectError, Exit.UNREACHED),
    (FleetLost, Exit.UNREACHED),
    (JobAbsent, Exit.MISUSED),
    (Refused, Exit.REFUSED),
    (TooLarge, Exit.MISUSED),
    (BlobError, Exit.FAILED),
    (BotsError, Exit.FAILED),
    (BadOption, Exit.MISUSED),
    (OSError, Exit.FAILED),  # no process can be started, say
]
EXPECTED = tuple(kind for kind, _ in EXITS)


def run(wanted: OnSockets) -> int:
    """Do what is wanted. Returns the exit code; raises Ended for what is expected to go wrong."""
    try:
        return _commanded(wanted)
    except BrokenPipeError:  # an OSError that is no failure
        raise
    except KeyboardInterrupt:
        raise _ended(wanted, Exit.INTERRUPTED, "interrupted") from None
    except EXPECTED as error:
        code = next(code for kind, code in EXITS if isinstance(error, kind))
        refused = isinstance(error, ConnectError) and error.final
        raise _ended(wanted, Exit.REFUSED if refused else code, _line(error)) from None


def _ended(wanted: OnSockets, code: Exit, line: str) -> Ended:
    """A program that waits for an answer in JSON is given one in any case."""
    if isinstance(wanted, ForClients | StatusOptions) and wanted.json:
        streams.answer(PROGRAM, clients.in_vain(line, code))
    return Ended(code, line)


def _line(error: Exception) -> str:
    """What is wrong, and what to do about it."""
    if type(error) is not OSError:
        return str(error)
    few = error.errno in (errno.EMFILE, errno.ENFILE)
    return f"{error.strerror}{': raise the limit (ulimit -n)' if few else ''}"


def _commanded(wanted: OnSockets) -> int:
    logs.set_up(getattr(wanted, "verbose", 0))
    security = _security(wanted.security)
    match wanted:
        case HostOptions():
            return _run(partial(_host, wanted, security))
        case JoinOptions():
            return _run(partial(_join, wanted, security))
        case StatusOptions():
            return _run(partial(_status, wanted, security))
        case ServeOptions():
            return _run(partial(serve, wanted, security, _note))
        case _:
            return _run(partial(_use, wanted, security))


def _run(run: Callable[[], Any]) -> int:
    """Run it with Trio; of several errors at once the first says what is wrong."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in place of which Trio has its own
    try:
        return int(trio.run(_interruptible, run))
    except BaseExceptionGroup as group:
        errors = _leaves(group)
        known = [error for error in errors if isinstance(error, EXPECTED)]
        if any(isinstance(error, KeyboardInterrupt) for error in errors):
            raise KeyboardInterrupt from None
        if not known:
            raise
        raise known[0] from group


async def _interruptible(run: Callable[[], Awaitable[Any]]) -> Any:
    """Raises KeyboardInterrupt when this process is to end and `run` does not hear so itself."""
    with trio.open_signal_receiver(*signals.heard()) as received:
        async with trio.open_nursery() as nursery:

            async def hear() -> None:
                async for _ in received:
                    raise KeyboardInterrupt

            nursery.start_soon(hear)
            result = await run()
            nursery.cancel_scope.cancel()
        return result


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for one in error.exceptions for leaf in _leaves(one)]


def _security(wanted: SecurityOptions) -> Security:
    return Security.read(wanted.token_file, wanted.tls_cert, wanted.tls_key, wanted.tls_ca)


# -- host, join, status --------------------------------------------------------------------


async def _host(wanted: HostOptions, security: Security) -> int:
    chosen = _chosen(wanted.work)
    with ExitStack() as stack:
        stack.enter_context(trace_folder(wanted.trace))
        tell = stack.enter_context(teller(sys.stderr, live=not wanted.json))
        store, blobs = _kept(wanted, chosen, stack)
        async with (
            opened(
                security,
                blobs,
                wanted.listen,
                wanted.advertise,
                store=store,
                heartbeat_seconds=wanted.heartbeat,
                keys=store.keys if store else Keys.drawn(),
                values_max=wanted.values_max,
            ) as process,
            traced(process, wanted.trace, wanted.sample) as trace,
        ):
            name = process.me.name
            if not wanted.alone:
                tell.note(f"host at {name}; others come with '{PROGRAM} join {name}'")
            ended = await Root(process, wanted, chosen, store, tell, trace).run()
            report = summary.with_cause(ended) if ended else None
            if report is not None and trace is not None:
                trace.conclude(report)
            missing = "" if store is None else _unstored(store, blobs)
    return _told(wanted, report, missing)


def _told(wanted: HostOptions, report: summary.Report | None, missing: str) -> int:
    """Print how it went; `missing`: why the store is not complete. Returns the exit code."""
    if report is None:
        _note("interrupted")
        return Exit.INTERRUPTED
    text = telling.as_json(report) if wanted.json else summary.table(report)
    code = telling.told(PROGRAM, report, text)
    if missing and report.failure is None:
        _note(f"{wanted.store} is not complete: {missing}")
    return code or (Exit.FAILED if missing else Exit.FINISHED)


def _chosen(work: JobOptions) -> jobs.Chosen:
    with redirect_stdout(sys.stderr):  # a job may print while it is loaded
        return jobs.own(work.job, work.parts)


def _kept(
    wanted: HostOptions, chosen: jobs.Chosen, stack: ExitStack
) -> tuple[SqliteStore | None, Blobs]:
    """The store, if there is to be one, and the large values."""
    if wanted.store is None:
        return None, stack.enter_context(Blobs())
    work = wanted.work
    job = {
        "job": jobs.called(work.job),
        "fingerprint": chosen.fingerprint,
        "input": work.input,
        "partitions": work.partitions,
        "fanout": work.fanout,
    }
    store = SqliteStore(wanted.store, job)
    stack.callback(store.close)
    blobs = stack.enter_context(Blobs(values_folder(wanted.store)))
    store.has = blobs.is_whole
    return store, blobs


def _unstored(store: SqliteStore, blobs: Blobs) -> str:
    """Why something is missing in the store, after the last try; nothing if all is there."""
    if not blobs.settle():
        return blobs.trouble
    return "" if store.catch_up(at_once=True) else store.trouble


async def _join(wanted: JoinOptions, security: Security) -> int:
    with trace_folder(wanted.trace, shared=True):
        return await join(wanted, security, _note)


async def _status(wanted: StatusOptions, security: Security) -> int:
    logs.log.setLevel(logging.ERROR)  # what is wrong is the answer
    dial = patiently(wanted.patience, _note)
    told = await status.tree(str(wanted.address), security, dial)
    text = json.dumps(told) if wanted.json else status.table(told)
    return streams.answer(PROGRAM, text)


async def _use(wanted: ForClients, security: Security) -> int:
    """What those ask for who use a fleet."""
    logs.log.setLevel(logging.ERROR)  # what is wrong is the answer
    match wanted:
        case SubmitOptions():
            return await clients.submit(wanted, security)
        case ResultOptions():
            return await clients.result(wanted, security)
        case WeighOptions():
            return await clients.weigh(wanted, security)
        case CancelOptions():
            return await clients.cancel(wanted, security)
        case LogOptions():
            return await clients.log(wanted, security)
        case JobsOptions():
            return await clients.jobs(wanted, security)
        case StopOptions():
            return await clients.stop(wanted, security)


def _note(line: str) -> None:
    streams.complain(PROGRAM, line)
