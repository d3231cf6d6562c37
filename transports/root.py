"""The submitter's process: waits for nodes, hosts the root, has the answer computed, tells the end.

Rules it keeps:
- With a store, a host that was killed goes on where it was when the same command is given again;
  one that had finished says the result again.
- Whoever is connected at the end is told so, and then the connections are closed. A host that is
  interrupted tells so only if it has no store, as otherwise it is to be continued.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from core import Shape, choose_fanout
from core import messages as m
from core.cutting import ROOT
from core.digest import digest
from core.messages import Place
from plugins.launching import HERE, PYTHON, Bots, launcher
from transports import jobs, wire
from transports.blobs import loaded, stored
from transports.connection import Peer
from transports.deployment import working
from transports.process import Process, nodes_of
from transports.progress import Teller
from transports.status import sessions_of
from transports.store import SqliteStore
from transports.summary import Report
from transports.wanted import CORES, HostOptions

LOOK_SECONDS = 0.1
GRACE_SECONDS = 2.0  # for bots to end by themselves
BOT_PATIENCE_SECONDS = 30.0
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


class Interrupted(Exception):
    """A signal ended it."""


class NobodyLeft(Exception):
    """All bots have ended, nobody else is connected, and there is no result."""


@attrs.define
class Counts:
    """What happened to the root's process."""

    nodes: dict[int, int] = attrs.Factory(dict)  # by number of each process that was met
    lost: dict[int, int] = attrs.Factory(dict)  # the same, of those that went unexpectedly
    connections_max: int = 0


