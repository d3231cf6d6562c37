"""Sources of a blob that fail, are silent or wrong."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from msgspec.structs import replace
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.transports.values.lanes import (
    SESSION,
    SIZE,
    Said,
    fails,
    fetch,
    network,
    put,
    two_owners,
)
from transports.net.limits import CHUNK_BYTES
from transports.net.wire import Chunk, Missing
from transports.values.fetching import SEARCH_SECONDS, SILENT_SECONDS
from transports.values.files import BlobMissing, stored
from transports.values.handles import KEY, handle


async def test_a_source_that_is_lost_half_way_is_followed_by_the_next(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        c, blob = two_owners(net)
        a = net.processes["a"]
        carried = 0

        def twist(one: str, other: str, said: Said) -> Said | None:
            nonlocal carried
            carried += isinstance(said, Chunk)
            if carried == 6 and a.alive:
                net.nursery.start_soon(killing)
            return said

        async def killing() -> None:
            if a.alive:
                net.kill("a")

        net.twist = twist
        await fetch(c, blob, "a", "b")
    assert 0 < net.bytes()["b", "c"] < SIZE  # it went on where it was


@pytest.mark.parametrize("sources", [["dead", "a"], ["lacks", "a"], ["lacks", "dead", "a"]])
async def test_sources_are_tried_one_after_the_other(
    tmp_path: Path, sources: list[str], autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        a, b = net.add("a"), net.add("b")
        net.add("lacks")
        net.add("dead").alive = False
        await fetch(b, put(a), *sources)
        assert trio.current_time() < 1
    assert net.bytes() == {("a", "b"): SIZE}


async def test_a_silent_source_is_followed_by_the_next_and_what_it_says_then_is_ignored(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        c, blob = two_owners(net)
        kept: list[Said] = []

        def twist(one: str, other: str, said: Said) -> Said | None:
            if one == "a" and len(kept) < 8 and said.offset >= 4 * CHUNK_BYTES:  # type: ignore[union-attr]
                kept.append(said)
                return None
            return said

        net.twist = twist
        began = trio.current_time()
        await fetch(c, blob, "a", "b")
        assert SILENT_SECONDS <= trio.current_time() - began < SILENT_SECONDS + 1
        for said in kept:
            net.send("a", "c", said)
        await wait_all_tasks_blocked()
        assert net.faults == []
        net.send("a", "c", kept[0])  # once too often
        await wait_all_tasks_blocked()
        assert [fault[:2] for fault in net.faults] == [("c", "a")]


def spoil(said: Said) -> Said:
    assert isinstance(said, Chunk)
    return replace(said, data=b"?" + said.data[1:])


async def test_wrong_content_is_logged_and_fetched_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        c, blob = two_owners(net)
        net.twist = lambda one, other, said: (
            spoil(said) if one == "a" and said.offset == 5 * CHUNK_BYTES else said  # type: ignore[union-attr]
        )
        with caplog.at_level(logging.WARNING, "million_nodes.tcp"):
            await fetch(c, blob, "a", "b")
            await wait_all_tasks_blocked()
    assert net.bytes() == {("a", "c"): SIZE, ("b", "c"): SIZE}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "peer=a" in caplog.text
    assert blob[KEY][:16] in caplog.text
    assert net.faults == []


async def test_who_sent_wrong_content_is_not_asked_again_in_another_way(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        a, b = net.add("a"), net.add("b")
        net.add("host", ["a"], ["a", "b"])
        blob = put(a)
        put(b)
        net.twist = lambda one, other, said: spoil(said) if one == "a" else said
        await fetch(net.add("c"), blob, "host")
    assert net.bytes() == {("a", "host"): SIZE, ("b", "host"): SIZE, ("host", "c"): SIZE}


async def test_where_several_sent_parts_of_it_the_last_is_tried_alone(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The first sends wrong content and is lost; the next is not to blame."""
    async with network(tmp_path) as net:
        c, blob = two_owners(net)

        def twist(one: str, other: str, said: Said) -> Said | None:
            if one != "a":
                return said
            assert isinstance(said, Chunk)
            return spoil(said) if said.offset < 3 * CHUNK_BYTES else Missing(said.sha)

        net.twist = twist
        await fetch(c, blob, "a", "b")
    assert net.bytes()["b", "c"] == SIZE + SIZE - 3 * CHUNK_BYTES


async def test_a_source_that_says_another_size_is_followed_by_the_next(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        a, b, c = net.add("a"), net.add("b"), net.add("c")
        blob = put(a)
        other = stored(b.blobs.folder, b"x" * (SIZE // 2))
        (b.blobs.folder / other[KEY]).rename(b.blobs.folder / blob[KEY])
        await fetch(c, blob, "b", "a")
    assert net.bytes() == {("b", "c"): CHUNK_BYTES, ("a", "c"): SIZE}
    assert net.faults == []


async def test_who_does_not_know_the_size_begins_anew_where_sources_differ(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        c, host = net.add("c"), net.add("host", ["a", "b"])
        a, b = net.add("a"), net.add("b")
        blob = put(b)
        path = stored(a.blobs.folder, b"x" * (SIZE // 2))[KEY]
        (a.blobs.folder / path).rename(a.blobs.folder / blob[KEY])
        net.twist = lambda one, other, said: (
            Missing(said.sha) if one == "a" and said.offset else said  # type: ignore[union-attr]
        )
        await fetch(c, blob, "host")
        assert host.has(blob)


async def test_nobody_has_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with network(tmp_path) as net:
        root, _ = net.add("root"), net.add("a", ["root"], ["x", "leaf"])
        net.add("x", ["a", "root"])
        leaf = net.add("leaf", ["a", "root"])
        blob = put(root)
        root.blobs.path(blob[KEY]).unlink()
        assert await fails(leaf, blob) == 0
        assert await fails(leaf, blob, "a") < 1
        assert await fails(leaf, blob, "x", "a", "root") < 1
        put(root)
        await fetch(leaf, blob, "a")  # it is not remembered that it was missing


async def test_all_are_silent(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with network(tmp_path) as net:
        a = net.add("a")
        for name in "bcdefghi":
            net.add(name)
        net.twist = lambda one, other, said: None
        assert await fails(a, handle("ab" * 32, SIZE), "b") == pytest.approx(SILENT_SECONDS)
        took = await fails(a, handle("ab" * 32, SIZE), *"bcdefghi")
        assert took <= SEARCH_SECONDS + SILENT_SECONDS + 0.1


async def test_a_handle_of_the_wrong_size_finds_nothing_and_harms_nobody(tmp_path: Path) -> None:
    async with network(tmp_path) as net:
        a, b = net.add("a"), net.add("b")
        blob = put(a)
        wrong = handle(blob[KEY], SIZE + 1)
        with pytest.raises(BlobMissing, match=r"wrong content from a"):
            await b.transfers.fetch(wrong, SESSION, ["a"])
        await fetch(b, blob, "a")
        with pytest.raises(BlobMissing, match=rf"has {SIZE} bytes, not {SIZE + 1}$"):
            await b.transfers.fetch(wrong, SESSION, ["a"])
    assert net.faults == []


async def test_a_file_that_was_cut_short_is_fetched_again(tmp_path: Path) -> None:
    async with network(tmp_path) as net:
        a, b = net.add("a"), net.add("b")
        blob = put(a)
        put(b)
        os.truncate(b.blobs.path(blob[KEY]), SIZE // 3)
        await fetch(b, blob, "a")
