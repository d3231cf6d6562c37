"""The root of a fleet: nodes come and stay, jobs come and go, one after the other.

Rules it keeps:
- A job has a number, and a tree of its own under it. What the root is to it is made for it, and is
  gone when it ends; the nodes stay.
- Whoever comes is told which jobs run. So who was away when one ended knows that it has.
- A job begins when a node is there. It ends with its outcome, when it is cancelled, or when nobody
  who is there computes it.
- Told to go, by a signal, a client or whoever started it, it cancels what runs and tells everyone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import trio

from core import Shape
from core import messages as m
from plugins.console import streams
from plugins.console.distributions import parse
from plugins.console.exits import Exit
from plugins.console.telling import Lost
from plugins.fanout import choose_fanout
from plugins.jobs.loading import loaded_apart
from plugins.jobs.values import plain
from transports.command import bots
from transports.command.deployment import standing
from transports.command.leaving import signalled, stdin_ended
from transports.command.opening import accepted, opened_root
from transports.command.status import nodes_connected, status_of
from transports.command.wanted import PROGRAM, JobOptions, ServeOptions
from transports.fleet.desk import Desk
from transports.fleet.jobs import Job, Jobs, State, cancelled, failed
from transports.logs import event
from transports.net import wire
from transports.net.peer import Peer
from transports.net.security import Security
from transports.process.keys import Keys
from transports.process.process import Process
from transports.process.station import Station
from transports.values.blobs import Blobs
from transports.values.files import BlobError
from transports.work import jobs as installed

LOOK_SECONDS = 0.05  # from one look at what is done to the next
MEMBERS_MAX = 1000  # processes with nodes
FULL_SECONDS = 60.0
HALTED: Final = m.Failure("0", None, "the fleet has ended")


async def serve(options: ServeOptions, security: Security, note: Callable[[str], None]) -> Exit:
    """Be the root of a fleet until told to go. `note` is told what a person would want to know."""
    found = standing(
        security, options.listen, options.advertise, heartbeat_seconds=options.heartbeat
    )
    async with found as (station, _):
        return await Serving(station, options, note).run()


class Serving:
    """One fleet, from its beginning to its end."""

    def __init__(
        self, station: Station, options: ServeOptions, note: Callable[[str], None]
    ) -> None:
        self.station = station
        self.options = options
        self._note = note
        self.jobs = Jobs()
        self.desk = Desk(station, self.jobs, self._check, self._wake, self._halt)
        self.exit = Exit.FINISHED
        self._over = trio.Event()
        self._news = trio.Event()  # something may be to be done
        self._running: Process | None = None
        self._declined: dict[int, str] = {}  # of what runs: why, by number of the process
        station.dials = False  # a member that is dialled would not believe what it is told
        station.keeps = lambda peer: True
        station.on_met, station.on_lost = self._met, self._lost
        station.status = self._status

    async def run(self) -> Exit:
        """Returns how it ended. Raises BotsError."""
        async with self._bots(), trio.open_nursery() as nursery:
            self._tell_where()
            nursery.start_soon(self._hear, signalled, Exit.INTERRUPTED)
            if self.options.while_stdin:
                nursery.start_soon(self._hear, stdin_ended, Exit.FINISHED)
            nursery.start_soon(self._compute_all)
            await self._over.wait()
            nursery.cancel_scope.cancel()
        for job in self.jobs.going():
            self.jobs.end(job, cancelled(job))
        self._tell_members(wire.Over(b"", HALTED))
        return self.exit

    @asynccontextmanager
    async def _bots(self) -> AsyncIterator[None]:
        options = self.options
        if options.bots is None:
            yield
            return
        more = ["--any-job"] if options.any_job else []
        for name in options.allow:
            more += ["--allow", bots.allowed(name)]
        given = options.bots, self.station, options.security, options.heartbeat, more
        async with bots.started(*given):
            yield

    def _tell_where(self) -> None:
        """Where the fleet is; for programs, in a line of JSON on standard output."""
        name = self.station.me.name
        if self.options.json:
            streams.answer(PROGRAM, json.dumps({"address": name}))
        else:
            joining, submitting = f"'{PROGRAM} join {name}'", f"'{PROGRAM} submit {name} --job JOB'"
            self._note(f"fleet at {name}; nodes come with {joining}, jobs with {submitting}")

    # -- how it ends -----------------------------------------------------------------------

    async def _hear(self, until: Callable[[], Awaitable[None]], how: Exit) -> None:
        await until()
        self.exit = how
        self._over.set()

    def _halt(self) -> None:
        self._over.set()

    # -- who comes and goes ----------------------------------------------------------------

    def _met(self, peer: Peer) -> None:
        """A process that joins is told what runs; one that has no nodes is a client."""
        if not _joins(peer):
            return
        if sum(map(_joins, self.station.connections.peers.values())) > MEMBERS_MAX:
            self._say(peer, wire.Full(FULL_SECONDS))
            return
        running = self._running
        self._say(peer, wire.Running(() if running is None else (running.tree,)))
        self._wake()

    def _lost(self, peer: Peer) -> None:
        self.desk.lost(peer)
        self._declined.pop(peer.number, None)
        self._wake()

    def _say(self, peer: Peer, envelope: wire.Envelope) -> None:
        self.station.connections.send_back(peer.name, wire.encode(envelope))

    def _tell_members(self, envelope: wire.Envelope) -> None:
        for peer in list(self.station.connections.peers.values()):
            if _joins(peer):
                self._say(peer, envelope)

    def _status(self) -> dict[str, Any]:
        return {**status_of(self.station), "jobs": self.jobs.rows()}

    # -- one job after the other -----------------------------------------------------------

    def _wake(self) -> None:
        self._news.set()

    def _check(self, spec: wire.Spec) -> None:
        """Raises ValueError for what cannot be computed here, as far as that is seen at once."""
        for name in (spec.job, *spec.parts.values()):
            installed.allowed(installed.place(name), self._allow)
        if unknown := spec.parts.keys() - {*installed.PARTS}:
            raise ValueError(f"a job has no part {min(unknown)!r:.80}")
        if spec.delay is not None:
            parse(spec.delay)

    @property
    def _allow(self) -> tuple[str, ...]:
        return (*self.options.allow, *((installed.ANY,) if self.options.any_job else ()))

    async def _compute_all(self) -> None:
        while True:
            self._news = trio.Event()
            job = self.jobs.upcoming()
            if job is not None and nodes_connected(self.station):
                await self._compute(job)
            else:
                await self._news.wait()
            self.desk.tell_all()

    async def _compute(self, job: Job) -> None:
        """From its beginning to its end."""
        self.jobs.begin(job)
        event(logging.INFO, "job", number=job.number, job=job.spec.job)
        try:
            outcome = await self._outcome(job)
        except (ValueError, BlobError, OSError) as error:  # it does not load, say
            outcome = failed(job, str(error))
        self.jobs.end(job, outcome)
        event(logging.INFO, "job_over", number=job.number, state=outcome.state)

    async def _outcome(self, job: Job) -> wire.Outcome:
        """What comes of it. Raises JobError where it cannot be loaded, and what starting does."""
        work = _work(job.spec)
        with loaded_apart():
            chosen = installed.chosen(work.job, work.parts, self._allow)
        shape = self._shape(job, work)
        job.partitions = shape.partitions
        with Blobs() as blobs:
            async with trio.open_nursery() as nursery:
                process = self._process(nursery, blobs, job.number)
                opened_root(process, work, chosen, shape, by_path=self.options.any_job)
                why = await self._watched(process, job, shape)
                outcome = self._told(process, job, why)
                key, failure = process.end_key, outcome.failure
                self._tell_members(wire.Over(key, failure, job.number))
                self._running = None
                nursery.cancel_scope.cancel()
        self.station.restock(1)
        return outcome

    def _shape(self, job: Job, work: JobOptions) -> Shape:
        nodes = sum(nodes_connected(self.station))
        partitions = work.partitions or max(1, nodes)
        fanout = work.fanout or choose_fanout(partitions)
        shape = Shape.root(partitions, fanout, work.keep_going)
        return attrs.evolve(shape, session=str(job.number))

    def _process(self, nursery: trio.Nursery, blobs: Blobs, number: int) -> Process:
        """What this process is to the job of that number."""
        keys, values_max = Keys.drawn(), self.options.values_max
        process = Process(
            self.station, nursery, blobs, keys=keys, values_max=values_max, tree=number
        )
        self._running, self._declined = process, {}
        process.on_declined = self._count_declined
        nursery.start_soon(process.run)
        return process

    def _count_declined(self, peer: Peer, reason: str) -> None:
        self._declined[peer.number] = reason
        event(logging.WARNING, "declined", peer=peer.name, reason=reason)
        self._wake()

    async def _watched(self, process: Process, job: Job, shape: Shape) -> str:
        """Wait for its end. Returns why it came, where that is not an outcome."""
        while not process.over.is_set():
            job.nodes = sum(nodes_connected(self.station))
            job.accepted = accepted(process.host, shape)
            self.desk.tell_all()
            if job.cancel_asked:
                return ""
            if why := self._declined_by_all():
                return f"no process of the fleet computes it: {why}"
            with trio.move_on_after(LOOK_SECONDS):
                await process.over.wait()
        return ""

    def _declined_by_all(self) -> str:
        """Why, if all who are there take no part."""
        there = [p.number for p in self.station.connections.peers.values() if _joins(p)]
        if there and all(number in self._declined for number in there):
            return self._declined[there[0]]
        return ""

    def _told(self, process: Process, job: Job, why: str) -> wire.Outcome:
        """How it ended, as it is told to who submitted it."""
        if job.cancel_asked and process.outcome is None:
            return cancelled(job)
        ended = process.outcome
        if why or ended is None:
            return failed(job, why)
        lost = Lost.of(ended.lost)
        if ended.failure is None:
            job.accepted = job.partitions - (lost.count if lost else 0)
        return wire.Outcome(
            job.number,
            State.FAILED.value if ended.failure is not None else State.DONE.value,
            plain(process.blobs.loaded(ended.result)),
            m.Failure.of(ended.failure),
            ended.lost,
            job.nodes,
            job.partitions,
            job.accepted,
        )


def _joins(peer: Peer) -> bool:
    """Whether it is a process with nodes."""
    return peer.hello is not None and peer.hello.nodes > 0


def _work(spec: wire.Spec) -> JobOptions:
    """The same as a command says it. Raises ValueError for what no command would take."""
    return JobOptions(
        job=spec.job,
        input=spec.input,
        partitions=spec.partitions,
        fanout=spec.fanout,
        delay=spec.delay,
        seed=spec.seed,
        piece_timeout=spec.piece_timeout,
        keep_going=spec.keep_going,
        **{part: name for part, name in spec.parts.items() if part in installed.PARTS},
    )
