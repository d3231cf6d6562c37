"""The queue of a fleet, and what came of the last jobs.

Rules it keeps:
- A job goes from queued to running to ended, or at once from queued to cancelled. What has ended
  stays as it is.
- The same key and the same spec are the same job, for as long as the job is known here: whoever is
  not sure whether it was heard says it again.
- Who is next is said in `turns.py`. What a job weighs may change for as long as it has not ended.
- Whatever is kept is bounded: the jobs that wait and their inputs, the jobs that have ended and
  their results. A result that had to go leaves an outcome that says so.
- Of the jobs that have ended the last 100 are kept whose outcome nobody was told, and apart from
  these the last 100 whose outcome somebody was: one that is known to whoever submitted it forgets
  none that is still to be asked for. Calls of a program, which may be very many, are counted apart
  from all others in the same way, and only the last 20 that somebody was told of are kept.
- Of large results those go first that somebody was told.
- With a store it knows what it knew before it was started again, but what ran then waits again; and
  whatever others are told of a job is in the store before.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from core.messages import Value
from plugins.console.telling import failure_line
from transports.fleet.failures import Failures
from transports.fleet.job import Job, Refusal, State, cancelled, failed, unknown
from transports.fleet.store import Store
from transports.fleet.turns import in_turn
from transports.net import wire
from transports.net.errors import LocalProtocolError
from transports.values.handles import KEY, is_handle

QUEUED_MAX = 1000
QUEUED_BYTES_MAX = 2**28  # of their specs, with the inputs
KEPT = 100  # jobs that have ended, of each kind
KEPT_CALLS = 20  # of calls, where somebody knows what came of them
KEPT_BYTES_MAX = 2**30  # of their outcomes
MADE_ROOM = f"it made room for later results, which may take {KEPT_BYTES_MAX >> 20} MB together"
LINE_MAX = 300  # characters of a failure, in a table


def _ignore(job: Job) -> None:
    pass


def _by_nobody(job: Job) -> bool:
    return False


class Jobs:
    """All jobs of a fleet that are known. `changed` is given each whose state is another;
    `is_awaited` says whether somebody is told then. Raises StoreError where what is stored cannot
    be read."""

    def __init__(self, clock: Callable[[], float] = time.time, store: Store | None = None) -> None:
        self.changed: Callable[[Job], None] = _ignore
        self.is_awaited: Callable[[Job], bool] = _by_nobody
        self.last = 0 if store is None else store.last  # the number that was given last
        self._clock = clock
        self._store = store
        self._jobs: dict[int, Job] = {}  # in the order of their numbers
        self._by_key: dict[bytes, Job] = {}
        self._queued: dict[int, Job] = {}
        self._running: dict[int, Job] = {}
        self._ended: dict[int, Job] = {}  # in the order in which they did
        self._failures: dict[int, Failures] = {}  # of what has raised, by number
        self._queued_bytes = self._kept_bytes = 0
        self._turns: dict[int, int] | None = None  # of those that wait, by number; None: not known
        if store is not None:
            self._go_on_with(store.load())
            self._failures |= store.load_failures()

    # -- what clients ask ------------------------------------------------------------------

    def submit(self, key: bytes, spec: wire.Spec, submitter: int = 0, user: str = "") -> Job:
        """The job that this is. Raises Refusal."""
        data = msgspec.msgpack.encode(spec)
        said = hashlib.sha256(data).digest()
        if known := self._by_key.get(key):
            if known.said != said:
                raise Refusal(f"job {known.number} has that key already, and is another one")
            return known
        self._refuse_if_full(len(data))
        now, number = self._clock(), self.last + 1
        job = Job(number, key, spec, now, user=user, said=said, size=len(data))
        job.submitter = submitter
        if self._store is not None:
            self._store.add(job)
        self.last = job.number
        self._jobs[job.number] = self._by_key[key] = job
        self._wait(job)
        self.changed(job)
        return job

    def cancel(self, number: int) -> Job | None:
        """End it if it waits, ask for its end if it runs; None: there is no such job."""
        job = self._jobs.get(number)
        if job is None:
            return None
        if job.state is State.QUEUED:
            self.end(job, cancelled(job))
        elif job.state is State.RUNNING and not job.cancel_asked:
            job.cancel_asked = True
            self._put([job])
            self.changed(job)
        return job

    def knows(self, key: bytes) -> bool:
        """Whether there is a job of that key."""
        return key in self._by_key

    def weigh(self, number: int, priority: int | None, weight: float | None) -> Job | None:
        """Change what it weighs, unless it has ended; None: there is no such job."""
        job = self._jobs.get(number)
        if job is not None and job.outcome is None:
            job.priority = job.priority if priority is None else priority
            job.weight = job.weight if weight is None else weight
            self._turns = None
            self._put([job])
        return job

    def get(self, number: int) -> Job | None:
        """The job of that number, unless there was none or it is forgotten."""
        return self._jobs.get(number)

    def values(self) -> set[str]:
        """The names of the large values that the jobs have."""
        said: list[Value] = [job.spec.input for job in self._jobs.values()]
        said += [job.taken for job in self._jobs.values()]
        said += [job.outcome.result for job in self._jobs.values() if job.outcome is not None]
        return {value[KEY] for value in said if is_handle(value)}

    def check_values(self, has: Callable[[Value], bool]) -> None:
        """Jobs whose large values are not there, after a power cut say, have failed, or have no
        result any more."""
        for job in list(self._jobs.values()):
            if not has(job.spec.input):
                self.end(job, failed(job, "its input is not there any more: submit it again"))
            elif job.outcome is not None and not has(job.outcome.result):
                self._give_up_result(job, "it is not there any more")
                self._put([job])

    def note_told(self, job: Job) -> None:
        """Somebody was told what came of it."""
        if not job.told:
            job.told = True
            if self._store is not None:
                self._store.note(job)

    def going(self) -> list[Job]:
        """Those that have not ended, by number."""
        return [job for job in self._jobs.values() if job.outcome is None]

    def ahead(self, job: Job) -> int:
        """How many jobs go before it."""
        if job.state is not State.QUEUED:
            return 0
        return len(self._running) + self._in_turn()[job.number]

    def rows(self) -> list[dict[str, Any]]:
        """All of them as plain data, by number."""
        return [self._row(job) for job in self._jobs.values()]

    def failures(self, number: int) -> Failures | None:
        """What has raised in that job; None where there was none or it is forgotten."""
        return self._failures.setdefault(number, Failures()) if number in self._jobs else None

    # -- what the root does ----------------------------------------------------------------

    def upcoming(self) -> Job | None:
        """The job that is to be computed next."""
        first = next(iter(self._in_turn()), None)
        return None if first is None else self._queued[first]

    def _in_turn(self) -> dict[int, int]:
        """How many of those that wait go before each, by number; whoever is next is the first."""
        if self._turns is None:
            waiting, running = self._queued.values(), self._running.values()
            order = in_turn(waiting, running, self._jobs.values())
            self._turns = {job.number: i for i, job in enumerate(order)}
        return self._turns

    def begin(self, job: Job) -> None:
        """It is computed from now on."""
        self._leave_queue(job)
        self._running[job.number] = job
        job.state, job.started = State.RUNNING, self._clock()
        self.changed(job)

    def end(self, job: Job, outcome: wire.Outcome) -> None:
        """That came of it, unless it has ended before; it failed if that cannot be told."""
        if job.number in self._queued:
            self._leave_queue(job)
        elif self._running.pop(job.number, None) is None:
            return
        self._turns = None
        job.ended = self._clock()
        job.spec, job.taken = msgspec.structs.replace(job.spec, input=None, signed=None), None
        outcome = msgspec.structs.replace(outcome, seconds=job.seconds, is_calls=job.is_calls)
        try:
            job.outcome, job.size = outcome, _size(outcome)
        except LocalProtocolError as error:
            job.outcome = outcome = failed(job, f"what came of it cannot be told: {error}")
            job.size = _size(outcome)
        job.state = State(outcome.state)
        job.told = self.is_awaited(job)
        job.declining = 0
        job.nodes, job.partitions, job.accepted = (
            outcome.nodes,
            outcome.partitions,
            outcome.accepted,
        )
        job.rank = 1 + max((other.rank for other in self._ended.values()), default=0)
        self._keep(job)
        self.store_failures()
        self.changed(job)

    def store_failures(self) -> bool:
        """Whether what has raised is stored, or need not be."""
        news = {number: found for number, found in self._failures.items() if not found.stored}
        return not news or self._store is None or self._store.put_failures(news)

    def _wait(self, job: Job) -> None:
        self._queued[job.number] = job
        self._turns = None
        self._queued_bytes += job.size

    def _leave_queue(self, job: Job) -> None:
        self._turns = None
        if self._queued.pop(job.number, None) is None:
            raise ValueError(f"job {job.number} does not wait, it is {job.state}")
        self._queued_bytes -= job.size

    # -- how much is kept ------------------------------------------------------------------

    def _refuse_if_full(self, size: int) -> None:
        if len(self._queued) >= QUEUED_MAX:
            raise Refusal(f"{QUEUED_MAX:,} jobs wait already: submit it again when some are over")
        if self._queued_bytes + size > QUEUED_BYTES_MAX:
            most = f"{QUEUED_BYTES_MAX >> 20} MB"
            raise Refusal(
                f"the inputs of the jobs that wait would take more than {most}: submit it again "
                "when some are over"
            )

    def _keep(self, job: Job) -> None:
        """This one that has ended, and of those before it as many as there is room for."""
        self._ended[job.number] = job
        self._kept_bytes += job.size
        forgotten, changed = self._too_many(), [job]
        for old in forgotten:
            self._forget(old)
        for old in sorted(self._ended.values(), key=lambda old: not old.told):
            if self._kept_bytes <= KEPT_BYTES_MAX:
                break
            if old is not job:
                self._give_up_result(old, MADE_ROOM)
                changed.append(old)
        self._put(changed, forgotten)

    def _too_many(self) -> list[Job]:
        """Of each kind those that ended first."""
        kinds: dict[tuple[bool, bool], list[Job]] = {}
        for job in self._ended.values():
            kinds.setdefault((job.is_calls, job.told), []).append(job)
        kept = {kind: KEPT_CALLS if all(kind) else KEPT for kind in kinds}
        return [job for kind, jobs in kinds.items() for job in jobs[: -kept[kind]]]

    def _put(self, changed: list[Job], forgotten: Iterable[Job] = ()) -> None:
        if self._store is not None:
            self._store.put(changed, forgotten)

    def _forget(self, job: Job) -> None:
        del self._ended[job.number], self._jobs[job.number], self._by_key[job.key]
        self._failures.pop(job.number, None)
        self._kept_bytes -= job.size

    def _give_up_result(self, job: Job, why: str) -> None:
        said = f"job {job.number} is {job.state}, but what came of it is not kept any more: {why}"
        gone = unknown(job.number, said)
        self._kept_bytes -= job.size
        job.outcome, job.size = gone, _size(gone)
        self._kept_bytes += job.size

    # -- what was stored -------------------------------------------------------------------

    def _go_on_with(self, stored: list[Job]) -> None:
        """What ran before waits again, unless its end was asked for."""
        for job in stored:
            self._jobs[job.number] = self._by_key[job.key] = job
            if job.outcome is None:
                job.state, job.started = State.QUEUED, None
                job.nodes = job.partitions = job.accepted = 0
                job.size = len(msgspec.msgpack.encode(job.spec))
                self._wait(job)
        for job in sorted((job for job in stored if job.outcome is not None), key=_rank):
            self._ended[job.number] = job
            self._kept_bytes += job.size
        for job in stored:
            if job.cancel_asked and job.outcome is None:
                self.end(job, cancelled(job))

    def _row(self, job: Job) -> dict[str, Any]:
        failure = job.outcome.failure if job.outcome else None
        return {
            "number": job.number,
            "job": job.name,
            "state": job.state.value,
            "priority": job.priority,
            "weight": job.weight,
            "ahead": self.ahead(job),
            "user": job.user,
            "nodes": job.nodes,
            "declining": job.declining,
            "partitions": job.partitions,
            "accepted": job.accepted,
            "missing": job.missing,
            "submitted": job.submitted,
            "started": job.started,
            "ended": job.ended,
            "failure": failure_line(failure)[:LINE_MAX] if failure else None,
        }


def _size(outcome: wire.Outcome) -> int:
    """In bytes, with what is beside its message."""
    beside = outcome.result["size"] if is_handle(outcome.result) else 0
    return len(wire.encode(outcome)) + int(beside)


def _rank(job: Job) -> int:
    return job.rank
