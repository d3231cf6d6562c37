"""Transfers: several processes in memory, each with a folder, and lanes that keep their order."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from transports.net.limits import CHUNK_BYTES
from transports.net.wire import Chunk, Fetch, Missing, RemoteProtocolError
from transports.values import content
from transports.values.asked import FLYING_MAX
from transports.values.blobs import Blobs
from transports.values.bringing import SEARCH_SECONDS, SILENT_SECONDS, WINDOW
from transports.values.files import BlobMissing, NoRoom, loaded, stored
from transports.values.giving import HELD_MAX
from transports.values.handles import KEY, Handle, handle
from transports.values.transfer import Transfers

SESSION = "0-1"
SIZE = 3 * 2**20

Said = Fetch | Chunk | Missing


@pytest.fixture(autouse=True)
def _at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where time jumps nothing is written in a thread: it would jump meanwhile."""
    if "autojump_clock" in request.fixturenames:
        monkeypatch.setattr(content, "INLINE_BYTES", 2**30)


@attrs.define(eq=False)
class Process:
    """One process; `up` and `near` are what its sessions tell it."""

    name: str
    blobs: Blobs
    transfers: Transfers
    inbox: trio.MemorySendChannel[tuple[str, int, Said]]
    up: list[str]
    near: list[str]
    alive: bool = True
    unknown: set[str] = attrs.Factory(set)  # what nothing there names

    def has(self, blob: Handle) -> bool:
        return self.blobs.size(blob[KEY]) == int(blob["size"])


class Net:
    """Processes, all connected with all. `twist` changes what is said on its way, None: loses."""

    def __init__(self, folder: Path, nursery: trio.Nursery) -> None:
        self.folder = folder
        self.nursery = nursery
        self.processes: dict[str, Process] = {}
        self.said: list[tuple[str, str, Said]] = []
        self.cuts: Counter[frozenset[str]] = Counter()
        self.faults: list[tuple[str, str, str]] = []  # whom it cut, who that was, why
        self.twist: Callable[[str, str, Said], Said | None] = lambda one, other, said: said

    def add(self, name: str, up: Sequence[str] = (), near: Sequence[str] = ()) -> Process:
        sending, receiving = trio.open_memory_channel[tuple[str, int, Said]](10**6)
        blobs = Blobs(self.folder / name)

        def send(other: str, said: Any) -> None:
            self.send(name, other, said)

        def nearer(session: str, asker: str) -> list[str]:
            assert session == SESSION
            return process.up

        found = Transfers(
            blobs,
            self.nursery,
            send,
            nearer,
            lambda session: process.near,
            lambda session, sha: sha not in process.unknown,
        )
        process = Process(name, blobs, found, sending, list(up), list(near))
        self.processes[name] = process
        self.nursery.start_soon(self._serve, process, receiving)
        return process

    def send(self, one: str, other: str, said: Said) -> None:
        self.said.append((one, other, said))
        twisted = self.twist(one, other, said)
        if not self.processes[other].alive:
            self.nursery.start_soon(self._lose, one, other)
        elif twisted is not None and self.processes[one].alive:
            self.deliver(one, other, twisted)

    def deliver(self, one: str, other: str, said: Said) -> None:
        cuts = self.cuts[frozenset({one, other})]
        self.processes[other].inbox.send_nowait((one, cuts, said))

    async def _lose(self, one: str, other: str) -> None:
        self.processes[one].transfers.lost(other)

    async def _serve(self, process: Process, inbox: trio.MemoryReceiveChannel[Any]) -> None:
        async for name, cuts, said in inbox:
            await trio.lowlevel.checkpoint()
            if cuts != self.cuts[frozenset({name, process.name})]:
                continue  # it went with the connection
            try:
                process.transfers.received(name, said)
            except RemoteProtocolError as error:
                self.faults.append((process.name, name, str(error)))
                self.disconnect(process.name, name)

    def disconnect(self, one: str, other: str) -> None:
        self.cuts[frozenset({one, other})] += 1
        self.processes[one].transfers.lost(other)
        self.processes[other].transfers.lost(one)

    def kill(self, name: str) -> None:
        self.processes[name].alive = False
        for other in self.processes.values():
            other.transfers.lost(name)

    def bytes(self) -> dict[tuple[str, str], int]:
        """By link, what was carried of blobs."""
        found: Counter[tuple[str, str]] = Counter()
        for one, other, said in self.said:
            if isinstance(said, Chunk):
                found[one, other] += len(said.data)
        return dict(found)


@asynccontextmanager
async def network(folder: Path) -> AsyncIterator[Net]:
    with trio.fail_after(1000):
        async with trio.open_nursery() as nursery:
            net = Net(folder, nursery)
            yield net
            await wait_all_tasks_blocked()
            for process in net.processes.values():  # nothing is left of what has been
                found = process.transfers
                assert not found._coming
                assert not found._asked._flying
                assert not found._asked._queues
                assert not found._giving._counts
                assert not found._giving._held
                assert list(process.blobs.folder.glob("*.part")) == []
            nursery.cancel_scope.cancel()


