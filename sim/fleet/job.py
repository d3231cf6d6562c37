"""One job of a fleet: what it is, how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import attrs

from core import Shape
from core import messages as m
from plugins.console import checks
from plugins.console.distributions import parse
from plugins.console.telling import Lost
from plugins.fanout import choose_fanout
from plugins.jobs import loading, values
from sim.clock import Clock
from sim.options import WorldOptions
from sim.work import Work

DRAWS = 2**10  # of how long its functions take: enough for what is small

# What may be said of each job, of the options of a world; the rest are the fleet's.
OPTIONS = (
    "job", "prepare", "compute", "collect", "input", "keep_going", "partitions", "fanout",
    "delay", "piece_timeout",
)  # fmt: skip


class State(StrEnum):
    """Of a job."""

    PLANNED = "planned"  # the root has not heard of it
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Plan:
    """What is computed, and how. Raises ValueError with one clear line for what cannot be."""

    def __init__(self, options: WorldOptions) -> None:
        self.options = o = options
        self.loaded = loading.load(o.job, o.prepare, o.compute, o.collect)
        try:
            self.input = values.plain(o.input)
        except TypeError as error:
            raise ValueError(f"input: {error}") from None
        if o.delay is not None:
            _check_delay(o.delay)

    def shape(self, number: int, nodes: int) -> Shape:
        """How it is cut where so many nodes are there: by default, a partition for each."""
        partitions = self.options.partitions or max(1, nodes)
        fanout = self.options.fanout or choose_fanout(partitions)
        shape = Shape.root(partitions, fanout, self.options.keep_going)
        return attrs.evolve(shape, session=str(number))

    def work(self, number: int, clock: Clock) -> Work:
        """Its functions, and how long they take."""
        o, delays = self.options, None
        if o.delay is not None:
            delays = parse(o.delay).ticks(f"{o.seed}/{number}/delay", o.tick, DRAWS)
        return Work(self.loaded, clock, delays, 0.0, o.piece_timeout)


def _check_delay(delay: Any) -> None:
    """Raises ValueError for what are no seconds."""
    if type(delay) not in (str, int, float):
        wanted = "seconds or a distribution of them, such as uniform:1,6"
        raise ValueError(f"delay must be {wanted}, not {delay!r:.60}")
    try:
        checks.distribution(delay)
    except ValueError as error:
        raise ValueError(f"delay: {error}") from None


@attrs.define(eq=False)
class Job:
    """A job of a fleet. Times are simulated seconds, and None before they have come."""

    name: str
    at: float  # when it is submitted
    priority: int
    plan: Plan = attrs.field(repr=False)
    _cancel: Callable[[Job, float | None], None] = attrs.field(repr=False)
    number: int | None = None  # from when the root has heard of it
    state: State = State.PLANNED
    submitted: float | None = None
    started: float | None = None  # the last time, where it had to be begun again
    ended: float | None = None
    begun: int = 0  # how often
    shape: Shape | None = None  # from its first beginning on
    result: Any = attrs.field(default=None, repr=False)
    failure: m.Failure | None = attrs.field(default=None, repr=False)
    lost: Lost | None = attrs.field(default=None, repr=False)
    accepted: int = 0  # partitions
    repeated: int = 0  # partitions given out again after they had been accepted
    digest: str = ""  # of all that was ordered in it

    @property
    def over(self) -> bool:
        return self.state in (State.DONE, State.FAILED, State.CANCELLED)

    @property
    def partitions(self) -> int | None:
        return None if self.shape is None else self.shape.partitions

    @property
    def waited(self) -> float | None:
        """Seconds from when it was submitted to its (last) beginning, or to its end without one."""
        until = self.ended if self.started is None else self.started
        return _between(self.submitted, until)

    @property
    def seconds(self) -> float | None:
        """From its (last) beginning to its end."""
        return _between(self.started, self.ended)

    def cancel(self, at: float | None = None) -> None:
        """Have it end, now or at that second; nothing if it has ended by then.

        Raises ValueError for a time that has passed, or at which it is not submitted yet.
        """
        self._cancel(self, at)


def _between(since: float | None, until: float | None) -> float | None:
    return None if since is None or until is None else round(until - since, 9)


def turn(job: Job) -> tuple[int, int]:
    """Of two jobs that wait, the one with the lesser turn goes first."""
    return -job.priority, job.number or 0
