"""Disks that have no room for what is brought."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from tests.transports.values.lanes import SESSION, SIZE, fails, fetch, network, put
from transports.net.limits import CHUNK_BYTES
from transports.values.blobs import Blobs
from transports.values.files import NoRoom, loaded
from transports.values.handles import KEY, Handle


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
