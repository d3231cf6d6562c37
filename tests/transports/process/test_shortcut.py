"""Sessions that take only a moment: computed at once, or opened where that is not possible."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from core.slots import BATCH_SECONDS
from tests.transports import living
from tests.transports.living import HELPER, Life, Pieces
from transports.process.process import Process, nodes_of
from transports.process.shortcut import LATE_SECONDS, UNDER_WAY_SECONDS
from transports.work.calls import Whole

PARTITIONS = 243  # five levels of three: with twelve nodes most are alone in what they lead
PIECE_SECONDS = 1e-5


class Quick(Pieces):
    """Pieces are short, and sessions are computed at once where that is asked for."""

    at_once = True
    step_seconds = 0.0
    piece_seconds = PIECE_SECONDS

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.wholes: deque[Whole] = deque()
        self.whole: list[str] = []  # the sessions that were

    def finish_one(self) -> None:
        if self.waiting:
            worker, command = self.waiting.popleft()
            outputs = [command.first + slot for slot in command.slots]
            seconds = self.piece_seconds * len(outputs)
            self.post(worker.computed, command.session, command.slots, outputs, seconds)
        if self.wholes:
            whole = self.wholes.popleft()
            self.whole.append(whole.shape.session)
            self.finish(whole)

    def compute_whole(self, whole: Whole) -> None:
        self.wholes.append(whole)

    def finish(self, whole: Whole) -> None:
        shape = whole.shape
        output = sum(range(shape.first, shape.first + shape.partitions))
        self.post(whole.returned, whole, output, self.piece_seconds * shape.partitions)


class Failing(Quick):
    """What is computed at once fails."""

    def finish(self, whole: Whole) -> None:
        self.post(whole.failed, whole)


class Silent(Quick):
    """Nothing comes of it."""

    def finish(self, whole: Whole) -> None:
        pass


class Slow(Quick):
    """No session of three pieces is short."""

    piece_seconds = BATCH_SECONDS / 2


class Asynchronous(Quick):
    """There is no such way."""

    at_once = False


@asynccontextmanager
async def life(
    folder: Path, patch: pytest.MonkeyPatch, kind: type[Quick] = Quick
) -> AsyncIterator[tuple[Life, Any]]:
    """One that has begun, and what stands in for the work of the process that listens."""
    patch.setattr(living, "Pieces", kind)
    async with living.life(folder, PARTITIONS) as lived:
        yield lived, lived.pieces[1]


async def some(lived: Life, work: Any) -> Whole:
    """The first that is computed at once, as soon as it is asked for."""
    while not work.wholes:
        lived.finish_one()
        await wait_all_tasks_blocked()
    found: Whole = work.wholes[0]
    return found


async def test_they_are_not_opened(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with life(tmp_path, monkeypatch) as (lived, work):
        assert await lived.finish() == lived.right
        assert work.whole
        assert not {*work.whole} & lived.helper.host.reflectors.keys()
        assert any(session.count("-") < 4 for session in work.whole)  # with others below them


@pytest.mark.parametrize("kind", [Slow, Asynchronous])
async def test_where_they_take_longer_they_are(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, kind: type[Quick]
) -> None:
    async with life(tmp_path, monkeypatch, kind) as (lived, work):
        assert await lived.finish() == lived.right
        assert not work.whole


async def test_what_fails_is_opened(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with life(tmp_path, monkeypatch, Failing) as (lived, work):
        assert await lived.finish() == lived.right
        assert work.whole
        assert {*work.whole} <= lived.helper.host.reflectors.keys()


async def test_what_comes_of_nothing_is_opened_after_a_while(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes of it after all changes nothing."""
    async with life(tmp_path, monkeypatch, Silent) as (lived, work):
        late = await some(lived, work)
        await trio.sleep(LATE_SECONDS / 2)
        assert late.wanted
        await trio.sleep(3 * LATE_SECONDS)
        assert not late.wanted
        assert late.shape.session in lived.helper.host.reflectors
        late.returned(late, -1, 1.0)
        assert await lived.finish() == lived.right


async def test_who_asks_for_one_is_sent_back_and_has_a_place_elsewhere(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with life(tmp_path, monkeypatch) as (lived, work):
        first = await some(lived, work)
        helper, view = lived.helper, first.worker
        newcomer = nodes_of(helper.me.number, 7)[-1]
        helper.enter(newcomer, view.place.child(first.lead.child, HELPER))
        await wait_all_tasks_blocked()
        assert [*helper.host.waiting] == [first.shape.session]
        while first in work.wholes:
            work.finish_one()
        await wait_all_tasks_blocked()
        assert not helper.host.waiting
        asked_for = [*work.whole, *(whole.shape.session for whole in work.wholes)]
        while newcomer not in seated(lived):
            lived.finish_one()
            await wait_all_tasks_blocked()
        while work.wholes:
            work.finish_one()
        assert sorted(work.whole) == sorted(asked_for)  # for a while all others are opened
        assert await lived.finish() == lived.right


def seated(lived: Life) -> set[int]:
    """All nodes that are in any session."""
    processes = lived.processes.values()
    reflectors = [r for process in processes for r in process.host.reflectors.values()]
    return {node for reflector in reflectors for node in reflector.members}


async def test_they_are_opened_where_a_trace_is_written(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Trace:
        """Takes no notice of anything."""

        def __getattr__(self, name: str) -> Any:
            return lambda *arguments: None

    async with life(tmp_path, monkeypatch) as (lived, work):
        trace: Any = Trace()
        lived.helper.trace = trace
        assert await lived.finish() == lived.right
        assert not work.whole


async def test_so_much_is_under_way(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be more is opened."""
    monkeypatch.setattr("transports.process.shortcut.UNDER_WAY_SECONDS", 30 * PIECE_SECONDS)
    assert UNDER_WAY_SECONDS > 30 * PIECE_SECONDS
    async with life(tmp_path, monkeypatch) as (lived, work):
        most = 0.0
        while lived.host.outcome is None:
            most = max(most, sum(whole.seconds for whole in work.wholes))
            lived.finish_one()
            await wait_all_tasks_blocked()
            if not any(pieces.waiting for pieces in lived.pieces):
                await trio.sleep(0.01)
        assert 0 < most <= 30 * PIECE_SECONDS
        assert lived.host.outcome == lived.right
