"""How long a call takes: as long as is drawn, and no longer than a piece may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.transports.work.working import ASYNC_JOB, FIRST, LONG, SESSION, bounded, do
from transports.work import crew
from transports.work.calls import Call
from transports.work.computer import Computer
from transports.work.computing import OF_THE_JOB

# -- as long as is drawn -------------------------------------------------------------------


@attrs.define(eq=False)
class Quick(Computer):
    """A computing process that has done at once what it is given."""

    def __init__(self, setup: Any, answered: Any, more: Any, *_: Any) -> None:
        self.calls, self.seconds, self.stuck, self.hold, self.ready = {}, 0.0, False, None, True
        self.answered, self.more, self.given = answered, more, trio.Event()

    def give(self, call: Call) -> None:
        self.answered(call, (0, 0.0, None, [0] * len(call.slots), OF_THE_JOB))
        self.given.set()

    def look(self) -> list[Call]:
        return []

    def is_at_nothing(self) -> bool:
        return False

    async def run(self) -> None:
        while True:
            await self.given.wait()
            self.given = trio.Event()
            self.more()


async def test_all_is_made_to_take_as_long_as_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MockClock
) -> None:
    monkeypatch.setattr(crew, "Computer", Quick)
    draws = iter([3.0, 4.0, 5.0, 1.0, 2.0])
    async with bounded(tmp_path, seconds=LONG, delay=lambda: next(draws)) as one:
        one.compute(1, 0, 0, 0)
        one.work.prepare(one.asker(2), SESSION, None, [1, 1])
        one.work.collect(one.asker(3), SESSION, [0])
        began, seen = trio.current_time(), []
        for _ in range(3):
            told = await one.told()
            seen.append((trio.current_time() - began, [node for node, *_ in told]))
        assert seen == [(1.0, [2]), (2.0, [3]), (12.0, [1])]
        assert told[0][-1] == 12.0  # seconds, as the session is told


async def test_thousands_wait_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MockClock
) -> None:
    monkeypatch.setattr(crew, "Computer", Quick)
    async with bounded(tmp_path, seconds=LONG, delay=lambda: 60.0) as one:
        for node in range(5000):
            one.compute(node, 0)
        await trio.testing.wait_all_tasks_blocked()
        tasks = trio.lowlevel.current_statistics().tasks_living
        told = await one.told(5000)
        assert trio.current_time() == 60.0
        assert [node for node, *_ in told] == list(range(5000))
        assert tasks < 20  # not one each


async def test_a_failure_takes_as_long(tmp_path: Path, clock: MockClock) -> None:
    async with bounded(tmp_path, seconds=LONG, delay=lambda: 60.0, source=ASYNC_JOB) as one:
        one.compute(1, "1 / 0")
        [(_, what, *_)] = await one.told()
        assert (what, trio.current_time()) == ("raised", 60.0)


# -- no longer than a piece may ------------------------------------------------------------


@pytest.mark.parametrize("step", ["compute", "prepare", "collect"])
async def test_what_takes_longer_than_a_piece_may_is_ended_and_has_failed(
    tmp_path: Path, step: str
) -> None:
    async with bounded(tmp_path, piece_timeout=1.0) as one:
        endless = do("signal.pause()")
        if step == "compute":
            one.compute(1, 5, endless, 7, slot=3)
        elif step == "prepare":
            one.work.prepare(one.asker(1), SESSION, endless, [1])
        else:
            one.work.collect(one.asker(1), SESSION, [endless])
        where, slot = (f"partition {FIRST + 4}", 4) if step == "compute" else (step, None)
        text = f"it took longer than the 1 s of --piece-timeout in {where}"
        assert await one.told() == [(1, "raised", SESSION, slot, text)]
        one.compute(1, 5)  # in another process
        assert (await one.told())[0][1] == "computed"


async def test_short_pieces_may_take_longer_together_than_one_may(tmp_path: Path) -> None:
    async with bounded(tmp_path, piece_timeout=2.0) as one:
        one.compute(1, *[do("__import__('time').sleep(0.25)")] * 10)
        assert (await one.told())[0][1] == "computed"


async def test_an_async_piece_may_not_take_longer_either(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bounded(tmp_path, seconds=LONG, source=ASYNC_JOB, piece_timeout=5.0) as one:
        one.compute(1, 4, 6, slot=0)
        text = f"it took longer than the 5 s of --piece-timeout in partition {FIRST + 1}"
        assert await one.told() == [(1, "raised", SESSION, 1, text)]
