"""Transfers: what another process has is brought here, and over each link once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
from msgspec.structs import replace
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.transports.values.lanes import (
    ONCE_DOWN_THE_CHAIN,
    SESSION,
    SIZE,
    Said,
    chain,
    fetch,
    network,
    put,
    two_owners,
)
from transports.net.errors import RemoteProtocolError
from transports.net.limits import CHUNK_BYTES
from transports.net.wire import Chunk, Fetch, Missing
from transports.values.asked import FLYING_MAX
from transports.values.fetching import SILENT_SECONDS, WINDOW
from transports.values.giving import HELD_MAX
from transports.values.handles import KEY

# -- from one to the other -----------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [3000, CHUNK_BYTES, CHUNK_BYTES + 1, 20 * CHUNK_BYTES - 1, 20 * CHUNK_BYTES]
)
async def test_what_another_has_is_brought_here(
    tmp_path: Path, size: int, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        a, b = net.add("a"), net.add("b")
        blob = put(a, max(size, 2**16 + 6) if size > 2**16 else size - 2)
        await fetch(b, blob, "a")
        await fetch(b, blob, "a")
    assert net.bytes() == {("a", "b"): blob["size"]}
    assert net.faults == []


async def test_no_more_than_a_window_is_asked_for_at_a_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        a, b = net.add("a"), net.add("b")
        await fetch(b, put(a, 30 * CHUNK_BYTES), "a")
    open, most = 0, 0
    for _, _, said in net.said:
        open += 1 if isinstance(said, Fetch) else -1
        most = max(most, open)
    assert most == WINDOW


async def test_a_common_input_goes_down_the_tree_and_over_each_link_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        leaf, blob = chain(net)
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(fetch, leaf, blob, "b")
    assert net.bytes() == ONCE_DOWN_THE_CHAIN
    assert all(process.has(blob) for process in net.processes.values())


async def test_the_loop_is_not_kept_waiting_by_much(tmp_path: Path) -> None:
    """Of what it writes, no more than a window, in threads."""
    async with network(tmp_path) as net:
        a, b = net.add("a"), net.add("b")
        await fetch(b, put(a, 100 * CHUNK_BYTES), "a")
    assert net.bytes() == {("a", "b"): 100 * CHUNK_BYTES}


async def test_twenty_processes_below_one_cost_the_link_above_it_nothing_more(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        root, _ = net.add("root"), net.add("a", ["root"])
        blob = put(root)
        async with trio.open_nursery() as nursery:
            for i in range(20):
                nursery.start_soon(fetch, net.add(f"leaf{i}"), blob, "a")
    assert net.bytes()["root", "a"] == SIZE
    assert {link: count for link, count in net.bytes().items() if count != SIZE} == {}


async def test_an_output_is_found_with_those_who_follow_the_session(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        root, host = net.add("root"), net.add("host", ["root"], ["worker", "other", "asker"])
        worker, _ = net.add("worker"), net.add("other", ["host", "root"])
        asker = net.add("asker", ["host", "root"])
        blob = put(worker)
        await fetch(asker, blob, "host")
    assert host.has(blob)
    assert not root.has(blob)
    deep = [other for one, other, said in net.said if one == "host" and isinstance(said, Fetch)]
    assert deep[:2] == ["root", "worker"]
    assert net.faults == []


async def test_who_is_not_asked_deep_asks_nobody(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with network(tmp_path) as net:
        a, _ = net.add("a"), net.add("b", ["a"], ["a"])
        blob = put(a)
        net.add("c")
        net.send("c", "b", Fetch(blob[KEY], SESSION, 0, deep=False))
        await wait_all_tasks_blocked()
        net.processes["c"].transfers._asked._late.clear()
    assert [said for one, _, said in net.said if one == "b"] == [Missing(blob[KEY])]
    assert net.faults[0][:2] == ("c", "b")  # whose answer it had not asked for itself


async def test_more_blobs_than_may_fly_at_a_time(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with network(tmp_path) as net:
        a, b = net.add("a"), net.add("b")
        found = [put(a, 3000, seed) for seed in range(3 * FLYING_MAX)]
        async with trio.open_nursery() as nursery:
            for blob in found:
                nursery.start_soon(fetch, b, blob, "a")
            await wait_all_tasks_blocked()
            assert b.transfers._asked._flying["a"] <= FLYING_MAX
    assert sum(net.bytes().values()) == sum(blob["size"] for blob in found)


# -- what nobody may say -------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"offset": CHUNK_BYTES},
        {"size": SIZE // 2},
        {"size": CHUNK_BYTES - 1},
        {"data": b"short"},
        {"data": b"x" * (CHUNK_BYTES + 1)},
        {"sha": "ab" * 32},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_who_sends_what_was_not_asked_for_is_cut(
    tmp_path: Path, change: dict[str, Any], autojump_clock: MockClock
) -> None:
    """From the second piece on: of the first, the size is news."""
    async with network(tmp_path) as net:
        c, blob = two_owners(net)
        changed = {"data": b"x" * CHUNK_BYTES, **change}
        net.twist = lambda one, other, said: (
            replace(said, **changed)
            if one == "a" and said.offset == 4 * CHUNK_BYTES  # type: ignore[union-attr]
            else said
        )
        await fetch(c, blob, "a", "b")
    assert [fault[:2] for fault in net.faults] == [("c", "a")]


@pytest.mark.parametrize(
    "said", [Chunk("ab" * 32, 0, 5, b"12345"), Chunk("ab" * 32, 0, 5, b""), Missing("ab" * 32)]
)
async def test_an_answer_without_a_question(tmp_path: Path, said: Said) -> None:
    async with network(tmp_path) as net:
        with pytest.raises(RemoteProtocolError, match="of the blob abababababababab, not asked"):
            net.add("a").transfers.received("b", said)


async def test_an_offset_beyond_the_end_finds_nothing(tmp_path: Path) -> None:
    async with network(tmp_path) as net:
        a, _ = net.add("a"), net.add("b")
        blob = put(a)
        for deep in (False, True):
            a.transfers.received("b", Fetch(blob[KEY], SESSION, SIZE, deep))
            await wait_all_tasks_blocked()
    assert [said for one, _, said in net.said if one == "a"] == [Missing(blob[KEY])] * 2


async def test_who_asks_for_too_much_is_told_that_there_is_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        a = net.add("a", ["silent"])
        net.add("silent")
        net.add("b").alive = False
        net.twist = lambda one, other, said: None
        shas = [f"{i:064x}" for i in range(HELD_MAX + 5)]
        for sha in shas:
            a.transfers.received("b", Fetch(sha, SESSION, 0, deep=True))
        denied = [said for _, other, said in net.said if other == "b"]
        assert denied == [Missing(sha) for sha in shas[HELD_MAX:]]
        a.transfers.lost("b")
        await trio.sleep(10 * SILENT_SECONDS)
