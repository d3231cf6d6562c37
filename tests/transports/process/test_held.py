"""Large values that others name: how many are brought, for whom, and what waits for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from core import messages as m
from tests.transports.living import Intruder, life
from tests.transports.logged import warnings
from tests.transports.process.intruding import (
    EVIL,
    NODE,
    NUMBER,
    Bringer,
    blobs_of,
    cut,
    finished,
    take_part,
)
from transports.net import wire
from transports.process import held
from transports.values.content import Content
from transports.values.handles import KEY


async def test_what_waits_for_bytes_is_bounded(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "HELD_BYTES_MAX", 10 * held.HELD_CALL_BYTES)
    async with life(tmp_path) as lived:
        take_part(lived, 0)
        assert not await cut(lived, lived.host, finished(0))
        await trio.sleep(100)
        take_part(lived, 1)
        assert await cut(lived, lived.host, *[finished(1)] * 20)
        lived.host.host.reflectors["0"].members.pop(NODE, None)
        await trio.sleep(100)
        assert not lived.host.held_calls.held
        assert not lived.host.held_calls.held_bytes


async def test_bytes_are_fetched_only_for_who_takes_part(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path) as lived:
        intruder = Intruder(lived, lived.host, NUMBER, EVIL)
        await intruder.say([wire.encode(finished(0))])
        assert not lived.host.values.transfers._coming
        assert not lived.host.held_calls.held
        await intruder.leave()


async def test_a_slot_takes_one_value_and_no_more(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """However many are brought for it, at once or one after the other."""
    async with life(tmp_path) as lived:
        bringer = Bringer(lived, tmp_path / "bringer")
        values = [bringer.value(seed) for seed in range(20)]
        await bringer.begin(0)
        await bringer.say(*[finished(0, value) for value in values])
        for value in values:
            await bringer.say(finished(0, value))
        assert [*bringer.sizes] == [values[0][KEY]]
        assert blobs_of(lived.host) == {values[0][KEY]}
        assert EVIL in lived.host.connections.peers  # what comes too late is no offence


async def test_a_value_that_came_too_late_does_not_stay(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with life(tmp_path) as lived:
        bringer = Bringer(lived, tmp_path / "bringer")
        late, other = bringer.value(1), bringer.value(2)
        await bringer.begin(0, 1)
        write = Content.write

        async def overtaken(content: Content, data: bytes) -> None:
            lived.host.host.reflectors["0"].order(m.Finished(NODE, (0,), [7], 1.0))
            monkeypatch.setattr(Content, "write", write)
            await write(content, data)

        monkeypatch.setattr(Content, "write", overtaken)
        await bringer.say(finished(0, late))
        await bringer.say(finished(1, other))
        assert {*bringer.sizes} == {late[KEY], other[KEY]}
        assert blobs_of(lived.host) == {other[KEY]}
        assert lived.host.held_calls.fetched == {NUMBER: other["size"]}


async def test_what_one_process_brings_is_bounded(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with life(tmp_path) as lived:
        lived.host.held_calls.values_max = 12_000
        bringer = Bringer(lived, tmp_path / "bringer")
        values = [bringer.value(seed) for seed in range(3)]
        await bringer.begin(0, 1, 2)
        await bringer.say(*[finished(slot, value) for slot, value in enumerate(values)])
        assert blobs_of(lived.host) == {value[KEY] for value in values[:2]}
        assert EVIL not in lived.host.connections.peers
        assert "more than 12000 bytes, which --values-max is for" in warnings(caplog)[0]


async def test_nothing_is_brought_that_nobody_here_knows_of(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path) as lived:
        bringer = Bringer(lived, tmp_path / "bringer")
        value = bringer.value(1)
        await bringer.begin()
        await bringer.say(wire.Fetch("ab" * 32, "0-1", 0, True))
        assert not lived.host.values.transfers._coming
        take_part(lived, 0)
        await bringer.say(finished(0, value))
        for other in (lived.helper, lived.silent):
            shutil.copy(bringer.blobs.path(value[KEY]), other.blobs.folder)
        lived.host.blobs.remove(value[KEY])
        await bringer.say(wire.Fetch(value[KEY], "0", 0, True))
        assert blobs_of(lived.host) == {value[KEY]}  # by way of who follows the session
