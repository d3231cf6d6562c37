"""The desk of a fleet: what clients say to its root, and what they are told of their jobs.

Rules it keeps:
- Whoever is connected may submit, watch, weigh, cancel and halt: one fleet is one circle of trust.
- What is submitted again with the same key is the same job: so a client that has lost its
  connection asks again without harm.
- An input that is too large for a message is fetched from the client before its job is taken.
- Who watches a job is told where it stands at once, then whenever that changes, and at last its
  outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from core.messages import Failure, Value
from transports.fleet.bulk import Bulk
from transports.fleet.job import Absent, Job, unknown
from transports.fleet.jobs import Jobs
from transports.net import wire
from transports.net.errors import LocalProtocolError
from transports.net.peer import Link, Peer
from transports.process.station import Station


class Desk:
    """Of one fleet. `check` raises ValueError for what cannot be computed here, and returns what a
    client with such files is to know of it; `news` is called when there is something for the fleet
    to do: a job, one less, one of another weight; `halt`, to end it."""

    def __init__(
        self,
        station: Station,
        jobs: Jobs,
        bulk: Bulk,
        check: Callable[[wire.Submit], str],
        news: Callable[[], None],
        halt: Callable[[], None],
    ) -> None:
        self.bulk = bulk
        self._station = station
        self._jobs = jobs
        self._check = check
        self._wake = news
        self._halt = halt
        self._watching: dict[int, dict[str, wire.Progress | None]] = {}  # by job, what each knows
        self._outputs: dict[int, set[str]] = {}  # by job, who is told each output
        jobs.changed, jobs.is_awaited = self.tell, self._is_watched
        station.handlers |= {
            wire.Fetch: bulk.said,
            wire.Chunk: bulk.said,
            wire.Missing: bulk.said,
            wire.Submit: self._submitted,
            wire.Watch: self._watched,
            wire.Weigh: self._weighed,
            wire.Cancel: self._cancelled,
            wire.Halt: self._halted,
        }

    def _submitted(self, peer: Peer, said: wire.Submit, link: Link) -> None:
        submit, refuse = partial(self._submit, peer, said), partial(self._refuse, peer, said)
        if self._jobs.knows(said.key):
            submit()
        else:
            self.bulk.bring(said.spec.input, peer.name, submit, refuse)

    def _submit(self, peer: Peer, said: wire.Submit) -> None:
        try:
            note = self._check(said)
            job = self._jobs.submit(said.key, said.spec, peer.number, said.user)
        except ValueError as refusal:
            return self._refuse(peer, said, str(refusal), isinstance(refusal, Absent))
        self._say(peer.name, wire.Accepted(said.key, job.number, note[: wire.REASON_LENGTH_MAX]))
        self._news()
        return None

    def _refuse(self, peer: Peer, said: wire.Submit, why: str, absent: bool = False) -> None:
        self._say(peer.name, wire.Refused(said.key, why[: wire.REASON_LENGTH_MAX], absent))

    def _watched(self, peer: Peer, said: wire.Watch, link: Link) -> None:
        job = self._jobs.get(said.number)
        if job is None:
            return self._say(peer.name, unknown(said.number))
        self._watching.setdefault(job.number, {})[peer.name] = None
        if said.outputs:
            self._outputs.setdefault(job.number, set()).add(peer.name)
        return self.tell(job)

    def _weighed(self, peer: Peer, said: wire.Weigh, link: Link) -> None:
        job = self._jobs.weigh(said.number, said.priority, said.weight)
        if job is None:
            return self._say(peer.name, wire.Weighed(said.number, unknown(said.number).state))
        self._say(peer.name, wire.Weighed(job.number, job.state, job.priority, job.weight))
        self._news()
        return None

    def _cancelled(self, peer: Peer, said: wire.Cancel, link: Link) -> None:
        self._jobs.cancel(said.number)
        self._watched(peer, wire.Watch(said.number), link)
        self._news()

    def _halted(self, peer: Peer, said: wire.Halt, link: Link) -> None:
        self._halt()

    def _news(self) -> None:
        """A job is another than it was, for whoever asks next, too."""
        self._station.status_changed()
        self._wake()

    def _say(self, name: str, envelope: wire.Envelope) -> None:
        self._station.connections.send_back(name, wire.encode(envelope))

    # -- those who watch -------------------------------------------------------------------

    def tell(self, job: Job) -> None:
        """Tell those who watch it what they do not know yet."""
        watching = self._watching.get(job.number, {})
        if job.outcome is not None:
            self._station.status_changed()
            self._outputs.pop(job.number, None)
            self.bulk.tidy_up()
            for name in self._watching.pop(job.number, ()):
                self._say(name, job.outcome)
                self._jobs.note_told(job)
            return
        progress = self._progress(job)
        for name, known in watching.items():
            if known != progress:
                watching[name] = progress
                self._say(name, progress)

    def _is_watched(self, job: Job) -> bool:
        return bool(self._watching.get(job.number))

    def wants_outputs(self, job: Job) -> bool:
        """Whether anybody is to be told each output of that job."""
        return bool(self._outputs.get(job.number))

    def tell_output(
        self, job: Job, partition: int, output: Value, failure: Failure | None = None
    ) -> None:
        """Tell them that one. What is too large for that comes with the outcome only."""
        try:
            frame = wire.encode(wire.Output(job.number, partition, output, failure))
        except LocalProtocolError:
            return
        for name in self._outputs.get(job.number, ()):
            self._station.connections.send_back(name, frame)

    def tell_all(self) -> None:
        """The same of all jobs."""
        for number in list(self._watching):
            job = self._jobs.get(number)
            if job is not None:
                self.tell(job)

    def _progress(self, job: Job) -> wire.Progress:
        ahead = self._jobs.ahead(job)
        return wire.Progress(job.number, job.state, ahead, job.nodes, job.partitions, job.accepted)

    def lost(self, peer: Peer) -> None:
        """It watches nothing any more, and gives nothing."""
        self.bulk.lost(peer)
        for watching in self._watching.values():
            watching.pop(peer.name, None)
        for names in self._outputs.values():
            names.discard(peer.name)
