"""The root of a fleet: nodes come and stay, jobs come and go, a few at a time.

Rules it keeps:
- A job has a number, and a tree of its own under it; nodes take part in all that run. How these
  share a machine's cores is the machine's to say; it is told what each job weighs.
- Whoever comes is told which jobs run. So who was away when one ended knows that it has.
- A job begins when a node is there, and not too many run.
- Told to go, by a signal, a client or whoever started it, it cancels what runs and tells everyone.
  With a store a signal only interrupts it: all wait for it, as they do when it was killed.
- What cannot be stored ends nothing: it is tried again, and told at the end if it was in vain.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, nullcontext
from functools import partial
from typing import Any, Final

import trio

from core import messages as m
from plugins.console import streams
from plugins.console.distributions import parse
from plugins.console.exits import Exit
from plugins.jobs.loading import JobError
from plugins.launching import Bots
from transports.command import bots
from transports.command.deployment import standing
from transports.command.jobroot import JobRoot, allowed
from transports.command.leaving import signalled, stdin_ended
from transports.command.status import nodes_connected, status_of
from transports.command.trusting import Trusting, signer_of
from transports.command.wanted import PROGRAM, ServeOptions
from transports.fleet.bulk import Bulk
from transports.fleet.desk import Desk
from transports.fleet.failures import DECLINED_MAX, Failures
from transports.fleet.job import Absent, Job, cancelled
from transports.fleet.jobs import Jobs
from transports.fleet.log import shown
from transports.fleet.logs import Logs
from transports.fleet.store import AGAIN_SECONDS, Store, drawn_id
from transports.logs import event
from transports.net import wire
from transports.net.peer import Peer, called, joins
from transports.net.security import Security
from transports.process.station import Station
from transports.values.folder import values_folder
from transports.work import jobs as installed
from transports.work.sources import missing, others
from transports.work.warm import Warm

WARM_MAX = 2  # computing processes that have loaded a job are kept
NAME_LENGTH_MAX = 4096  # characters, as a path has at most: many are told of it
MEMBERS_MAX = 1000  # processes with nodes
RETURN_SECONDS = 10.0  # in which those who were there before come back to a root begun anew
FULL_SECONDS = 60.0
HALTED: Final = m.Failure("0", None, "the fleet has ended")


async def serve(options: ServeOptions, security: Security, note: Callable[[str], None]) -> Exit:
    """Be the root of a fleet until told to go. `note` is told what a person would want to know.

    Raises StoreError, BlobError, CannotListen and BotsError.
    """
    with nullcontext() if options.store is None else closing(Store(options.store)) as store:
        jobs = Jobs(store=store)
        found = standing(
            security,
            options.listen,
            options.advertise,
            heartbeat_seconds=options.heartbeat,
            cores=options.at_once,  # prepare and collect of one job do not wait for those of others
        )
        async with found as (station, nursery):
            folder = None if store is None else values_folder(store.path)
            send = station.connections.send_back
            with closing(Bulk(nursery, send, jobs.values, folder)) as bulk:
                jobs.check_values(bulk.has)
                bulk.tidy_up()
                return await Serving(station, options, note, jobs, bulk, store).run()


class Serving:
    """One fleet, from its beginning to its end."""

    def __init__(
        self,
        station: Station,
        options: ServeOptions,
        note: Callable[[str], None],
        jobs: Jobs,
        bulk: Bulk,
        store: Store | None,
    ) -> None:
        self.station = station
        self.options = options
        self._note = note
        self.jobs = jobs
        self.store = store
        self.id = drawn_id() if store is None else store.fleet  # by which it is known again
        self.desk = Desk(station, jobs, bulk, self._check, self._wake, self._halt)
        self.logs = Logs(station, jobs)
        self.trusting = Trusting(options.trust)
        self.exit = Exit.FINISHED
        returning = RETURN_SECONDS if store is not None and jobs.going() else 0.0
        self._all_there_at = trio.current_time() + returning
        self._awaited: bots.Awaited | None = None  # bots that have yet to come
        self._over = trio.Event()
        self._news = trio.Event()  # something may be to be done
        self._roots: dict[int, JobRoot] = {}  # of the jobs that run, by number
        self._told = wire.Sharing(())  # what members were told of these last
        self._declined: dict[int, set[str]] = {}  # why, as was told, by number of each process
        station.warm = Warm(WARM_MAX)
        station.dials = False  # a member that is dialled would not believe what it is told
        station.keeps = lambda peer: True
        station.on_met, station.on_lost = self._met, self._lost
        station.status = self._status

    async def run(self) -> Exit:
        """Returns how it ended. Raises BotsError."""
        async with self._bots() as started, trio.open_nursery() as nursery:
            self._tell_where()
            hangs_up = self.options.trust is None
            nursery.start_soon(self._hear, partial(signalled, hangs_up), Exit.INTERRUPTED)
            changed, gone = self._end_distrusted, partial(self._end, Exit.INTERRUPTED)
            nursery.start_soon(self.trusting.hear_hangups, self._note, changed, gone)
            if started is not None:
                nursery.start_soon(started.keep, self._note)
            if self.options.while_stdin:
                nursery.start_soon(self._hear, stdin_ended, Exit.FINISHED)
            nursery.start_soon(self._compute_all)
            nursery.start_soon(self.logs.run)
            if self.store is not None:
                self.store.on_trouble = partial(self._tell_trouble, self.store)
                nursery.start_soon(self._store_what_is_missing, self.store)
            await self._over.wait()
            nursery.cancel_scope.cancel()
        if self.store is None or self.exit is not Exit.INTERRUPTED:
            self._end_all()
        return self.exit if self.store is None else self._stored(self.store)

    def _end_all(self) -> None:
        for job in self.jobs.going():
            self.jobs.end(job, cancelled(job))
        self._tell_members(wire.Over(b"", HALTED))

    @asynccontextmanager
    async def _bots(self) -> AsyncIterator[Bots | None]:
        options = self.options
        if options.bots is None:
            yield None
            return
        told = bots.computing(options.allow, options.any_job, options.trust)
        given = options.bots, self.station, options.security, options.heartbeat, told
        async with bots.started(*given) as started:
            self._awaited = bots.Awaited(options.bots.nodes, started)
            yield started

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
        self._end(how)

    def _end(self, how: Exit) -> None:
        self.exit = how
        self._over.set()

    def _halt(self) -> None:
        self._over.set()

    # -- the store -------------------------------------------------------------------------

    async def _store_what_is_missing(self, store: Store) -> None:
        """Now and then."""
        while True:
            await trio.sleep(AGAIN_SECONDS)
            store.catch_up()
            self.jobs.store_failures()

    def _tell_trouble(self, store: Store, trouble: str) -> None:
        if trouble:
            self._note(f"{store.path}: {trouble}: the fleet goes on, and it is tried again")
        else:
            self._note(f"{store.path}: it can be written again, and has all that was missing")

    def _stored(self, store: Store) -> Exit:
        """How it ended, after the last try to store what is missing."""
        if not (store.catch_up(at_once=True) and self.jobs.store_failures()):
            self._note(f"{store.path} is not complete: {store.trouble}")
            return Exit.FAILED
        if self.exit is Exit.INTERRUPTED:
            self._note("interrupted: the same command goes on with all jobs")
        return self.exit

    # -- who comes and goes ----------------------------------------------------------------

    def _met(self, peer: Peer) -> None:
        """A process that joins is told what runs; one that has no nodes is a client."""
        if not joins(peer):
            return
        if sum(map(joins, self.station.connections.peers.values())) > MEMBERS_MAX:
            self._say(peer, wire.Full(FULL_SECONDS))
            return
        self._say(peer, wire.Running(tuple(self._roots), self.id))
        self._say(peer, self._sharing())
        self._wake()

    def _lost(self, peer: Peer) -> None:
        self.desk.lost(peer)
        self.logs.lost(peer)
        for root in self._roots.values():
            root.declined.pop(peer.number, None)
        self._declined.pop(peer.number, None)
        self._wake()

    def _tell_declined(self, job: Job, peer: Peer, why: str) -> None:
        """Say it, but once for each process and reason: as it is with each job that is alike."""
        told = self._declined.setdefault(peer.number, set())
        if why in told:
            return
        if len(told) >= DECLINED_MAX:
            told.clear()
        told.add(why)
        what = f"takes no part in job {job.number}, nor in others like it"
        self._note(f"the process at {called(peer)} {what}: {shown(why)}")

    def _say(self, peer: Peer, envelope: wire.Envelope) -> None:
        self.station.connections.send_back(peer.name, wire.encode(envelope))

    def _sharing(self) -> wire.Sharing:
        jobs = (root.job for root in self._roots.values())
        shares = tuple(wire.Share(job.number, job.priority, job.weight) for job in jobs)
        return wire.Sharing(shares, self.options.preempt_after)

    def _tell_members(self, envelope: wire.Envelope) -> None:
        for peer in list(self.station.connections.peers.values()):
            if joins(peer):
                self._say(peer, envelope)

    def _status(self) -> dict[str, Any]:
        return {**status_of(self.station), "fleet": self.id, "jobs": self.jobs.rows()}

    # -- jobs ------------------------------------------------------------------------------

    def _wake(self) -> None:
        self._news.set()

    def _check(self, said: wire.Submit) -> str:
        """What the client is to know of the job. Raises ValueError for what cannot be computed
        here, as far as that is seen without loading it; that says who refuses it."""
        try:
            return self._checked(said)
        except Absent:
            raise
        except ValueError as error:
            why = f"{error}{self._or_signed(said.spec, error)}"
            raise ValueError(f"the root at {self.station.me.name} refuses it: {why}") from None

    def _or_signed(self, spec: wire.Spec, error: ValueError) -> str:
        """The other way, for what is not allowed."""
        could = isinstance(error, JobError) and spec.signed is None and self.trusting.names
        return "; or submit it with --sign, by a key that is trusted there" if could else ""

    def _checked(self, said: wire.Submit) -> str:
        spec, found = said.spec, list[str]()
        if spec.signed is not None:
            self.trusting.submitted(said, self.id)
        for name in (spec.job, *spec.parts.values()):
            if len(name) > NAME_LENGTH_MAX:
                raise ValueError(f"a job's name of {len(name):,} characters: rename it")
            if spec.signed is None:
                here = installed.allowed(installed.place(name), allowed(self.options))
                if why := missing(here):
                    raise Absent(f"{why}, at the root of the fleet: see how it is called there")
                found.append(here)
        if unknown := spec.parts.keys() - {*installed.PARTS}:
            raise ValueError(f"a job has no part {min(unknown)!r:.80}")
        if spec.delay is not None:
            parse(spec.delay)
        if not (differ := others(said.files, found)):
            return ""
        return f"{', '.join(differ)} here is not what the fleet computes: its root has another one"

    async def _compute_all(self) -> None:
        """As many at once as may be, as long as somebody is there to compute them."""
        async with trio.open_nursery() as nursery:
            while True:
                self._news = trio.Event()
                wait = self._seconds_to_wait()
                while len(self._roots) < self.options.at_once and not wait:
                    job = self.jobs.upcoming()
                    if job is None:
                        break
                    self.jobs.begin(job)
                    failures = self.jobs.failures(job.number) or Failures()
                    self._roots[job.number] = root = JobRoot(
                        self.station,
                        self.options,
                        job,
                        self._all_there_at,
                        self._chosen,
                        failures,
                    )
                    nursery.start_soon(self._compute, root)
                self._tell_weights()
                self.desk.tell_all()
                with trio.move_on_after(wait or math.inf):
                    await self._news.wait()
                for root in self._roots.values():
                    root.hear()

    async def _chosen(self, spec: wire.Spec) -> installed.Chosen:
        """The job, as it is computed here. Raises ValueError, OSError."""
        allow, reserve = allowed(self.options), self.station.reserve
        return await self.trusting.chosen(spec, self.id, allow, reserve)

    def _end_distrusted(self) -> None:
        """Jobs that run for keys that are trusted no more; those that wait will not begin."""
        for root in self._roots.values():
            signer = signer_of(root.job.spec)
            if signer is not None and signer not in self.trusting.names:
                root.distrusted = "the key of the job is not trusted by the fleet any more"
        self._wake()

    def _tell_weights(self) -> None:
        """Members know what each job weighs before it begins, and whenever that changes."""
        sharing = self._sharing()
        if sharing != self._told:
            self._told = sharing
            self._tell_members(sharing)

    def _seconds_to_wait(self) -> float:
        """Until a job may begin, if nobody comes meanwhile; 0.0: it may."""
        nodes = sum(nodes_connected(self.station))
        if not nodes:
            return math.inf
        return 0.0 if self._awaited is None else self._awaited.seconds(nodes)

    def _tell_over(self, root: JobRoot, outcome: wire.Outcome) -> None:
        """Members take no part in it any more."""
        self._tell_members(wire.Over(root.end_key, outcome.failure, root.job.number))

    async def _compute(self, root: JobRoot) -> None:
        """From its beginning to its end."""
        job = root.job
        event(logging.INFO, "job", number=job.number, job=job.name)
        root.on_cancelled = partial(self._tell_over, root)
        root.on_declined = partial(self._tell_declined, job)
        try:
            outcome = await root.run(self.desk)
        finally:
            del self._roots[job.number]
        self._tell_over(root, outcome)  # also who came meanwhile
        self.jobs.end(job, outcome)
        event(logging.INFO, "job_over", number=job.number, state=outcome.state)
        self.station.restock(2)
        self._wake()