class Root:
    """The root of one computation."""

    def __init__(
        self,
        process: Process,
        options: HostOptions,
        chosen: jobs.Chosen,
        store: SqliteStore | None,
        teller: Teller,
    ) -> None:
        self.process = process
        self.options = options
        self.chosen = chosen
        self.store = store
        self.teller = teller
        self.counts = Counts()
        self.began = time.perf_counter()
        process.status = self.status
        process.on_met, process.on_lost = self._count_met, self._count_lost

    async def run(self) -> Report:
        """Returns how it went. Raises Interrupted, NobodyLeft, or what launching bots raises."""
        process = self.process
        resumed = process.host.stored.get(ROOT)
        if resumed is not None and resumed.ended:
            return self._report(resumed.ended, resumed.shape, resumed.seq, 0.0, resumed=True)
        async with trio.open_nursery() as nursery, self._bots() as bots:
            nursery.start_soon(self._hear_signals)
            nodes = await self._waited(bots) if resumed is None else 0
            shape = resumed.shape if resumed else self._shape(nodes)
            self._submit(shape, again=resumed is not None)
            opened_at = time.perf_counter()
            nursery.start_soon(self._watch, shape, bots)
            await process.over.wait()
            seconds = time.perf_counter() - opened_at
            nursery.cancel_scope.cancel()
            self._tell_others()
            if bots is not None:
                with trio.CancelScope(shield=True), trio.move_on_after(GRACE_SECONDS):
                    await bots.wait()
        assert process.outcome is not None
        seq = process.host.reflectors[ROOT].model.seq
        return self._report(process.outcome, shape, seq, seconds, resumed is not None)

    # -- before --------------------------------------------------------------------------------

    @asynccontextmanager
    async def _bots(self) -> AsyncIterator[Bots | None]:
        wanted = self.options.bots
        if wanted is None:
            yield None
            return
        token = self.process.connections.security.token
        environment = {"MILLION_NODES_TOKEN": token.decode()} if token else {}
        bots = launcher(wanted.module)
        async with bots(wanted.where, wanted.processes or 0, self._command, environment) as running:
            yield running

    def _command(self, number: int, processes: int) -> list[str]:
        """How the `number`-th of the bots' processes is started."""
        wanted, security = self.options.bots, self.options.security
        assert wanted is not None
        share = wanted.nodes * (number + 1) // processes - wanted.nodes * number // processes
        command = [PYTHON, "-m", "transports.tcp", "join", self.process.me.name]
        command += ["--nodes", str(share), "--cores", str(max(1, CORES // processes))]
        command += ["--heartbeat", str(self.options.heartbeat)]
        command += ["--patience", str(BOT_PATIENCE_SECONDS), "--while-stdin"]
        work = self.options.work
        for name in (work.job, work.prepare, work.compute, work.collect):
            if name is not None:
                command += ["--allow", _allowed(name)]
        for option, path in (("--tls-cert", security.tls_cert), ("--tls-key", security.tls_key)):
            command += [option, os.path.abspath(path)] if path else []
        command += ["--tls-ca", os.path.abspath(security.tls_ca)] if security.tls_ca else []
        return [*command, "--listen", f"{HERE}:0"]

    async def _waited(self, bots: Bots | None) -> int:
        """Wait for nodes; returns how many there are."""
        wanted, seconds = self.options.wait_nodes, self.options.wait_seconds
        until = math.inf
        while True:
            nodes = self._connected()
            if nodes and seconds is not None and until == math.inf:
                until = trio.current_time() + seconds
            if (wanted is not None and nodes >= wanted) or trio.current_time() >= until:
                return nodes
            left = None if until == math.inf else until - trio.current_time()
            self.teller.waiting(len(self.process.connections.peers), nodes, wanted, left)
            self._insist_on_somebody(bots)
            await trio.sleep(LOOK_SECONDS)

    def _shape(self, nodes: int) -> Shape:
        work = self.options.work
        partitions = work.partitions or max(1, nodes)
        return Shape.root(partitions, work.fanout or choose_fanout(partitions))

    def _submit(self, shape: Shape, again: bool) -> None:
        """Open the root, give it the input, and tell everyone what is computed."""
        process, work = self.process, self.options.work
        place = Place(ROOT, (process.me.name,))
        parts = {part: jobs.called(name) for part, name in self._parts().items()}
        begin = wire.Begin(
            jobs.called(work.job),
            parts,
            jobs.fingerprint(self.chosen.job),
            shape.partitions,
            shape.fanout,
            work.delay,
            work.seed,
            place,
        )
        process.begin(begin, working(process, begin, self.chosen, cores=1))
        epoch = (time.time_ns() // 1_000_000,)  # newer than that of any host before
        (submitter,) = nodes_of(process.me.number, 1)
        value = stored(process.blobs.folder, work.input)
        process.submit(m.Open(shape, epoch, place, again), submitter, value)
        frame = wire.encode(begin)
        for name in list(process.connections.peers):
            process.connections.send_back(name, frame)
        self.teller.note(f"work begins: {shape.partitions:,} partitions, fanout {shape.fanout:,}")

    def _parts(self) -> dict[str, str]:
        work = self.options.work
        parts = {"prepare": work.prepare, "compute": work.compute, "collect": work.collect}
        return {part: name for part, name in parts.items() if name is not None}

    def status(self) -> dict[str, m.Value]:
        """How it stands, for whoever asks."""
        connections = self.process.connections
        begun = self.process.begun
        return {
            "address": self.process.me.name,
            "job": begun.job if begun else None,
            "processes": sum(1 for peer in connections.peers.values() if peer.hello),
            "nodes": self._connected(),
            "sessions": sessions_of(self.process.host),
        }

    # -- meanwhile -----------------------------------------------------------------------------

    async def _hear_signals(self) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                if self.store is None:
                    self._tell_others()
                raise Interrupted

    async def _watch(self, shape: Shape, bots: Bots | None) -> None:
        while True:
            self.teller.working(self._connected(), self.accepted(ROOT), shape.partitions)
            self._insist_on_somebody(bots)
            await trio.sleep(LOOK_SECONDS)

    def _insist_on_somebody(self, bots: Bots | None) -> None:
        others = any(peer.greeted for peer in self.process.connections.peers.values())
        if self.options.alone and bots is not None and not bots.running and not others:
            raise NobodyLeft

    def _connected(self) -> int:
        """How many nodes the connected processes have."""
        return sum(
            peer.hello.nodes for peer in self.process.connections.peers.values() if peer.hello
        )

    def _count_met(self, peer: Peer) -> None:
        counts = self.counts
        counts.connections_max = max(counts.connections_max, len(self.process.connections.peers))
        if peer.hello is not None and peer.hello.nodes:
            counts.nodes[peer.number] = peer.hello.nodes
            counts.lost.pop(peer.number, None)

    def _count_lost(self, peer: Peer) -> None:
        reflector = self.process.host.reflectors.get(ROOT)
        missed = reflector and any(node in reflector.members for node in peer.nodes)
        if missed and self.process.outcome is None:
            self.counts.lost[peer.number] = self.counts.nodes.get(peer.number, 0)

    def accepted(self, session: str) -> int:
        """How many partitions of `session` are done, as far as this process knows."""
        reflector = self.process.host.reflectors.get(session)
        if reflector is None:
            return 0
        model = reflector.model
        if model.shape.leaf:
            return len(model.slots) - model.remaining
        return sum(
            size if slot.done else self.accepted(f"{session}-{i}")
            for i, (slot, size) in enumerate(zip(model.slots, model.shape.sizes(), strict=True))
        )

    # -- the end -------------------------------------------------------------------------------

    def _tell_others(self) -> None:
        over = wire.encode(wire.Over())
        for name in list(self.process.connections.peers):
            self.process.connections.send_back(name, over)

    def _report(
        self, ended: m.Ended, shape: Shape, root_messages: int, seconds: float, resumed: bool
    ) -> Report:
        process, counts, options = self.process, self.counts, self.options
        arrived = sum(counts.nodes.values())
        done = ended.failure is None
        reflector = process.host.reflectors.get(ROOT)
        return Report(
            result=loaded(process.blobs.folder, ended.result),
            failure=ended.failure,
            nodes=options.bots.nodes if options.bots else arrived,
            processes=len(counts.nodes),
            partitions=shape.partitions,
            fanout=shape.fanout,
            levels=shape.levels,
            arrived=arrived,
            left=sum(counts.lost.values()),
            lost_processes=len(counts.lost),
            accepted=shape.partitions if done else self.accepted(ROOT),
            finished_seconds=seconds,
            messages=process.connections.frames_sent + process.connections.frames_received,
            root_messages=root_messages,
            bytes_sent=process.connections.bytes_sent,
            connections_max=counts.connections_max,
            seed=options.work.seed,
            wall_seconds=time.perf_counter() - self.began,
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT,
            resumed=resumed,
            divergences=process.divergences,
            digest=digest(reflector.model.snapshot()) if reflector else None,
        )


def _allowed(name: str) -> str:
    """What a process of ours is told to allow, for a job or a part of one that the user named."""
    place = jobs.place(name)
    return os.path.abspath(place) if place.endswith(".py") else place
