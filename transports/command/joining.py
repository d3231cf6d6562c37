"""A process that joins: it finds the host, learns what is computed, and has its nodes take part.

Rules it keeps:
- Whether the host is not there yet, or was lost, it goes on trying for as long as its patience
  lasts, however many others it is connected to. Its nodes come back by themselves: that is the
  core's doing.
- It computes what it allows, and only where its own copy of the job is the host's.
- Told to go, by a signal or by whoever started it, it hands on what is finished first.
- When it hears that the computation is over it tells whoever is connected to it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from functools import partial

import trio

from plugins.console import signals
from plugins.console.exits import Exit
from plugins.console.telling import counted, failure_line
from transports.command.deployment import opened, traced, working
from transports.command.status import status_of
from transports.command.wanted import JoinOptions
from transports.logs import event
from transports.net import wire
from transports.net.connection import ConnectError
from transports.net.security import Security
from transports.process.process import Process, nodes_of
from transports.values.blobs import Blobs
from transports.work import jobs

TRY_SECONDS_MIN, TRY_SECONDS_MAX = 0.1, 2.0


async def join(
    options: JoinOptions, security: Security, blobs: Blobs, note: Callable[[str], None]
) -> Exit:
    """Take part until the computation is over, or this process is told to go."""
    listen, advertise = options.listen, options.advertise
    async with (
        opened(
            security,
            blobs,
            listen,
            advertise,
            nodes=options.nodes,
            heartbeat_seconds=options.heartbeat,
            values_max=options.values_max,
        ) as process,
        traced(process, options.trace, options.sample),
    ):
        return await Joining(process, options, note).run()


class Joining:
    """One process, from its first try to reach the host to its last word."""

    def __init__(self, process: Process, options: JoinOptions, note: Callable[[str], None]) -> None:
        self.process = process
        self.options = options
        self.note = note  # told in words what a person would want to know
        self.exit = Exit.FINISHED
        self._alone = False  # and that was told
        self._leaving = False  # the others go on
        self._doubt = trio.Event()  # whether the host is the one that it was
        process.on_begin = self.begin
        process.on_doubt = self._ask
        process.station.status = partial(status_of, process)

    async def run(self) -> Exit:
        """Returns how it ended."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear_signals)
            if self.options.while_stdin:
                nursery.start_soon(self._hear_stdin)
            nursery.start_soon(self._reach)
            await self.process.over.wait()
            nursery.cancel_scope.cancel()
        if not self._leaving:
            self._tell_others()
            self._tell_outcome()
        elif self.exit is Exit.INTERRUPTED:
            self._inform("interrupted, what was finished is delivered")
        return self.exit

    def begin(self, begin: wire.Begin) -> None:
        """The host has said what is computed."""
        process = self.process
        if process.begun is not None:
            same = (begin.fingerprint, begin.partitions, begin.fanout)
            now = process.begun
            if same != (now.fingerprint, now.partitions, now.fanout):
                return self._decline(begin, "the host has begun another computation, join it anew")
            if begin.end != now.end:  # it was begun anew, by who knows nothing of the keys before
                process.host.unlock()
            process.begun = begin
            return None
        try:
            chosen = jobs.chosen(begin.job, begin.parts, self.options.allow)
            if chosen.fingerprint != begin.fingerprint:
                why = f"job {begin.job!r} here is not the same as the host's"
                return self._decline(begin, f"{why}: install the same version")
            process.begin(begin, working(process, begin, chosen, self.options.cores))
        except ValueError as error:  # of the job, or of a delay or a shape that cannot be
            return self._decline(begin, str(error))
        root = begin.root.address
        event(logging.INFO, "begin", job=begin.job, partitions=begin.partitions, root=root)
        self._inform(f"{counted(self.options.nodes, 'node')} for {begin.job}, from {root}")
        for node in nodes_of(process.me.number, self.options.nodes):
            process.enter(node, begin.root)

    def _decline(self, begin: wire.Begin, why: str) -> None:
        """Take no part in what the host has begun, and tell it so."""
        declined = wire.Declined(_sayable(why)[: wire.REASON_LENGTH_MAX], self.process.tree)
        self.process.connections.send_back(begin.root.address, wire.encode(declined))
        self.end(Exit.REFUSED, why)

    def end(self, how: Exit, why: str) -> None:
        """Nothing more is to be done here."""
        self.note(why)
        self.exit, self._leaving = how, True
        self.process.over.set()

    def _inform(self, text: str) -> None:
        """Say what nobody needs to know of a process that was started for the job."""
        if not self.options.while_stdin:
            self.note(text)

    def leave(self, how: Exit) -> None:
        """Go now."""
        self.exit, self._leaving = how, True
        try:
            self.process.leave()
        finally:
            self.process.post(self.process.over.set)  # after what that says to sessions here

    # -- the host --------------------------------------------------------------------------

    def _ask(self) -> None:
        """Have the host say what is true."""
        self._doubt.set()

    async def _reach(self) -> None:
        """Connect to the host until it has begun; after that see whether it is still there."""
        process, patience = self.process, self.options.patience
        address = str(self.options.address)
        wait = TRY_SECONDS_MIN
        while True:
            doubted, self._doubt = self._doubt.is_set(), trio.Event()
            asks = doubted or process.begun is None
            why = await self._connected(address) if asks else self._missing()
            if not why:
                wait, self._alone = TRY_SECONDS_MIN, False
            elif not self._alone:
                self._alone = True
                self._inform(f"{why}; trying for {patience:g} s")
            left = patience - process.root_age()
            if left <= 0 and await self._is_gone(address):
                return self.end(Exit.UNREACHED, self._in_vain(address))
            await trio.sleep(TRY_SECONDS_MIN)  # whoever has it doubt again and again
            with trio.move_on_after(max(0.0, min(wait, left) - TRY_SECONDS_MIN)):
                await self._doubt.wait()
            wait = min(2 * wait, TRY_SECONDS_MAX)

    def _missing(self) -> str:
        """What makes it doubtful that the host is there; nothing if all is well."""
        process = self.process
        if not any(peer.greeted for peer in process.connections.peers.values()):
            return "no connection is left"
        late = process.root_age() > self.options.heartbeat
        return "the host is not heard of any more" if late else ""

    async def _is_gone(self, address: str) -> bool:
        """Whether the host is not there either when it is asked directly."""
        with trio.move_on_after(self.options.heartbeat):
            await self._connected(address)
        return not self.process.connections.reaches(address)

    def _in_vain(self, address: str) -> str:
        patience = f"{self.options.patience:g} s"
        if self.process.begun is None:
            return (
                f"nobody was reached at {address} for {patience}: see whether the host runs there"
            )
        return f"the host at {address} was not heard of for {patience}: see whether it runs there"

    async def _connected(self, address: str) -> str:
        """Connect to the host, or say why that was not possible."""
        try:
            await self.process.reach(address)
        except ConnectError as error:
            if error.final:
                self.end(Exit.REFUSED, str(error))
            return str(error)
        return ""

    def _tell_others(self) -> None:
        begun, key = self.process.begun, self.process.end_shown
        if begun is None or not key:
            return  # it knows the host only, or nobody would believe it
        over = wire.encode(wire.Over(key, self.process.failure, self.process.tree))
        for name in list(self.process.connections.peers):
            if name != begun.root.address:
                self.process.connections.send_back(name, over)

    def _tell_outcome(self) -> None:
        """A process that was started for the job has done its part in any case."""
        failure = self.process.failure
        if failure is None:
            return self._inform("the job is over")
        if not self.options.while_stdin:
            self.exit = Exit.FAILED
        line = failure_line(failure)
        self._inform(line if line.startswith("the job failed") else f"the job failed: {line}")

    # -- whoever started it ----------------------------------------------------------------

    async def _hear_signals(self) -> None:
        with trio.open_signal_receiver(*signals.heard()) as received:
            async for _ in received:
                self.process.post(partial(self.leave, Exit.INTERRUPTED))

    async def _hear_stdin(self) -> None:
        mine = os.dup(sys.stdin.fileno())  # it is closed after that, and nothing may be number 0
        async with trio.lowlevel.FdStream(mine) as stream:
            while await stream.receive_some():
                pass
        self.process.post(partial(self.leave, Exit.FINISHED))


def _sayable(text: str) -> str:
    """Without what is no text elsewhere: half a character, as names of files may have it."""
    return text.encode(errors="replace").decode()
