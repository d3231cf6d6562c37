"""A process that joins: it finds the host, learns what is computed, and has its nodes take part.

Rules it keeps:
- Whether the host is not there yet, or was lost, it goes on trying for as long as its patience
  lasts. Its nodes come back by themselves: that is the core's doing.
- It computes what it allows, and only where its own copy of the job is the host's.
- Told to go, by a signal or by whoever started it, it hands on what is finished first.
- When it hears that the computation is over it tells whoever is connected to it.
"""

from __future__ import annotations

import logging
import signal
import sys
from functools import partial

import trio

from plugins.loading import JobError
from transports import jobs, wire
from transports.blobs import Blobs
from transports.connection import ConnectError
from transports.deployment import opened, working
from transports.logs import event
from transports.process import Process, nodes_of
from transports.security import Security
from transports.status import sessions_of
from transports.wanted import Exit, JoinOptions

TRY_SECONDS_MIN, TRY_SECONDS_MAX = 0.1, 2.0
LOOK_SECONDS = 1.0


async def join(options: JoinOptions, security: Security, blobs: Blobs) -> Exit:
    """Take part until the computation is over, or this process is told to go."""
    listen, advertise = options.listen, options.advertise
    async with opened(
        security, blobs, listen, advertise, options.nodes, heartbeat_seconds=options.heartbeat
    ) as process:
        return await Joining(process, options).run()


class Joining:
    """One process, from its first try to reach the host to its last word."""

    def __init__(self, process: Process, options: JoinOptions) -> None:
        self.process = process
        self.options = options
        self.exit = Exit.FINISHED
        process.on_begin = self.begin
        process.status = lambda: {"sessions": sessions_of(process.host)}

    async def run(self) -> Exit:
        """Returns how it ended."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear_signals)
            if self.options.while_stdin:
                nursery.start_soon(self._hear_stdin)
            nursery.start_soon(self._reach)
            await self.process.over.wait()
            nursery.cancel_scope.cancel()
        if self.exit is Exit.FINISHED:
            self._tell_others()
        return self.exit

    def begin(self, begin: wire.Begin) -> None:
        """The host has said what is computed."""
        process = self.process
        if process.begun is not None:
            same = (begin.fingerprint, begin.partitions, begin.fanout)
            now = process.begun
            if same != (now.fingerprint, now.partitions, now.fanout):
                self.end(Exit.REFUSED, "the host has begun another computation, join it anew")
            return
        try:
            chosen = jobs.chosen(begin.job, begin.parts, self.options.allow)
        except JobError as error:
            return self.end(Exit.REFUSED, str(error))
        if jobs.fingerprint(chosen.job) != begin.fingerprint:
            why = f"job {begin.job!r} here is not the same as the host's: install the same version"
            return self.end(Exit.REFUSED, why)
        process.begin(begin, working(process, begin, chosen, self.options.cores))
        event(logging.INFO, "begin", job=begin.job, partitions=begin.partitions, root=begin.root)
        for node in nodes_of(process.me.number, self.options.nodes):
            process.enter(node, begin.root)

    def end(self, how: Exit, why: str) -> None:
        """Nothing more is to be done here."""
        event(logging.ERROR, "ends", reason=why)
        self.exit = how
        self.process.over.set()

    def leave(self, how: Exit) -> None:
        """Go now."""
        self.exit = how
        self.process.leave()
        self.process.post(self.process.over.set)  # after what that says to sessions hosted here

    # -- the host --------------------------------------------------------------------------

    async def _reach(self) -> None:
        """Connect to the host until it has begun; after that see whether anybody is there."""
        process, address = self.process, str(self.options.address)
        wait, alone_since = TRY_SECONDS_MIN, trio.current_time()
        while True:
            if any(peer.greeted for peer in process.connections.peers.values()):
                alone_since = trio.current_time()
            elif process.begun is None:
                try:
                    await process.connections.connect(address)
                    wait = TRY_SECONDS_MIN
                    continue
                except ConnectError as error:
                    event(logging.INFO, "unreached", reason=str(error))
                    if error.final:
                        return self.end(Exit.REFUSED, str(error))
            left = alone_since + self.options.patience - trio.current_time()
            if left <= 0:
                what = f"nobody was reached at {address} for {self.options.patience:g} s"
                return self.end(Exit.UNREACHED, f"{what}: see whether the host runs there")
            await trio.sleep(min(wait, left))
            wait = min(2 * wait, TRY_SECONDS_MAX)

    def _tell_others(self) -> None:
        begun = self.process.begun
        root = begun.root.address if begun else None
        over = wire.encode(wire.Over())
        for name in list(self.process.connections.peers):
            if name != root:
                self.process.connections.send_back(name, over)

    # -- whoever started it ----------------------------------------------------------------

    async def _hear_signals(self) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                self.process.post(partial(self.leave, Exit.INTERRUPTED))

    async def _hear_stdin(self) -> None:
        async with trio.lowlevel.FdStream(sys.stdin.fileno()) as stream:
            while await stream.receive_some():
                pass
        self.process.post(partial(self.leave, Exit.FINISHED))
