"""The root of one job of a fleet: from its beginning to what came of it.

Rules it keeps:
- What this process is to the job is made for it, and is gone when it ends. The nodes stay.
- It ends with its outcome, when it is cancelled, or when nobody who is there computes it.
- Whatever goes wrong here with one job is its failure: the fleet and its other jobs go on.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import attrs
import trio

from core import Shape
from core import messages as m
from plugins.console.telling import Lost
from plugins.jobs.failing import shortened, summary
from plugins.jobs.values import given, plain
from transports.command.opening import accepted, opened_root, shape_of
from transports.command.status import nodes_connected
from transports.command.wanted import JobOptions, ServeOptions
from transports.fleet.bulk import INLINE_BYTES, Bulk
from transports.fleet.desk import Desk
from transports.fleet.failures import Failures
from transports.fleet.job import Job, State, cancelled, failed
from transports.logs import event
from transports.net import wire
from transports.net.peer import Peer, called, joins
from transports.process.keys import Keys
from transports.process.process import Process
from transports.process.station import Station
from transports.values.blobs import Blobs
from transports.values.files import BlobError, stored
from transports.values.handles import is_handle
from transports.work import jobs

LOOK_SECONDS = 0.05  # from one look at what is done to the next


class JobRoot:
    """`declined`: why, by number of each process that takes no part in it. `all_there_at`: by the
    loop's clock; until then others may come who take part in what those who are there decline."""

    def __init__(
        self,
        station: Station,
        options: ServeOptions,
        job: Job,
        all_there_at: float,
        choose: Callable[[wire.Spec], Awaitable[jobs.Chosen]],
        failures: Failures,
    ) -> None:
        self.job = job
        self.on_cancelled: Callable[[wire.Outcome], None] = _ignore
        self.on_declined: Callable[[Peer, str], None] = _ignore
        self.distrusted = ""  # why it is to end: its key is trusted no more
        self._choose = choose
        self._failures = failures
        self._all_there_at = all_there_at
        self.declined: dict[int, str] = {}
        self._station = station
        self._options = options
        self._keys = Keys.drawn()
        self._loading = trio.CancelScope()
        self._told = bytearray()  # of the partitions of a job that is one session

    @property
    def end_key(self) -> bytes:
        """By which whoever takes part believes that it is over."""
        return self._keys.end

    async def run(self, desk: Desk) -> wire.Outcome:
        """Returns what came of it; those who watch are told how far it is."""
        try:
            return await self._computed(desk)
        except Exception as group:  # noqa: BLE001  it does not load, say, or there is no room
            error = _the_one(group)
            known = isinstance(error, ValueError | ImportError | BlobError | OSError)
            if not known:
                event(logging.ERROR, "job_not_computed", number=self.job.number, reason=error)
            return failed(self.job, shortened(str(error)) if known else summary(error))

    async def _computed(self, desk: Desk) -> wire.Outcome:
        job, work = self.job, _work(self.job.spec)
        with self._loading:
            chosen = await self._choose(job.spec)
        if self._loading.cancelled_caught:
            return failed(job, self.distrusted) if self.distrusted else cancelled(job)
        with Blobs() as blobs:
            desk.bulk.lend(job.spec.input, blobs)
            async with trio.open_nursery() as nursery:
                process = self._process(nursery, blobs)
                shape = self._shape(work)
                value, signed = self._input(blobs), job.spec.signed
                by_path = self._options.any_job and signed is None
                opened_root(process, work, chosen, shape, value, by_path=by_path, signed=signed)
                why = await self._watched(process, shape, desk)
                outcome = self._outcome(process, why, desk)
                if process.work is not None and outcome.state != State.DONE:
                    process.work.abandon()
                if outcome.state == State.CANCELLED:
                    self.on_cancelled(outcome)  # others need not wait for what ends here
                nursery.cancel_scope.cancel()
        return outcome

    def hear(self) -> None:
        """It may be to end by now."""
        if self.job.cancel_asked or self.distrusted:
            self._loading.cancel()

    def _process(self, nursery: trio.Nursery, blobs: Blobs) -> Process:
        """What this process is to the job."""
        values_max, tree = self._options.values_max, self.job.number
        process = Process(
            self._station, nursery, blobs, keys=self._keys, values_max=values_max, tree=tree
        )
        process.on_declined = self._count_declined
        nursery.start_soon(process.run)
        return process

    def _input(self, blobs: Blobs) -> m.Value:
        value = self.job.spec.input
        return value if is_handle(value) else stored(blobs.folder, given(value))

    def _shape(self, work: JobOptions) -> Shape:
        shape = shape_of(work, sum(nodes_connected(self._station)))
        self.job.partitions = shape.partitions
        self._told = bytearray(min(shape.partitions, shape.fanout))
        return attrs.evolve(shape, session=str(self.job.number))

    # -- meanwhile -------------------------------------------------------------------------

    def _count_declined(self, peer: Peer, reason: str) -> None:
        self.declined[peer.number] = reason
        self._failures.decline(called(peer), reason)
        event(logging.INFO, "declined", number=self.job.number, peer=called(peer), reason=reason)
        self.on_declined(peer, reason)

    async def _watched(self, process: Process, shape: Shape, desk: Desk) -> str:
        """Wait for its end. Returns why it came, where that is not what the nodes say."""
        job = self.job
        while not process.over.is_set() and not job.cancel_asked:
            self._count_nodes()
            job.accepted = accepted(process.host, shape)
            desk.tell(job)
            self._tell_outputs(process, shape, desk)
            if self.distrusted:
                return self.distrusted
            if why := self._declined_by_all():
                return f"no process of the fleet computes it; {why}"
            with trio.move_on_after(LOOK_SECONDS):
                await process.over.wait()
        self._tell_outputs(process, shape, desk)
        return ""

    def _count_nodes(self) -> None:
        """Who takes part, or has not declined yet, and who does not."""
        there = [p for p in self._station.connections.peers.values() if joins(p)]
        nodes = {peer.number: peer.hello.nodes for peer in there if peer.hello}
        self.job.declining = sum(nodes[number] for number in nodes.keys() & self.declined.keys())
        self.job.nodes = sum(nodes.values()) - self.job.declining

    def _tell_outputs(self, process: Process, shape: Shape, desk: Desk) -> None:
        """Those that nobody was told yet, to whoever wants them."""
        if not (shape.leaf and desk.wants_outputs(self.job)):
            return
        slots = process.host.reflectors[str(self.job.number)].model.slots
        for i, done in enumerate(slots.done):
            if done and not self._told[i]:
                self._told[i] = 1
                with suppress(BlobError):
                    output = plain(process.blobs.loaded(slots.outputs[i]))
                    failure = _failure_of(i, Lost.of(slots.lost.get(i)))
                    desk.tell_output(self.job, i, output, failure)

    def _declined_by_all(self) -> str:
        """Who says why, if all who are there take no part."""
        peers = self._station.connections.peers.values()
        there = [peer for peer in peers if joins(peer)]
        early = trio.current_time() < self._all_there_at  # others may be about to come back
        if there and not early and all(peer.number in self.declined for peer in there):
            return f"that at {called(there[0])} says: {self.declined[there[0].number]}"
        return ""

    # -- the end ---------------------------------------------------------------------------

    def _outcome(self, process: Process, why: str, desk: Desk) -> wire.Outcome:
        """As it is told to who submitted it. Raises BlobError."""
        job, ended = self.job, process.outcome
        if ended is None:
            return failed(job, why) if why else cancelled(job)
        lost = Lost.of(ended.lost)
        if ended.failure is None:
            job.accepted = job.partitions - (lost.count if lost else 0)
        return wire.Outcome(
            job.number,
            (State.DONE if ended.failure is None else State.FAILED).value,
            self._result(ended.result, process.blobs, desk.bulk),
            m.Failure.of(ended.failure),
            ended.lost,
            job.nodes,
            job.partitions,
            job.accepted,
        )

    def _result(self, value: m.Value, blobs: Blobs, bulk: Bulk) -> m.Value:
        """As it stands in the outcome. Raises BlobError."""
        if is_handle(value) and value["size"] > INLINE_BYTES:
            self.job.taken = value  # first: others may end, and tidy up, before this one has
            bulk.take(value, blobs)
            return value
        return plain(blobs.loaded(value))


def _ignore(*said: object) -> None:
    pass


def _failure_of(partition: int, lost: Lost | None) -> m.Failure | None:
    """For which nothing came of it, if it failed for good."""
    if lost is None:
        return None
    why = "it failed for good, after so many others that its error was not kept"
    return lost.pieces[0] if lost.pieces else m.Failure("", partition, why)


def allowed(options: ServeOptions) -> tuple[str, ...]:
    """What may be computed beside what is allowed anyway."""
    return (*options.allow, *((jobs.ANY,) if options.any_job else ()))


def _work(spec: wire.Spec) -> JobOptions:
    """The same as a command says it. Raises ValueError for what no command would take."""
    return JobOptions(
        job=spec.job,
        partitions=spec.partitions,
        fanout=spec.fanout,
        delay=spec.delay,
        seed=spec.seed,
        piece_timeout=spec.piece_timeout,
        keep_going=spec.keep_going,
        **{part: name for part, name in spec.parts.items() if part in jobs.PARTS},
    )


def _the_one(error: Exception) -> Exception:
    """What is in a group of one."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
