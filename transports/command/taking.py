"""A process that joins, in one computation: from what begins there to what is over.

Rules it keeps:
- It computes what it allows, and only where its own copy of the job is the host's.
- Of a job of a fleet that has ended nothing is kept: not its values, nor its processes. Where the
  whole process ends, what is known of its last one stays until the last word is said.
"""

from __future__ import annotations

import logging
from typing import Protocol

import trio

from transports.command.deployment import traced, working
from transports.command.entering import Entrance
from transports.command.trusting import Trusting, signer_of
from transports.command.wanted import JoinOptions
from transports.logs import event
from transports.net import wire
from transports.process.process import Process, nodes_of
from transports.process.station import Station
from transports.values.blobs import Blobs
from transports.values.files import BlobError
from transports.work import jobs
from transports.work.functions import Work


class Joining(Protocol):
    """The process that joins, as one of its computations sees it."""

    station: Station
    entrance: Entrance
    options: JoinOptions
    trusting: Trusting
    fleet_id: str

    def begun(self, begin: wire.Begin, work: Work) -> None:
        """It takes part in that, by these functions."""

    def decline(self, begin: wire.Begin, why: str) -> None:
        """It takes no part in that."""

    def ask(self) -> None:
        """The host may be another one than it was."""

    def lasts(self) -> bool:
        """Whether it goes on when a computation has ended."""
        raise NotImplementedError

    def look_whether_over(self) -> None:
        """One has ended, of which something stays until the last word is said."""


class Taking:
    """`process` is None until the job is known to be the same as the host's."""

    def __init__(self, joining: Joining, begin: wire.Begin) -> None:
        self.process: Process | None = None
        self.scope = trio.CancelScope()
        self._signer: bytes | None = None  # the key that has signed it, if that counts
        self._joining = joining
        self._begin = begin

    async def run(self) -> None:
        """From its beginning to its end, or until this process ends."""
        with self.scope:
            chosen = await self._chosen()
            if chosen is None:
                return None
            try:
                blobs = Blobs()
            except BlobError as error:  # no room for a folder: maybe for that of the next one
                return self._joining.decline(self._begin, str(error))
            with blobs:
                async with trio.open_nursery() as nursery:
                    await self._take_part(nursery, blobs, chosen)
                    nursery.cancel_scope.cancel()
        return None

    async def _take_part(self, nursery: trio.Nursery, blobs: Blobs, chosen: jobs.Chosen) -> None:
        joining, options, begin = self._joining, self._joining.options, self._begin
        tree, values_max = wire.tree_of(begin) or 0, options.values_max
        process = Process(joining.station, nursery, blobs, values_max=values_max, tree=tree)
        process.on_begin, process.on_doubt = self._begun_anew, joining.ask
        nursery.start_soon(process.run)
        async with traced(process, None if tree else options.trace, options.sample):
            process.awaits_nodes = True
            try:
                work = working(process, begin, chosen)
                process.begin(begin, work)
            except ValueError as error:  # of a delay or a shape that cannot be
                return joining.decline(begin, str(error))
            self.process = process
            root = begin.root.address
            event(logging.INFO, "begin", job=begin.job, partitions=begin.partitions, root=root)
            joining.begun(begin, work)
            nodes = nodes_of(process.me.number, options.nodes)
            if joining.lasts():
                nursery.start_soon(joining.entrance.enter, process, nodes, begin.root)
            else:
                for node in nodes:
                    process.enter(node, begin.root)
            await process.over.wait()
            if process.failure is not None and process.work is not None:
                process.work.abandon()
            if not joining.lasts():
                joining.look_whether_over()
                await trio.sleep_forever()  # until the last word is said
        return None

    async def _chosen(self) -> jobs.Chosen | None:
        """The job, if this process computes it, and has the same."""
        begin, options = self._begin, self._joining.options
        allow = (*options.allow, *((jobs.ANY,) if options.any_job else ()))
        try:
            if wire.tree_of(begin):
                self._signer = signer_of(begin)
                reserve, trusting = self._joining.station.reserve, self._joining.trusting
                chosen = await trusting.chosen(begin, self._joining.fleet_id, allow, reserve)
            else:
                chosen = jobs.chosen(begin.job, begin.parts, allow)
            if chosen.fingerprint == begin.fingerprint:
                return chosen
            why = f"job {begin.job!r} here is not the same as the host's: install the same version"
        except (ValueError, OSError) as error:
            why = str(error)
        self._joining.decline(begin, why)
        return None

    def _begun_anew(self, begin: wire.Begin) -> None:
        """The host says again what is computed: one of them has lost the other meanwhile."""
        process = self.process
        assert process is not None
        now = process.begun
        assert now is not None
        same = (begin.fingerprint, begin.partitions, begin.fanout)
        if same != (now.fingerprint, now.partitions, now.fanout):
            why = "the host has begun another computation, join it anew"
            return self._joining.decline(begin, why)
        if begin.end != now.end:  # it was begun anew, by who knows nothing of the keys before
            process.host.unlock()
        process.begun = begin
        return None

    def part_if_distrusted(self) -> bool:
        """Be over if the key of its job is not trusted any more; whether it is not."""
        if self._signer is None or self._signer in self._joining.trusting.names:
            return False
        self.leave()
        self._joining.decline(self._begin, "the key of the job is not trusted here any more")
        return True

    def drop(self) -> None:
        """It is over, and nothing that is under way is wanted."""
        if self.process is not None and self.process.work is not None:
            self.process.work.abandon()
        self.scope.cancel()

    def leave(self) -> None:
        """Hand on what is finished, and be over."""
        if self.process is None:
            self.scope.cancel()
        else:
            self.process.post(self._leave, self.process)

    def _leave(self, process: Process) -> None:
        try:
            process.leave()
        finally:
            process.post(process.over.set)  # after what that says to sessions here
