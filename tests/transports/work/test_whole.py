"""A whole session in one call of a computing process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from core import Shape
from core import messages as m
from core.messages import Value
from tests.transports.work.working import SECONDS_MAX, Desk, desk, do
from transports.values.handles import is_handle
from transports.work.calls import Whole

PARTITIONS, FANOUT = 20, 3

# The input of a piece is that of the session, or what it says is to be done.
JOB = """
import os, signal, sys

def prepare(input, sizes):
    if input == "prepare":
        raise ValueError("prepare")
    return [input] * len(sizes)

def compute(input, index):
    if isinstance(input, list):
        exec(input[1], globals(), {"index": index})
    return [f"{index} of {input}"]

def collect(outputs):
    return sum(outputs, [])
"""


class View:
    """Of who was told to lead."""

    def __init__(self, lead: m.Lead) -> None:
        self.node = 7
        self.lead: m.Lead | None = lead
        self.takes_part = True
        self.model = self.room = self

    def holder(self, child: int) -> int:
        return self.node


class Asked:
    """One session, and what has come of it."""

    def __init__(self, one: Desk, value: Value) -> None:
        self.outcomes: list[Value] = []
        self.over = trio.Event()
        self.shape = Shape.root(PARTITIONS, FANOUT)
        lead = m.Lead(0, (1, 1), m.Given(value))
        self.view: Any = View(lead)
        told: tuple[Any, Any] = (self._returned, self._failed)
        self.whole = Whole(self.view, "0", lead, self.shape, 0.0, 0.01, *told)
        one.work.compute_whole(self.whole)

    def _returned(self, whole: Whole, value: Value, seconds: float) -> None:
        assert (whole, seconds > 0) == (self.whole, True)
        self.outcomes.append(value)
        self.over.set()

    def _failed(self, whole: Whole) -> None:
        self._returned(whole, "failed", 1.0)

    async def outcome(self) -> Value:
        await self.over.wait()
        (found,) = self.outcomes
        return found


async def test_it_is_what_its_pieces_come_to(tmp_path: Path) -> None:
    """In order, whatever lies below it."""
    with trio.fail_after(SECONDS_MAX):
        async with desk(tmp_path, source=JOB) as one:
            found = await Asked(one, "that").outcome()
            assert found == [f"{index} of that" for index in range(PARTITIONS)]


async def test_large_values_may_be_in_it(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with desk(tmp_path, source=JOB) as one:
            assert is_handle(await Asked(one, "x" * 5000).outcome())


@pytest.mark.parametrize(
    "value",
    [
        "prepare",
        do("1 / (index - 13)"),
        do("sys.exit()"),
        do("index == 13 and os.kill(os.getpid(), signal.SIGKILL)"),
    ],
)
async def test_what_goes_wrong_is_told_without_words(tmp_path: Path, value: Value) -> None:
    """Whoever asked has it done in another way, and there it is seen what it is."""
    with trio.fail_after(SECONDS_MAX):
        async with desk(tmp_path, source=JOB) as one:
            assert await Asked(one, value).outcome() == "failed"
            assert not one.outcomes
            again = Asked(one, None)
            assert (await again.outcome())[13] == "13 of None"


async def test_what_nobody_wants_any_more_is_not_begun(tmp_path: Path) -> None:
    """Who has another session to lead by now, or none, or whose session is opened."""
    with trio.fail_after(SECONDS_MAX):
        async with desk(tmp_path, source=JOB) as one:
            unwanted = [Asked(one, do("raise AssertionError")) for _ in range(4)]
            unwanted[0].view.lead = None
            unwanted[1].view.lead = m.Lead(0, (1, 2), None)
            unwanted[2].view.takes_part = False
            unwanted[3].whole.given_up = True
            assert all(asked.whole.obsolete for asked in unwanted)
            await Asked(one, None).outcome()
            assert not any(asked.outcomes for asked in unwanted)


async def test_one_that_hangs_and_nobody_wants_is_ended_where_others_wait(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with desk(tmp_path, source=JOB) as one:
            hangs = Asked(one, do("import time; time.sleep(1000)"))
            follows = Asked(one, None)
            hangs.whole.given_up = True
            assert len(await follows.outcome()) == PARTITIONS
            assert not hangs.outcomes


async def test_steps_tell_how_long_they_take(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with desk(tmp_path, source=JOB) as one:
            assert one.work.step_seconds == 0
            one.work.prepare(one.asker(1), "0-2", "that", [1])
            await one.told()
            assert 0 < one.work.step_seconds < SECONDS_MAX
