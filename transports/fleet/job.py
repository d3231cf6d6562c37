"""One job of a fleet: what it is, how far it has come, and what is said of it when it is over."""

from __future__ import annotations

from enum import StrEnum

import attrs
import msgspec

from core.messages import Failure, Value
from plugins.console.telling import Lost
from transports.net import wire

CALLS = "transports.fleet.calling"  # the job of functions of a program


class State(StrEnum):
    """Of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Refusal(ValueError):
    """It is not taken. The message is one line, for whoever submits."""


class Absent(Refusal):
    """There is no such module or file here."""


@attrs.define(eq=False)
class Job:
    """One job. Times are seconds of the wall clock. Once it has ended its spec has no input."""

    number: int
    key: bytes
    spec: wire.Spec
    submitted: float
    state: State = State.QUEUED
    started: float | None = None
    ended: float | None = None
    user: str = ""  # who has submitted it, for people
    nodes: int = 0  # that take part, or have not declined yet
    declining: int = 0  # nodes that are there and take no part
    partitions: int = 0
    accepted: int = 0
    cancel_asked: bool = False  # while it runs; whoever has it computed ends it
    taken: Value = None  # what came of it, where that is large, until the outcome is known
    outcome: wire.Outcome | None = None
    said: bytes = b""  # digest of the spec
    size: int = 0  # bytes: of the spec while it waits, of the outcome after that
    rank: int = 0  # the how-manyth it was to end
    submitter: int = 0  # the number of its process
    told: bool = False  # somebody knows its outcome: who submitted it, or who has asked for it
    priority: int = attrs.Factory(lambda job: job.spec.priority, takes_self=True)
    weight: float = attrs.Factory(lambda job: job.spec.weight, takes_self=True)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.spec.title or self.spec.job

    @property
    def is_calls(self) -> bool:
        """Whether it is functions of a program that are called."""
        return self.spec.job == CALLS

    @property
    def missing(self) -> int:
        """How many partitions its result is without, as they failed for good."""
        lost = None if self.outcome is None else Lost.of(self.outcome.lost)
        return lost.count if lost else 0

    @property
    def seconds(self) -> float:
        """From its beginning to its end; 0.0 unless it had both."""
        if self.started is None or self.ended is None:
            return 0.0
        return max(0.0, self.ended - self.started)


# -- how jobs end --------------------------------------------------------------------------


def unknown(number: int, why: str = "") -> wire.Outcome:
    """Of a job of which nothing is known (any more)."""
    why = why or f"there is no job {number}: it was never submitted here, or is forgotten"
    return wire.Outcome(number, "unknown", failure=Failure(str(number), None, why))


def failed(job: Job, why: str) -> wire.Outcome:
    """Of one that failed otherwise than in its functions. `why` is one line."""
    return _outcome(job, State.FAILED, why)


def cancelled(job: Job) -> wire.Outcome:
    """Of one that somebody has cancelled."""
    return _outcome(job, State.CANCELLED, "the job was cancelled")


def readable(outcome: wire.Outcome) -> wire.Outcome:
    """The same for whoever cannot know who submitted the job: nothing is unpickled that comes from
    others, who could have anything run by that. So of calls there is a result where it is plain."""
    if outcome.state != State.DONE or not outcome.is_calls:
        return outcome
    if isinstance(outcome.result, dict) and "plain" in outcome.result:
        return msgspec.structs.replace(outcome, result=outcome.result["plain"])
    why = (
        f"job {outcome.number} is done, but its results are pickled, for the program alone that "
        "submitted it, as reading them runs what others put there: take them in that program, or "
        "submit the function with 'submit --map'"
    )
    return unknown(outcome.number, why)


def _outcome(job: Job, state: State, why: str) -> wire.Outcome:
    failure = Failure(str(job.number), None, why)
    return wire.Outcome(
        job.number,
        state.value,
        failure=failure,
        nodes=job.nodes,
        partitions=job.partitions,
        accepted=job.accepted,
    )
