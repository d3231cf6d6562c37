"""Whatever is done with the jobs of a fleet, and whenever it dies: what a model says is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.fleet import jobs as rooms
from transports.fleet.job import Job, Refusal, State
from transports.fleet.jobs import Jobs
from transports.fleet.store import Store
from transports.net import wire

QUEUED_MAX, KEPT = 4, 3  # so that both are reached
SUBMITS = ["submit"] * 4
OTHERS = ["begin", "done", "failed", "cancel", "tell", "die", "full", "room"]

steps = st.lists(
    st.tuples(st.sampled_from(SUBMITS + 2 * OTHERS), st.integers(0, 15), st.integers(-2, 2)),
    min_size=20,
    max_size=60,
)


@attrs.define
class Modelled:
    """A job: what was submitted, and what is expected of it."""

    i: int  # of its key
    priority: int
    state: str = "queued"
    asked: bool = False  # for its end
    result: wire.Value = None
    told: bool = False


class Model:
    """All jobs of a fleet, by the words of its documentation."""

    def __init__(self) -> None:
        self.jobs: dict[int, Modelled] = {}
        self.last = 0
        self.ended: list[int] = []

    def of(self, *states: str) -> list[int]:
        return [number for number, job in self.jobs.items() if job.state in states]

    def number(self, i: int) -> int | None:
        return next((number for number, job in self.jobs.items() if job.i == i), None)

    def upcoming(self) -> int | None:
        waiting = [(-self.jobs[number].priority, number) for number in self.of("queued")]
        return min(waiting)[1] if waiting else None

    def submit(self, i: int, priority: int) -> None:
        self.last += 1
        self.jobs[self.last] = Modelled(i, priority)

    def end(self, number: int, state: str, result: wire.Value = None) -> None:
        self.jobs[number].state, self.jobs[number].result = state, result
        self.ended.append(number)
        for told in (False, True):
            those = [number for number in self.ended if self.jobs[number].told == told]
            for number in those[:-KEPT]:
                del self.jobs[number]
                self.ended.remove(number)

    def cancel(self, number: int) -> None:
        match self.jobs[number].state:
            case "queued":
                self.end(number, "cancelled")
            case "running":
                self.jobs[number].asked = True

    def die(self) -> None:
        """And begin anew."""
        for number in self.of("running"):
            if self.jobs[number].asked:
                self.end(number, "cancelled")
            else:
                self.jobs[number].state = "queued"


class Real:
    """The same with a file."""

    def __init__(self, folder: Path) -> None:
        self.clock = count(1000)
        self.folders = (folder / str(i) for i in count())
        self.path = next(self.folders) / "fleet.store"
        self.path.parent.mkdir()
        self._open()

    def _open(self) -> None:
        self.store = Store(self.path)
        self.jobs = Jobs(lambda: float(next(self.clock)), self.store)

    def leave(self, pages: int) -> None:
        """The file may grow by so much."""
        (now,) = self.store._file.execute("PRAGMA page_count").fetchone()
        self.store._file.execute(f"PRAGMA max_page_count = {now + pages}")

    def die(self) -> None:
        """At this moment: what the next one finds is the files as they are."""
        self.leave(10_000)  # what could not be stored is lost, and is not what this is about
        assert self.store.catch_up(at_once=True)
        before, self.path = self.path.parent, next(self.folders) / self.path.name
        shutil.copytree(before, self.path.parent)
        self.store.close()
        self._open()


def spec(priority: int) -> wire.Spec:
    return wire.Spec("plugins.demo", {}, bytes(500), priority=priority)


def key(i: int) -> bytes:
    return i.to_bytes(16)


@contextmanager
def small() -> Iterator[Path]:
    """Small bounds, and a folder."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(rooms, "QUEUED_MAX", QUEUED_MAX)
        patch.setattr(rooms, "KEPT", KEPT)
        yield Path(folder)


@given(steps)
@settings(max_examples=50, deadline=None)
def test_what_is_stored_is_what_a_model_says(drawn: list[tuple[str, int, int]]) -> None:
    with small() as folder:
        model, real = Model(), Real(folder)
        try:
            for what, i, priority in drawn:
                _step(model, real, what, i, priority)
                _see_that_they_are_the_same(model, real.jobs)
            real.die()
            model.die()
            _see_that_they_are_the_same(model, real.jobs)
            for i in {job.i for job in model.jobs.values()}:
                number = model.number(i)
                assert number
                assert real.jobs.submit(key(i), spec(model.jobs[number].priority)).number == number
        finally:
            real.store.close()


def _step(model: Model, real: Real, what: str, i: int, priority: int) -> None:
    number = model.number(i)
    running = model.of("running")
    match what:
        case "submit" if number is None:
            _submit(model, real, i, priority)
        case "begin" if (upcoming := model.upcoming()) is not None:
            real.jobs.begin(_job(real, upcoming))
            model.jobs[upcoming].state = "running"
        case "done" | "failed" if running:
            number, result = running[i % len(running)], bytes(100 * i)
            outcome = wire.Outcome(number, what, result)
            real.jobs.end(_job(real, number), outcome)
            model.end(number, what, result)
        case "cancel" if model.jobs:
            number = [*model.jobs][i % len(model.jobs)]
            real.jobs.cancel(number)
            model.cancel(number)
        case "tell" if model.ended:
            number = model.ended[i % len(model.ended)]
            real.jobs.note_told(_job(real, number))
            model.jobs[number].told = True
        case "die":
            real.die()
            model.die()
        case "full" | "room":
            real.leave(0 if what == "full" else 10_000)


def _submit(model: Model, real: Real, i: int, priority: int) -> None:
    why, number = "", 0
    try:
        number = real.jobs.submit(key(i), spec(priority)).number
    except Refusal as refusal:
        why = str(refusal)
    if len(model.of("queued")) >= QUEUED_MAX:
        assert "jobs wait already" in why
    elif why:
        assert "the disk is full" in why
    else:
        model.submit(i, priority)
        assert number == model.last


def _job(real: Real, number: int) -> Job:
    job = real.jobs.get(number)
    assert job
    return job


def _see_that_they_are_the_same(model: Model, jobs: Jobs) -> None:
    upcoming = jobs.upcoming()
    assert (upcoming and upcoming.number) == model.upcoming()
    assert jobs.last == model.last
    assert [row["number"] for row in jobs.rows()] == [*model.jobs]
    for number, expected in model.jobs.items():
        job = jobs.get(number)
        assert job
        assert (job.key, job.state.value) == (key(expected.i), expected.state)
        assert job.priority == expected.priority
        assert (job.spec.input is None) == (number in model.ended)
        if job.state in (State.QUEUED, State.RUNNING):
            assert job.outcome is None
        else:
            assert job.outcome
            assert (job.outcome.state, job.outcome.result) == (expected.state, expected.result)
