"""A process that joins: it finds the host, learns what is computed, and has its nodes take part.

The host is the root of one job, with which this process ends; or of a fleet, with which it stays,
and takes part in one job after the other.

Rules it keeps:
- Whether the host is not there yet, or was lost, it goes on trying for as long as its patience
  lasts, however many others it is connected to. Its nodes come back by themselves: that is the
  core's doing.
- It computes what it allows, and only where its own copy of the job is the host's.
- Told to go, by a signal or by whoever started it, it hands on what is finished first.
- When it hears that the computation is over it tells whoever is connected to it. In a fleet the
  root tells all, and of a job that has ended nothing is kept: not its values, nor its processes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import trio

from plugins.console.exits import Exit
from plugins.console.telling import counted, failure_line
from plugins.jobs.loading import loaded_apart
from transports.command.deployment import standing, traced, working
from transports.command.leaving import signalled, stdin_ended
from transports.command.status import status_of
from transports.command.wanted import JoinOptions
from transports.logs import event
from transports.net import wire
from transports.net.connection import ConnectError, Peer
from transports.net.errors import RemoteProtocolError
from transports.net.peer import Link
from transports.net.security import Security
from transports.process.process import Process, nodes_of
from transports.process.station import Station
from transports.values.blobs import Blobs
from transports.work import jobs

TRY_SECONDS_MIN, TRY_SECONDS_MAX = 0.1, 2.0


async def join(options: JoinOptions, security: Security, note: Callable[[str], None]) -> Exit:
    """Take part until the computation is over, or the fleet, or this process is told to go."""
    found = standing(
        security,
        options.listen,
        options.advertise,
        heartbeat_seconds=options.heartbeat,
        nodes=options.nodes,
    )
    async with found as (station, nursery):
        return await Joining(station, nursery, options, note).run()


class Joining:
    """One process, from its first try to reach the host to its last word."""

    def __init__(
        self,
        station: Station,
        nursery: trio.Nursery,
        options: JoinOptions,
        note: Callable[[str], None],
    ) -> None:
        self.station = station
        self.options = options
        self.note = note  # told in words what a person would want to know
        self.exit = Exit.FINISHED
        self.over = trio.Event()
        self._nursery = nursery
        self._processes: dict[int, Process] = {}  # by number of the computation
        self._scopes: dict[int, trio.CancelScope] = {}  # the same
        self._fleet: int | None = None  # the number of the root's process, where it is a fleet's
        self._job: Process | None = None  # the one computation of the host, where it has just one
        self._alone = False  # and that was told
        self._leaving = False  # the others go on
        self._doubt = trio.Event()  # whether the host is the one that it was
        station.handlers |= {
            wire.Begin: self._told_begin,
            wire.Over: self._told_over,
            wire.Running: self._told_running,
            wire.Full: self._told_full,
        }
        station.keeps = self._keeps
        station.status = partial(status_of, station)

    async def run(self) -> Exit:
        """Returns how it ended."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear_signals)
            if self.options.while_stdin:
                nursery.start_soon(self._hear_stdin)
            nursery.start_soon(self._reach)
            await self.over.wait()
            nursery.cancel_scope.cancel()
        if self._leaving and self.exit is Exit.INTERRUPTED:
            self._inform("interrupted, what was finished is delivered")
        elif not self._leaving and self._job is not None:
            self._tell_others(self._job)
            self._tell_outcome(self._job)
        return self.exit

    # -- what the root says ----------------------------------------------------------------

    def _told_begin(self, peer: Peer, said: wire.Begin, link: Link) -> None:
        """Something begins of which nothing is known here."""
        if not self.station.is_root(link) or {peer.name} != {*said.root.route}:
            raise RemoteProtocolError("Begin of what is not its own")
        tree = wire.tree_of(said)
        if tree is not None and tree not in self._scopes and not self._leaving:
            self._scopes[tree] = scope = trio.CancelScope()
            self._nursery.start_soon(self._take_part, tree, said, scope)

    def _told_over(self, peer: Peer, said: wire.Over, link: Link) -> None:
        """It is over before it has begun here; or the fleet is."""
        if not self.station.is_root(link) or said.tree:
            return
        if self._fleet is not None or not self._processes:
            self._inform("the job is over" if self._fleet is None else "the fleet has ended")
            self._leaving = True
            self.over.set()

    def _told_running(self, peer: Peer, said: wire.Running, link: Link) -> None:
        """It is the root of a fleet; what does not run there by now is over."""
        if not self.station.is_root(link):
            raise RemoteProtocolError("Running, of one that is not the root")
        ended = [tree for tree in self._scopes if tree not in said.numbers]
        if self._fleet not in (None, peer.number):  # another one, at the same address
            ended = [*self._scopes]
        for tree in ended:
            self._scopes[tree].cancel()
        if self._fleet != peer.number:
            self._inform(f"{counted(self.options.nodes, 'node')} in the fleet of {peer.name}")
        self._fleet = peer.number

    def _told_full(self, peer: Peer, said: wire.Full, link: Link) -> None:
        """The fleet has no room for this process by now."""
        if not self.station.is_root(link):
            raise RemoteProtocolError("Full, of one that is not the root")
        self.end(Exit.REFUSED, f"the fleet at {peer.name} is full: join it later")

    def _keeps(self, peer: Peer) -> bool:
        """In a fleet the connection to the root stays, whatever is computed."""
        return self._fleet is not None and peer.number == self._fleet

    # -- a computation ---------------------------------------------------------------------

    async def _take_part(self, tree: int, begin: wire.Begin, scope: trio.CancelScope) -> None:
        """From its beginning to its end, or until this process ends."""
        options, fleet = self.options, self._fleet is not None
        with scope:
            chosen = self._chosen(begin)
            if chosen is None:
                return
            async with trio.open_nursery() as nursery:
                with Blobs() as blobs:
                    values_max = options.values_max
                    process = Process(
                        self.station, nursery, blobs, values_max=values_max, tree=tree
                    )
                    nursery.start_soon(process.run)
                    async with traced(process, None if fleet else options.trace, options.sample):
                        await self._taking_part(process, begin, chosen)
                    nursery.cancel_scope.cancel()
        self._processes.pop(tree, None)
        self._scopes.pop(tree, None)
        if self._leaving and not self._processes:  # it was told to while this one ended
            self.over.set()
        self.station.restock(options.cores)

    async def _taking_part(self, process: Process, begin: wire.Begin, chosen: jobs.Chosen) -> None:
        process.on_begin, process.on_doubt = partial(self._begun_anew, process), self._ask
        try:
            process.begin(begin, working(process, begin, chosen, self.options.cores))
        except ValueError as error:  # of a delay or a shape that cannot be
            return self._decline(begin, str(error))
        self._processes[process.tree] = process
        root = begin.root.address
        event(logging.INFO, "begin", job=begin.job, partitions=begin.partitions, root=root)
        if self._fleet is None:
            self._inform(f"{counted(self.options.nodes, 'node')} for {begin.job}, from {root}")
        for node in nodes_of(process.me.number, self.options.nodes):
            process.enter(node, begin.root)
        await process.over.wait()
        if self._leaving or self._fleet is None:
            self._job = process
            self._ended(process)
            await trio.sleep_forever()  # until the last word is said
        return None

    def _ended(self, process: Process) -> None:
        """Whether there is nothing left to be done here."""
        if all(one.over.is_set() for one in self._processes.values()):
            self.over.set()

    def _chosen(self, begin: wire.Begin) -> jobs.Chosen | None:
        """The job, if this process computes it, and has the same."""
        try:
            with loaded_apart():
                chosen = jobs.chosen(begin.job, begin.parts, self._allow)
        except ValueError as error:
            self._decline(begin, str(error))
            return None
        if chosen.fingerprint != begin.fingerprint:
            why = f"job {begin.job!r} here is not the same as the host's"
            self._decline(begin, f"{why}: install the same version")
            return None
        return chosen

    @property
    def _allow(self) -> tuple[str, ...]:
        return (*self.options.allow, *((jobs.ANY,) if self.options.any_job else ()))

    def _begun_anew(self, process: Process, begin: wire.Begin) -> None:
        """The host says again what is computed: one of them has lost the other meanwhile."""
        now = process.begun
        assert now is not None
        same = (begin.fingerprint, begin.partitions, begin.fanout)
        if same != (now.fingerprint, now.partitions, now.fanout):
            return self._decline(begin, "the host has begun another computation, join it anew")
        if begin.end != now.end:  # it was begun anew, by who knows nothing of the keys before
            process.host.unlock()
        process.begun = begin
        return None

    def _decline(self, begin: wire.Begin, why: str) -> None:
        """Take no part in what the host has begun, and tell it so. In a fleet others may follow."""
        declined = wire.Declined(_sayable(why)[: wire.REASON_LENGTH_MAX], wire.tree_of(begin) or 0)
        self.station.connections.send_back(begin.root.address, wire.encode(declined))
        if self._fleet is None:
            self.end(Exit.REFUSED, why)
        else:
            self._inform(why)

    def end(self, how: Exit, why: str) -> None:
        """Nothing more is to be done here."""
        self.note(why)
        self.exit, self._leaving = how, True
        self.over.set()

    def _inform(self, text: str) -> None:
        """Say what nobody needs to know of a process that was started for the job."""
        if not self.options.while_stdin:
            self.note(text)

    def leave(self, how: Exit) -> None:
        """Go, as soon as what is finished is handed on."""
        self.exit, self._leaving = how, True
        for process in self._processes.values():
            process.post(self._leave, process)
        if not self._processes:
            self.over.set()

    def _leave(self, process: Process) -> None:
        try:
            process.leave()
        finally:
            process.post(process.over.set)  # after what that says to sessions here

    # -- the host --------------------------------------------------------------------------

    def _ask(self) -> None:
        """Have the host say what is true."""
        self._doubt.set()

    async def _reach(self) -> None:
        """Connect to the host until it has begun; after that see whether it is still there."""
        patience = self.options.patience
        address = str(self.options.address)
        wait = TRY_SECONDS_MIN
        while True:
            doubted, self._doubt = self._doubt.is_set(), trio.Event()
            asks = doubted or self._is_to_ask(address)
            why = await self._connected(address) if asks else self._missing()
            if not why:
                wait, self._alone = TRY_SECONDS_MIN, False
            elif not self._alone:
                self._alone = True
                self._inform(f"{why}; trying for {patience:g} s")
            left = patience - self.station.root_age()
            if left <= 0 and await self._is_gone(address):
                return self.end(Exit.UNREACHED, self._in_vain(address))
            await trio.sleep(TRY_SECONDS_MIN)  # whoever has it doubt again and again
            with trio.move_on_after(max(0.0, min(wait, left) - TRY_SECONDS_MIN)):
                await self._doubt.wait()
            wait = min(2 * wait, TRY_SECONDS_MAX)

    def _is_to_ask(self, address: str) -> bool:
        """Whether the host is to be connected: nothing has begun, or it is a fleet's."""
        if self._fleet is None:
            return not self._processes
        return not self.station.connections.reaches(address)

    def _missing(self) -> str:
        """What makes it doubtful that the host is there; nothing if all is well."""
        if not any(peer.greeted for peer in self.station.connections.peers.values()):
            return "no connection is left"
        late = self.station.root_age() > self.options.heartbeat
        return "the host is not heard of any more" if late else ""

    async def _is_gone(self, address: str) -> bool:
        """Whether the host is not there either when it is asked directly."""
        with trio.move_on_after(self.options.heartbeat):
            await self._connected(address)
        return not self.station.connections.reaches(address)

    def _in_vain(self, address: str) -> str:
        patience = f"{self.options.patience:g} s"
        if not self._processes and self._fleet is None:
            return (
                f"nobody was reached at {address} for {patience}: see whether the host runs there"
            )
        return f"the host at {address} was not heard of for {patience}: see whether it runs there"

    async def _connected(self, address: str) -> str:
        """Connect to the host, or say why that was not possible."""
        try:
            await self.station.reach(address)
        except ConnectError as error:
            if error.final:
                self.end(Exit.REFUSED, str(error))
            return str(error)
        return ""

    def _tell_others(self, process: Process) -> None:
        begun, key = process.begun, process.end_shown
        if begun is None or not key:
            return  # it knows the host only, or nobody would believe it
        over = wire.encode(wire.Over(key, process.failure, process.tree))
        for name in list(process.connections.peers):
            if name != begun.root.address:
                process.connections.send_back(name, over)

    def _tell_outcome(self, process: Process) -> None:
        """A process that was started for the job has done its part in any case."""
        failure = process.failure
        if failure is None:
            return self._inform("the job is over")
        if not self.options.while_stdin:
            self.exit = Exit.FAILED
        line = failure_line(failure)
        self._inform(line if line.startswith("the job failed") else f"the job failed: {line}")

    # -- whoever started it ----------------------------------------------------------------

    async def _hear_signals(self) -> None:
        await signalled()
        self.leave(Exit.INTERRUPTED)

    async def _hear_stdin(self) -> None:
        await stdin_ended()
        self.leave(Exit.FINISHED)


def _sayable(text: str) -> str:
    """Without what is no text elsewhere: half a character, as names of files may have it."""
    return text.encode(errors="replace").decode()
