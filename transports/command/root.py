"""The submitter's process: waits for nodes, hosts the root, has the answer computed, tells the end.

Rules it keeps:
- What cannot be stored ends nothing: it is tried again, and told at the end if it was in vain.
- With a store, a host that was killed goes on where it was when the same command is given again;
  one that had finished says the result again.
- Whoever is connected at the end is told so, and then the connections are closed. A host that is
  interrupted tells so only if it has no store, as otherwise it is to be continued.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from core import Session, Shape
from core import messages as m
from core.cutting import ROOT
from core.sessions.digest import digest
from plugins.console import signals
from plugins.console.memory import peak_rss_bytes
from plugins.console.telling import Lost
from plugins.launching import Bots
from transports.command.bots import allowed, share, started
from transports.command.counting import Counts
from transports.command.joining import TRY_SECONDS_MAX
from transports.command.opening import accepted, opened_root, shape_of
from transports.command.progress import Teller
from transports.command.status import nodes_connected, status_of
from transports.command.summary import Report
from transports.command.wanted import LOCAL_BOTS, BotsOptions, HostOptions
from transports.logs import event
from transports.net import wire
from transports.net.connection import Peer
from transports.process.process import Process
from transports.process.store import SqliteStore
from transports.values.files import stored
from transports.work import jobs

if TYPE_CHECKING:  # what writes tables takes a while to load
    from transports.command.tracing import Tracing

LOOK_SECONDS = 0.1
GRACE_SECONDS = 2.0  # for bots to end by themselves


class Root:
    """The root of one computation."""

    def __init__(
        self,
        process: Process,
        options: HostOptions,
        chosen: jobs.Chosen,
        store: SqliteStore | None,
        teller: Teller,
        trace: Tracing | None,
    ) -> None:
        self.process = process
        self.trace = trace
        self.options = options
        self.chosen = chosen
        self.store = store
        self.teller = teller
        self.counts = Counts()
        self.began = time.perf_counter()
        self._returned = False  # somebody who knew this computation before
        process.station.status = partial(status_of, process.station)
        process.on_met = lambda peer: self.counts.met(peer, len(process.connections.peers))
        process.on_lost = self._count_lost
        process.on_declined = self._declined
        if store is not None:
            store.on_trouble = self._tell_trouble

    async def run(self) -> Report | None:
        """Returns how it went, None if it was interrupted. Raises what launching bots raises."""
        resumed = self.process.host.stored.get(ROOT)
        if resumed is not None and resumed.ended and resumed.ended.failure is None:
            shape = Shape(*resumed.model.plan)
            return self._report(resumed.ended, shape, resumed.seq, 0.0, resumed=True)
        made: list[Report] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear_signals, nursery.cancel_scope)
            made.append(await self._attended(resumed))
            nursery.cancel_scope.cancel()
        if not made and self.store is None:
            self._tell_others(m.Failure(ROOT, None, "its host was interrupted"))
        return made[0] if made else None

    async def _attended(self, resumed: Session | None) -> Report:
        """From the first node to the last word."""
        process = self.process
        async with self._bots() as bots:
            nodes = await self._waited(bots) if resumed is None else 0
            shape = shape_of(self.options.work, nodes) if resumed is None else self._again(resumed)
            self._submit(shape, nodes, again=resumed is not None)
            opened_at = time.perf_counter()
            finished = await self._finished(shape, bots)
            seconds = time.perf_counter() - opened_at if finished else None
            if finished:
                self._tell_others(process.failure)
                await self._tell_those_who_look_for_it()
            if bots is not None:
                await self._see_off(bots)
        state = process.host.reflectors[ROOT].state
        ended = process.outcome or m.Ended(None, None)
        return self._report(ended, shape, state.seq, seconds, resumed is not None)

    # -- before --------------------------------------------------------------------------------

    @asynccontextmanager
    async def _bots(self) -> AsyncIterator[Bots | None]:
        wanted = self.options.bots
        if wanted is None:
            yield None
            return
        if self.options.trace is not None and wanted.module != LOCAL_BOTS:
            self.teller.note(f"bots of {wanted.module} write no trace: they may be elsewhere")
        station, security = self.process.station, self.options.security
        more = self._told_bots(wanted)
        async with started(wanted, station, security, self.options.heartbeat, more) as running:
            yield running

    def _told_bots(self, wanted: BotsOptions) -> list[str]:
        """What else they are told."""
        work, told = self.options.work, list[str]()
        for name in (work.job, *work.parts.values()):
            told += ["--allow", allowed(name)]
        if self.options.trace is not None and wanted.module == LOCAL_BOTS:  # others may be far away
            told += ["--trace", os.path.abspath(self.options.trace)]
            told += ["--sample", str(self.options.sample)]
        return told

    async def _waited(self, bots: Bots | None) -> int:
        """Wait for nodes; returns how many there are."""
        wanted, seconds = self.options.wait_nodes, self.options.wait_seconds
        until = math.inf
        while True:
            connected = nodes_connected(self.process.station)
            nodes = sum(connected)
            if nodes and seconds is not None and until == math.inf:
                until = trio.current_time() + seconds
            enough = wanted is not None and nodes >= wanted
            if enough or trio.current_time() >= until or self._is_deserted(bots):
                return nodes
            left = None if until == math.inf else until - trio.current_time()
            self.teller.waiting(len(connected), nodes, wanted, left)
            await trio.sleep(LOOK_SECONDS)

    def _again(self, resumed: Session) -> Shape:
        """As it was; but a job that has failed may go on from now on without what fails."""
        shape = Shape(*resumed.model.plan)
        return attrs.evolve(shape, keep_going=shape.keep_going or self.options.work.keep_going)

    def _submit(self, shape: Shape, nodes: int, again: bool) -> None:
        """Open the root, give it the input, and tell everyone what is computed."""
        work = self.options.work
        value = stored(self.process.blobs.folder, work.input)
        opened_root(self.process, work, self.chosen, shape, value, again=again)
        if self.trace is not None:
            self.trace.describe(self.options, shape, nodes)
        self.teller.note(f"work begins: {shape.partitions:,} partitions, fanout {shape.fanout:,}")

    # -- meanwhile -----------------------------------------------------------------------------

    async def _hear_signals(self, scope: trio.CancelScope) -> None:
        with trio.open_signal_receiver(*signals.heard()) as received:
            async for _ in received:
                scope.cancel()

    async def _finished(self, shape: Shape, bots: Bots | None) -> bool:
        """Wait for the result; says whether it is there."""
        over, teller = self.process.over, self.teller
        while not over.is_set() and not self._is_deserted(bots):
            if teller.on_terminal:
                nodes = sum(nodes_connected(self.process.station))
                teller.working(nodes, self.accepted(shape), shape.partitions)
            if self.store is not None:
                self.store.catch_up()
            with trio.move_on_after(LOOK_SECONDS):
                await over.wait()
            root = self.process.host.reflectors[ROOT]
            self._returned = self._returned or root.admission.again or bool(root.recovery.returned)
        return over.is_set()

    def _is_deserted(self, bots: Bots | None) -> bool:
        """All bots have ended, and nobody else will come."""
        others = any(peer.greeted for peer in self.process.connections.peers.values())
        return self.options.alone and bots is not None and not bots.running and not others

    async def _see_off(self, bots: Bots) -> None:
        """Give bots time to end by themselves."""
        assert self.options.bots is not None
        nodes, processes = self.options.bots.nodes, bots.processes
        with trio.move_on_after(GRACE_SECONDS):
            shares = [share(nodes, i, processes) for i in range(processes)]
            self.counts.bots_ended(await bots.wait(), shares)

    def _count_lost(self, peer: Peer) -> None:
        if self.process.outcome is None:
            self.counts.gone(peer, self.process.host)

    def _tell_trouble(self, trouble: str) -> None:
        assert self.store is not None
        path = self.store.path
        if trouble:
            self.teller.note(f"{path}: {trouble}: the job goes on, and it is tried again")
        else:
            self.teller.note(f"{path}: it can be written again, and has all that was missing")

    def _declined(self, peer: Peer, reason: str) -> None:
        if self.counts.declined(peer):
            event(logging.WARNING, "declined", peer=peer.name, reason=reason)

    def accepted(self, shape: Shape) -> int:
        """How many partitions of a session are done, as far as this process knows."""
        return accepted(self.process.host, shape)

    # -- the end -------------------------------------------------------------------------------

    def _tell_others(self, failure: m.Failure | None) -> None:
        over = wire.encode(wire.Over(self.process.end_key, failure, self.process.tree))
        for name in list(self.process.connections.peers):
            self.process.connections.send_back(name, over)

    async def _tell_those_who_look_for_it(self) -> None:
        """Where some came who knew this computation before, others may be about to."""
        if self._returned:
            await trio.sleep(TRY_SECONDS_MAX + LOOK_SECONDS)
            self._tell_others(self.process.failure)

    def _report(
        self, ended: m.Ended, shape: Shape, root_messages: int, seconds: float | None, resumed: bool
    ) -> Report:
        process, counts, options = self.process, self.counts, self.options
        return Report(
            result=process.blobs.loaded(ended.result),
            failure=m.Failure.of(ended.failure),
            nodes=max(options.bots.nodes if options.bots else 0, counts.arrived),
            processes=len(counts.nodes),
            partitions=shape.partitions,
            fanout=shape.fanout,
            levels=shape.levels,
            arrived=counts.arrived,
            left=counts.left,
            lost_processes=counts.lost_processes,
            accepted=self._accepted_of(ended, shape, over=seconds is not None),
            finished_seconds=seconds,
            messages=process.connections.frames_sent + process.connections.frames_received,
            root_messages=root_messages,
            bytes_sent=process.connections.bytes_sent,
            connections_max=counts.connections_max,
            seed=options.work.seed,
            wall_seconds=time.perf_counter() - self.began,
            peak_rss_bytes=peak_rss_bytes(),
            resumed=resumed,
            divergences=process.divergences,
            digest=self._digest(),
            lost=Lost.of(ended.lost),
        )

    def _accepted_of(self, ended: m.Ended, shape: Shape, over: bool) -> int:
        """With a result all partitions, but for what is lost, whatever is known here."""
        if ended.failure is not None or not over:
            return self.accepted(shape)
        lost = Lost.of(ended.lost)
        return shape.partitions - (lost.count if lost else 0)

    def _digest(self) -> str | None:
        """Of the root session's model, where it is here."""
        reflector = self.process.host.reflectors.get(ROOT)
        return digest(reflector.state.snapshot()) if reflector else None
