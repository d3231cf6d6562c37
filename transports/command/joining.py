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

from collections.abc import Callable
from functools import partial

import trio

from plugins.console.exits import Exit
from plugins.console.telling import counted, failure_line
from transports.command.deployment import standing
from transports.command.entering import Entrance
from transports.command.leaving import signalled, stdin_ended
from transports.command.reporting import Reporting
from transports.command.status import status_of
from transports.command.taking import Taking
from transports.command.trusting import Trusting
from transports.command.wanted import JoinOptions
from transports.net import wire
from transports.net.connection import ConnectError, Peer
from transports.net.errors import RemoteProtocolError
from transports.net.peer import Link
from transports.net.security import Security
from transports.process.process import Process
from transports.process.station import Station
from transports.work.cores import Weight
from transports.work.functions import Work
from transports.work.warm import Warm

JOBS_WARM = 2  # computing processes of so many are kept, when these are over
TOLD_MAX = 1000
TRY_SECONDS_MIN, TRY_SECONDS_MAX = 0.1, 2.0


async def join(options: JoinOptions, security: Security, note: Callable[[str], None]) -> Exit:
    """Take part until the computation is over, or the fleet, or this process is told to go."""
    found = standing(
        security,
        options.listen,
        options.advertise,
        heartbeat_seconds=options.heartbeat,
        nodes=options.nodes,
        cores=options.cores,
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
        self.entrance = Entrance(station.cores)
        self.options = options
        self.note = note  # told in words what a person would want to know
        self.exit = Exit.FINISHED
        self.over = trio.Event()
        self._nursery = nursery
        self._reporting = Reporting(station)
        self._takings: dict[int, Taking] = {}  # by number of the computation
        self._fleet: int | None = None  # the number of the root's process, where it is a fleet's
        self._alone = False  # and that was told
        self._told: set[str] = set()  # why it takes no part in some job
        self._leaving = False  # the others go on
        self.trusting = Trusting(options.trust)
        self.fleet_id = ""  # as its root says
        self._doubt = trio.Event()  # whether the host is the one that it was
        station.handlers |= {
            wire.Begin: self._told_begin,
            wire.Over: self._told_over,
            wire.Running: self._told_running,
            wire.Sharing: self._told_sharing,
            wire.Full: self._told_full,
        }
        station.keeps, station.on_met = self._keeps, self._met
        station.status = partial(status_of, station)

    async def run(self) -> Exit:
        """Returns how it ended."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear_signals)
            changed, gone = self._part_with_distrusted, partial(self.leave, Exit.INTERRUPTED)
            nursery.start_soon(self.trusting.hear_hangups, self.note, changed, gone)
            if self.options.while_stdin:
                nursery.start_soon(self._hear_stdin)
            nursery.start_soon(self._reach)
            nursery.start_soon(self._reporting.run)
            await self.over.wait()
            nursery.cancel_scope.cancel()
        last = self._takings.get(0)
        if self._leaving and self.exit is Exit.INTERRUPTED:
            self._inform("interrupted, what was finished is delivered")
        elif not self._leaving and last is not None and last.process is not None:
            self._tell_others(last.process)
            self._tell_outcome(last.process)
        return self.exit

    # -- what the root says ----------------------------------------------------------------

    def _told_begin(self, peer: Peer, said: wire.Begin, link: Link) -> None:
        """Something begins of which nothing is known here."""
        if not self.station.is_root(link) or {peer.name} != {*said.root.route}:
            raise RemoteProtocolError("Begin of what is not its own")
        tree = wire.tree_of(said) or 0
        if tree in self._takings or self._leaving:
            return
        self._takings[tree] = taking = Taking(self, said)
        self._nursery.start_soon(self._take_part, tree, taking)

    def _told_over(self, peer: Peer, said: wire.Over, link: Link) -> None:
        """It is over before it has begun here; or the fleet is."""
        if not self.station.is_root(link):
            return
        if said.tree:
            if said.tree in self._takings:
                self._takings.pop(said.tree).drop()
        elif self._fleet is not None or not self._takings:
            self._inform("the job is over" if self._fleet is None else "the fleet has ended")
            self._leaving = True
            self.over.set()

    def _told_running(self, peer: Peer, said: wire.Running, link: Link) -> None:
        """It is the root of a fleet; what does not run there by now is over."""
        if not self.station.is_root(link):
            raise RemoteProtocolError("Running, of one that is not the root")
        self._drop(self._takings.keys() - {*said.numbers})
        if self._fleet != peer.number:
            self._inform(f"{counted(self.options.nodes, 'node')} in the fleet of {peer.name}")
        self._fleet, self.fleet_id = peer.number, said.fleet
        self._reporting.is_of(said.fleet)
        self.station.warm = self.station.warm or Warm(JOBS_WARM * self.options.cores)

    def _met(self, peer: Peer) -> None:
        """Another process where the root was knows nothing of what that one has begun; so nothing
        of it is said to it."""
        if self._fleet not in (None, peer.number) and any(map(self.station.is_root, peer.links)):
            peer.drop()
            self._drop(set(self._takings))

    def _drop(self, trees: set[int]) -> None:
        """They are over. What comes of these numbers from now on is new."""
        for tree in trees:
            self._takings.pop(tree).drop()
            self.station.members.pop(tree, None)

    def _told_sharing(self, peer: Peer, said: wire.Sharing, link: Link) -> None:
        """What those jobs weigh that run."""
        if not self.station.is_root(link):
            raise RemoteProtocolError("Sharing, of one that is not the root")
        weights = {one.number: Weight(one.priority, one.weight) for one in said.shares}
        self.station.cores.weigh(weights, said.preempt_after)

    def _told_full(self, peer: Peer, said: wire.Full, link: Link) -> None:
        """The fleet has no room for this process by now."""
        if not self.station.is_root(link):
            raise RemoteProtocolError("Full, of one that is not the root")
        self.end(Exit.REFUSED, f"the fleet at {peer.name} is full: join it later")

    def _keeps(self, peer: Peer) -> bool:
        """In a fleet the connection to the root stays, whatever is computed."""
        return self._fleet is not None and peer.number == self._fleet

    # -- a computation ---------------------------------------------------------------------

    async def _take_part(self, tree: int, taking: Taking) -> None:
        try:
            await taking.run()
        finally:
            if self._takings.get(tree) is taking:  # else another one of that number has begun
                del self._takings[tree]
        if self._leaving and not self._takings:  # it was told to while this one ended
            self.over.set()
        if self._fleet is not None:  # one to say what the next job is, and those that compute
            self.station.restock(self.options.cores + 1)

    def begun(self, begin: wire.Begin, work: Work) -> None:
        """It takes part in that, by these functions."""
        if self._fleet is None:
            nodes = counted(self.options.nodes, "node")
            self._inform(f"{nodes} for {begin.job}, from {begin.root.address}")
        elif tree := wire.tree_of(begin):
            self._reporting.begins(tree, begin.root.address, work)

    def lasts(self) -> bool:
        """Whether it goes on when a computation has ended."""
        return self._fleet is not None and not self._leaving

    def look_whether_over(self) -> None:
        """One has ended, of which something stays until the last word is said."""
        processes = [taking.process for taking in self._takings.values()]
        if all(process is not None and process.over.is_set() for process in processes):
            self.over.set()

    def decline(self, begin: wire.Begin, why: str) -> None:
        """Take no part in what the host has begun, and tell it so. In a fleet others may follow."""
        declined = wire.Declined(_sayable(why)[: wire.REASON_LENGTH_MAX], wire.tree_of(begin) or 0)
        self.station.connections.send_back(begin.root.address, wire.encode(declined))
        if self._fleet is None:
            self.end(Exit.REFUSED, why)
        elif why not in self._told:  # as it is with each job of that name
            self._told = {*self._told, why} if len(self._told) < TOLD_MAX else {why}
            self._inform(why)

    def _part_with_distrusted(self) -> None:
        """Take no more part in jobs of keys that are trusted no more."""
        parted = [one for one in self._takings.values() if one.part_if_distrusted()]
        for peer in list(self.station.connections.peers.values()) if parted else ():
            if not any(map(self.station.is_root, peer.links)):
                peer.drop()  # what it finds here of these jobs is gone, and it is to look elsewhere

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
        for taking in self._takings.values():
            taking.leave()
        if not self._takings:
            self.over.set()

    # -- the host --------------------------------------------------------------------------

    def ask(self) -> None:
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
            return not self._takings
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
        if not self._takings and self._fleet is None:
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
        await signalled(hangs_up=self.options.trust is None)
        self.leave(Exit.INTERRUPTED)

    async def _hear_stdin(self) -> None:
        await stdin_ended()
        self.leave(Exit.FINISHED)


def _sayable(text: str) -> str:
    """Without what is no text elsewhere: half a character, as names of files may have it."""
    return text.encode(errors="replace").decode()
