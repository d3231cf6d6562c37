"""Processes that ask each other for a blob: whoever waits has an answer in bounded time."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from tests.transports.values.lanes import (
    ONCE_DOWN_THE_CHAIN,
    SESSION,
    SIZE,
    Said,
    chain,
    fails,
    fetch,
    network,
    put,
)
from transports.values.fetching import SILENT_SECONDS
from transports.values.files import BlobMissing
from transports.values.handles import KEY, handle


async def test_two_who_ask_each_other_at_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with network(tmp_path) as net:
        a, b = net.add("a", ["b"]), net.add("b", ["a"])
        blob = handle("ab" * 32, SIZE)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails, a, blob, "b")
            nursery.start_soon(fails, b, blob, "a")
        assert trio.current_time() < 1
    assert net.faults == []


@pytest.mark.parametrize("owner", ["c", "d"])
async def test_two_who_ask_each_other_and_one_knows_somebody_else(
    tmp_path: Path, owner: str, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        a, b = net.add("a", ["b"]), net.add("b", ["a"])
        for name in "cd":
            net.add(name)
        blob = put(net.processes[owner])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fetch, a, blob, "b", "c", "d")
            nursery.start_soon(fetch, b, blob, "a")
        assert trio.current_time() < 1
    assert net.bytes() == {(owner, "a"): SIZE, ("a", "b"): SIZE}
    assert net.faults == []


async def test_a_ring_of_three_ends(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with network(tmp_path) as net:
        ring = [net.add("a", ["b"]), net.add("b", ["c"]), net.add("c", ["a"])]
        blob = handle("ab" * 32, SIZE)
        async with trio.open_nursery() as nursery:
            for process in ring:
                nursery.start_soon(fails, process, blob, *process.up)
        assert trio.current_time() <= 2 * SILENT_SECONDS
    assert net.faults == []


async def test_who_waits_for_one_whose_source_is_slow_is_patient(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Ten seconds a piece at the top, two more processes below it."""
    async with network(tmp_path) as net:
        leaf, blob = chain(net)

        due = 0.0

        async def later(other: str, said: Said) -> None:
            nonlocal due
            due = max(due, trio.current_time()) + 10
            await trio.sleep_until(due)
            net.deliver("root", other, said)

        def twist(one: str, other: str, said: Said) -> Said | None:
            if one == "root":
                net.nursery.start_soon(later, other, said)
                return None
            return said

        net.twist = twist
        await fetch(leaf, blob, "b")
        assert trio.current_time() > 3 * SILENT_SECONDS
    assert net.bytes() == ONCE_DOWN_THE_CHAIN


async def test_who_gives_up_or_is_lost_is_forgotten(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        a, b = net.add("a", ["silent"]), net.add("b")
        net.add("silent")
        net.twist = lambda one, other, said: None if "silent" in (one, other) else said
        blob = handle("ab" * 32, SIZE)
        with trio.move_on_after(1):
            await b.transfers.fetch(blob, SESSION, ["a"])
        assert a.transfers._giving._counts == {"b": 1}
        net.disconnect("a", "b")
        assert not a.transfers._giving._counts
        await trio.sleep(2 * SILENT_SECONDS)
        assert not a.transfers._asked._late.keys() - {("silent", blob[KEY])}
        net.kill("silent")
        assert not a.transfers._asked._late


@pytest.mark.parametrize("seed", range(60))
async def test_any_number_of_processes_that_may_all_ask_each_other(
    tmp_path: Path, seed: int, autojump_clock: MockClock
) -> None:
    """Whatever they ask and whoever is lost, everyone has an answer in bounded time."""
    random = Random(seed)
    names = [f"p{i}" for i in range(random.randint(2, 6))]
    async with network(tmp_path) as net:
        for name in names:
            others = [other for other in names if other != name]
            up, near = (random.sample(others, random.randint(0, len(others))) for _ in "12")
            net.add(name, up, near)
        owners = random.sample(names, random.randint(0, 2))
        blob = handle("ab" * 32, SIZE)
        for owner in owners:
            blob = put(net.processes[owner])

        async def asking(name: str) -> None:
            await trio.sleep(random.random() / 20)
            others = [other for other in names if other != name]
            for _ in range(random.randint(1, 3)):
                sources = random.sample(others, random.randint(0, len(others)))
                try:
                    await fetch(net.processes[name], blob, *sources)
                except BlobMissing:
                    assert lost or not {*owners} & {*sources}

        lost: list[str] = []
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(asking, name)
            if random.random() < 0.3:
                await trio.sleep(random.random() / 20)
                lost.append(random.choice(names))
                net.kill(lost[0])
        assert trio.current_time() < 20 * SILENT_SECONDS
        await trio.sleep(20 * SILENT_SECONDS)
    assert net.faults == []


async def test_what_others_ask_for_is_brought_where_something_here_names_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        a, b, c = net.add("a"), net.add("b", up=["a"]), net.add("c")
        blob = put(a)
        b.unknown.add(blob[KEY])
        await fails(c, blob, "b")
        assert not b.has(blob)
        b.unknown.clear()
        await fetch(c, blob, "b")
    assert net.faults == []
