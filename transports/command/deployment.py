"""One process of a deployment, from the options of its command line to its last word."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import trio

from core.sessions.store import Store
from plugins.console.distributions import parse
from plugins.console.options import BadOption
from transports.logs import event
from transports.net import wire
from transports.net.addresses import Address
from transports.net.connection import Me
from transports.net.security import Security, check_listen
from transports.process.keys import NO_KEYS, Keys
from transports.process.process import Process
from transports.process.station import Station
from transports.values.blobs import Blobs
from transports.work.functions import Work
from transports.work.jobs import Chosen

if TYPE_CHECKING:  # what writes tables takes a while to load
    from transports.command.tracing import Tracing


class CannotListen(Exception):
    """Nobody could reach this process. The message is one line."""


async def listeners_at(
    listen: Address, advertise: Address | None
) -> tuple[list[trio.SocketListener], str]:
    """The listening sockets, and the address by which others reach them. Raises CannotListen."""
    try:
        listeners = await trio.open_tcp_listeners(listen.port, host=listen.host)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotListen(
            f"cannot listen on {listen} ({reason}): give another --listen HOST:PORT"
        ) from error
    port = listeners[0].socket.getsockname()[1]
    host = advertise.host if advertise else listen.host
    return listeners, str(Address(host, (advertise and advertise.port) or port))


async def _heard_at(
    listen: Address | None, advertise: Address | None, security: Security
) -> tuple[list[trio.SocketListener], str | None]:
    """The same for a process that may listen nowhere, and not everywhere."""
    if listen is None:
        return [], None
    check_listen(listen.host, security)
    listeners, address = await listeners_at(listen, advertise)
    event(logging.INFO, "listening", address=address)
    return listeners, address


@asynccontextmanager
async def standing(
    security: Security,
    listen: Address | None,
    advertise: Address | None,
    *,
    heartbeat_seconds: float,
    nodes: int = 0,
    cores: int = 1,
) -> AsyncIterator[tuple[Station, trio.Nursery]]:
    """What a process is, whatever it computes, until the block is left; and the nursery for what
    goes on until the last word is said. Raises CannotListen."""
    listeners, address = await _heard_at(listen, advertise, security)
    me = Me(wire.random_number(), address, nodes)
    async with trio.open_nursery() as nursery:
        station = Station(me, security, nursery, heartbeat_seconds, cores)
        if listeners:
            nursery.start_soon(trio.serve_listeners, station.connections.accept, listeners)
        try:
            station.restock(1)  # before it is known what is computed there
            yield station, nursery
        finally:
            with trio.CancelScope(shield=True):
                await station.connections.close()
            station.empty()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def opened(
    security: Security,
    blobs: Blobs,
    listen: Address | None,
    advertise: Address | None,
    *,
    heartbeat_seconds: float,
    values_max: int | None,
    store: Store | None = None,
    keys: Keys = NO_KEYS,
) -> AsyncIterator[Process]:
    """A process that serves one computation until the block is left. Raises CannotListen."""
    found = standing(security, listen, advertise, heartbeat_seconds=heartbeat_seconds)
    async with found as (station, nursery):
        process = Process(station, nursery, blobs, store, keys, values_max=values_max)
        nursery.start_soon(process.run)
        yield process


@contextmanager
def trace_folder(folder: Path | None, shared: bool = False) -> Iterator[None]:
    """A new folder for a trace, where there is to be one; with `shared` it may be there already.

    Raises BadOption.
    """
    if folder is None:
        yield
        return
    from plugins.tracing import schema, writing  # what writes tables takes a while to load

    try:
        writing.begin(folder, again=shared)
    except schema.TraceError as error:
        raise BadOption(f"--trace: {error}") from None
    try:
        yield
    finally:
        if not shared:
            with suppress(OSError):
                folder.rmdir()  # it is empty: nothing has begun, and it is not to be in the way


@asynccontextmanager
async def traced(
    process: Process, folder: Path | None, sample: int
) -> AsyncIterator[Tracing | None]:
    """Write down what happens in the process meanwhile, where that is wanted."""
    if folder is None:
        yield None
        return
    from transports.command.tracing import Tracing

    process.trace = trace = Tracing(process.me, folder, sample, process.untrace)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trace.run)
        try:
            yield trace
        finally:
            process.untrace()
            with trio.CancelScope(shield=True):
                await trace.close()
            nursery.cancel_scope.cancel()


def working(process: Process, begin: wire.Begin, chosen: Chosen) -> Work:
    """What runs the functions of the job in that process. Raises ValueError for its delay."""
    delay = None
    if begin.delay is not None:
        quantile = parse(begin.delay).quantile()
        random = Random(f"{begin.seed}/{process.me.number}")

        def delay() -> float:
            return quantile(random.random())

    folder, reserve = process.blobs.folder, process.station.reserve
    post, fetch, trace = process.post, process.fetch, process.trace
    return Work(
        chosen,
        post,
        folder,
        fetch,
        process.station.cores.part(process.tree),
        delay,
        reserve,
        trace,
        begin.piece_timeout,
        lacks=process.blobs.lacks,
        warm=process.station.warm,
    )