def put(process: Process, size: int = SIZE, seed: int = 1) -> Handle:
    blob: Handle = stored(process.blobs.folder, Random(seed).randbytes(size - 5))
    return blob


def chain(net: Net) -> tuple[Process, Handle]:
    """Four processes, each below the one before: the last, and what the first has."""
    root = net.add("root")
    net.add("a", ["root"])
    net.add("b", ["a", "root"])
    return net.add("leaf", ["b", "a", "root"]), put(root)


ONCE_DOWN_THE_CHAIN = dict.fromkeys(pairwise(["root", "a", "b", "leaf"]), SIZE)


async def fetch(process: Process, blob: Handle, *sources: str) -> None:
    await process.transfers.fetch(blob, SESSION, sources)
    assert process.has(blob)
    assert process.blobs.check(blob[KEY])


async def fails(process: Process, blob: Handle, *sources: str) -> float:
    """How long it took, in seconds."""
    began = trio.current_time()
    line = rf"^the blob {blob[KEY][:16]} of \d+ bytes: nobody who was asked has it[^\n]*$"
    with pytest.raises(BlobMissing, match=line):
        await process.transfers.fetch(blob, SESSION, sources)
    return trio.current_time() - began


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


# -- sources that fail ---------------------------------------------------------------------


async def test_a_source_that_is_lost_half_way_is_followed_by_the_next(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        a, b, c = net.add("a"), net.add("b"), net.add("c")
        blob = put(a)
        put(b)
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
        a, b, c = net.add("a"), net.add("b"), net.add("c")
        blob = put(a)
        put(b)
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
    return attrs.evolve(said, data=b"?" + said.data[1:])


async def test_wrong_content_is_logged_and_fetched_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    async with network(tmp_path) as net:
        a, b, c = net.add("a"), net.add("b"), net.add("c")
        blob = put(a)
        put(b)
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
        a, b, c = net.add("a"), net.add("b"), net.add("c")
        blob = put(a)
        put(b)

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


async def test_a_disk_without_room_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    def write(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    async with network(tmp_path) as net:
        a, b, c = net.add("a"), net.add("b", ["a"]), net.add("c")
        blob = put(a)
        b.blobs.memory_left = SIZE - 1
        told: list[str] = []
        b.blobs.on_trouble = told.append
        with monkeypatch.context() as full:
            full.setattr("transports.values.files.os.write", write)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fails, c, blob, "b")
                with pytest.raises(NoRoom, match=r"does not fit into \S+: No space left"):
                    await b.transfers.fetch(blob, SESSION, ["a"])
            with pytest.raises(NoRoom):
                await b.transfers.fetch(blob, SESSION, ["a"])
        assert len(told) == 1
        await fetch(b, blob, "a")  # nobody is to blame
    assert net.faults == []


@pytest.mark.parametrize("after", [0, CHUNK_BYTES, 5 * CHUNK_BYTES + 7])
async def test_what_does_not_fit_is_in_memory_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, after: int
) -> None:
    """Whatever was written before."""
    right, left = os.write, [after]

    def write(fd: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        written = right(fd, data[: left[0]])
        left[0] -= written
        return written

    async with network(tmp_path) as net:
        a, b, c = net.add("a"), net.add("b", ["a"]), net.add("c")
        blob = put(a)
        before = b.blobs.memory_left
        with monkeypatch.context() as full:
            full.setattr("transports.values.files.os.write", write)
            await b.transfers.fetch(blob, SESSION, ["a"])
            assert not b.blobs.path(blob[KEY]).exists()
            assert b.blobs.loaded(blob) == loaded(a.blobs.folder, blob)
            assert not b.blobs.settle()
        await fetch(c, blob, "b")
        assert b.blobs.settle()
        assert loaded(b.blobs.folder, blob) == loaded(a.blobs.folder, blob)
        assert (b.blobs.memory, b.blobs.memory_left) == ({}, before)


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
        a, b, c = net.add("a"), net.add("b"), net.add("c")
        blob = put(a)
        put(b)
        changed = {"data": b"x" * CHUNK_BYTES, **change}
        net.twist = lambda one, other, said: (
            attrs.evolve(said, **changed)
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


# -- who waits for whom --------------------------------------------------------------------


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


async def test_what_there_is_no_room_for_is_not_brought(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside what is on its way already, which takes its place as it comes."""
    monkeypatch.setattr(Blobs, "room_bytes", lambda blobs: SIZE + SIZE // 2)
    async with network(tmp_path) as net:
        a, b = net.add("a"), net.add("b")
        b.blobs.memory_left = 0
        blobs = [put(a, seed=seed) for seed in range(2)]
        outcomes: list[str] = []

        async def take(blob: Handle) -> None:
            try:
                await b.transfers.fetch(blob, SESSION, ["a"])
            except NoRoom as error:
                outcomes.append(str(error))

        async with trio.open_nursery() as nursery:
            for blob in blobs:
                nursery.start_soon(take, blob)
        (outcome,) = outcomes
        assert f"does not fit into {b.blobs.folder}: there is room for " in outcome
        assert sorted(map(b.has, blobs)) == [False, True]
