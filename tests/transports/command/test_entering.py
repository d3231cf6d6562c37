"""In which order the nodes of a process enter its jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from core.messages import Node, Place
from core.sessions.states import ASKING, SEATED, State
from transports.command.entering import MOMENT_SECONDS, STEP_SECONDS, Entrance
from transports.work.cores import Cores

ROOT = Place("1", ("127.0.0.1:1",))


@attrs.define(eq=False)
class View:
    """Of a node that has entered."""

    state: State = ASKING
    claims: tuple[int, ...] = ()
    lead: object = None
    below: View | None = None


class Job:
    """What a process is to one job. `answer`: what becomes at once of each who enters."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.views = SimpleNamespace(living={})
        self.entered: list[tuple[float, Node]] = []

    def enter(self, node: Node, root: Place) -> None:
        assert root == ROOT
        self.entered.append((trio.current_time(), node))
        self.views.living[node] = View(**self.answer)

    def now(self) -> list[Node]:
        return [node for _, node in self.entered]


BUSY = {"state": SEATED, "claims": (0,)}
IDLE = {"state": SEATED}


@asynccontextmanager
async def entering(entrance: Entrance, *jobs: Job, nodes: int = 100) -> AsyncIterator[None]:
    """They begin one after the other, at the same moment."""
    async with trio.open_nursery() as nursery:
        for job in jobs:
            nursery.start_soon(entrance.enter, job, range(nodes), ROOT)
            await trio.lowlevel.checkpoint()
        yield
        nursery.cancel_scope.cancel()


@contextmanager
def held(cores: Cores) -> Iterator[None]:
    """One of them, by another job."""
    part = cores.part(9)
    hold = part.take(starts=False)
    yield
    part.give_back(hold)
    part.leave()


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_first_as_many_as_there_are_cores(count: int, autojump_clock: MockClock) -> None:
    job = Job(**IDLE)
    async with entering(Entrance(Cores(count)), job):
        await trio.sleep(STEP_SECONDS / 2)
        assert job.now() == [*range(count)]


async def test_first_as_many_as_there_are_nodes(autojump_clock: MockClock) -> None:
    job = Job(**IDLE)
    async with entering(Entrance(Cores(8)), job, nodes=3):
        await trio.sleep(60)
        assert job.now() == [0, 1, 2]


async def test_where_others_have_all_cores_other_processes_go_first(
    autojump_clock: MockClock,
) -> None:
    cores, job = Cores(1), Job(**IDLE)
    with held(cores):
        async with entering(Entrance(cores), job):
            await trio.sleep(MOMENT_SECONDS * 0.9)
            assert job.now() == []
            await trio.sleep(MOMENT_SECONDS * 0.2)
            assert job.now() == [0]


async def test_more_enter_while_all_who_have_are_at_work(autojump_clock: MockClock) -> None:
    job = Job(**BUSY)
    async with entering(Entrance(Cores(2)), job, nodes=11):
        await trio.sleep(60)
    counts = [sum(time == at for time, _ in job.entered) for at in sorted({*dict(job.entered)})]
    assert counts == [2, 2, 4, 3]
    assert job.now() == [*range(11)]


async def test_nobody_else_enters_while_one_is_idle_but_when_that_is_at_work(
    autojump_clock: MockClock,
) -> None:
    job = Job(**IDLE)
    async with entering(Entrance(Cores(1)), job):
        await trio.sleep(60)
        assert job.now() == [0]
        job.views.living[0].claims = (3,)
        await trio.sleep(2)
        assert job.now() == [0, 1]


@pytest.mark.parametrize("at_work", ["leads", "below", "gone"])
async def test_who_leads_or_has_work_below_or_is_gone_is_not_idle(
    at_work: str, autojump_clock: MockClock
) -> None:
    job = Job(**IDLE)
    async with entering(Entrance(Cores(1)), job):
        await trio.sleep(STEP_SECONDS / 2)
        view = job.views.living[0]
        if at_work == "leads":
            view.lead = object()
        elif at_work == "below":
            view.below = View(**BUSY)
        else:
            del job.views.living[0]
        await trio.sleep(2)
        assert job.now() == [0, 1]


async def test_a_job_waits_until_it_is_known_whether_the_one_before_takes_the_core(
    autojump_clock: MockClock,
) -> None:
    cores, first, second = Cores(1), Job(), Job(**IDLE)
    async with entering(Entrance(cores), first, second):
        await trio.sleep(0.02)
        assert (first.now(), second.now()) == ([0], [])
        first.views.living[0].state = SEATED  # it has nothing for this process
        await trio.sleep(0.01)
        assert second.now() == [0]


async def test_it_does_not_wait_for_ever(autojump_clock: MockClock) -> None:
    first, second = Job(), Job(**IDLE)
    async with entering(Entrance(Cores(1)), first, second):
        await trio.sleep(MOMENT_SECONDS * 1.1)
        assert second.now() == [0]


async def test_who_is_told_nothing_is_not_followed_by_others(autojump_clock: MockClock) -> None:
    job = Job()
    async with entering(Entrance(Cores(1)), job):
        await trio.sleep(60)
        assert job.now() == [0]
