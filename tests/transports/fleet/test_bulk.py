"""What is too large for a message, at a client and at the root of its fleet."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from core import messages as m
from transports.command.jobroot import JobRoot
from transports.fleet import bulk
from transports.fleet.bulk import INLINE_BYTES, Bulk, TooLarge
from transports.fleet.jobs import Jobs
from transports.net import wire
from transports.net.frames import HEADER
from transports.values.blobs import Blobs
from transports.values.files import BlobError, BlobMissing, written
from transports.values.handles import KEY, handle, is_handle

LARGE = [os.urandom(INLINE_BYTES), "and more"]


class Pair:
    """A client and a root; what one says the other hears soon, until that is `cut`."""

    def __init__(self, nursery: trio.Nursery, needed: Callable[[], set[str]]) -> None:
        self.cut = False
        self._said, self._heard = trio.open_memory_channel[tuple[Bulk, str, bytes]](1000)
        nursery.start_soon(self._pass_on)
        say = self._said.send_nowait
        self.client = Bulk(nursery, lambda to, frame: say((self.root, "client", frame)))
        self.root = Bulk(nursery, lambda to, frame: say((self.client, "root", frame)), needed)

    async def _pass_on(self) -> None:
        async for there, name, frame in self._heard:
            said: Any = wire.decode(frame[HEADER.size :])
            if not self.cut:
                there.said(peer(name), said, None)  # type: ignore[arg-type]


def peer(name: str) -> Any:
    return SimpleNamespace(name=name)


@asynccontextmanager
async def paired(needed: Callable[[], set[str]] = set) -> AsyncIterator[Pair]:
    async with trio.open_nursery() as nursery:
        pair = Pair(nursery, needed)
        with pair.client.blobs, pair.root.blobs:
            yield pair
            nursery.cancel_scope.cancel()


def names(one: Bulk) -> list[str]:
    """Of what it has."""
    return [path.name for path in one.blobs.folder.iterdir() if path.name != "lock"]


async def test_what_is_small_stands_in_the_message() -> None:
    async with paired() as pair, pair.client.offered([1, b"two"]) as said:
        assert said == [1, b"two"]
        async with pair.root.brought(said, "client"):
            assert await pair.root.loaded(said, "client") == said
            assert names(pair.client) == names(pair.root) == []


async def test_what_is_large_is_fetched_and_removed_when_nobody_needs_it() -> None:
    needed = set[str]()
    async with paired(lambda: needed) as pair:
        async with pair.client.offered(LARGE) as said:
            assert is_handle(said)
            async with pair.root.brought(said, "client"):
                needed.add(said[KEY])
        assert names(pair.client) == []
        assert names(pair.root) == [said[KEY]]
        assert await pair.client.loaded(said, "root") == LARGE
        assert names(pair.client) == []
        needed.clear()
        pair.root.tidy_up()
        assert names(pair.root) == []


async def test_what_somebody_is_at_stays_whoever_tidies_up() -> None:
    async with paired() as pair, pair.client.offered(LARGE) as said:
        async with pair.root.brought(said, "client"), pair.root.brought(said, "client"):
            pair.root.tidy_up()
            assert pair.root.has(said)
        assert not pair.root.has(said)


async def test_what_the_other_one_has_not_got_is_missing() -> None:
    async with paired() as pair:
        with pytest.raises(BlobMissing):
            await pair.root.loaded(handle("0" * 64, 5), "client")


async def test_who_is_lost_gives_nothing() -> None:
    async with paired() as pair, pair.client.offered(LARGE) as said:
        pair.cut = True
        refused: list[str] = []
        pair.root.bring(said, "client", lambda: refused.append("taken"), refused.append)
        await trio.testing.wait_all_tasks_blocked()
        pair.root.lost(peer("client"))
        await trio.testing.wait_all_tasks_blocked()
        (why,) = refused
        assert why.startswith("the input cannot be had: ")


async def test_only_so_many_are_brought_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BRINGING_MAX", 2)
    async with paired() as pair:
        pair.cut = True
        refused: list[str] = []
        for number in range(3):
            value = handle(f"{number:064}", 5)
            pair.root.bring(value, "client", lambda: refused.append("taken"), refused.append)
        (why,) = refused
        assert "submit it again later" in why


async def test_an_input_that_cannot_travel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.values.files.BLOB_BYTES_MAX", INLINE_BYTES)
    async with paired() as pair:
        with pytest.raises(TooLarge, match="the input is a value of 1048591 bytes, above"):
            async with pair.client.offered(LARGE):
                pass
        with pytest.raises(TypeError, match="the input is no plain data: "):
            async with pair.client.offered(2**70):
                pass


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "copied"])
async def test_a_job_has_its_own_name_for_it(linked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "another disk")

    async with paired() as pair, pair.client.offered(LARGE) as said:
        if not linked:
            monkeypatch.setattr(os, "link", refuse)
        with Blobs() as job:
            pair.client.lend(said, job)
            assert job.loaded(said) == LARGE
            pair.root.take(said, job)
            assert pair.root.has(said)
            with pytest.raises(BlobError, match="is not in"):
                pair.client.lend(handle("0" * 64, 5), job)


async def test_what_came_of_a_job_stays_while_others_end_before_it_is_known() -> None:
    jobs = Jobs()
    job = jobs.submit(bytes(16), wire.Spec("plugins.demo", {}, None))
    jobs.begin(job)
    nothing: Any = SimpleNamespace()
    root = JobRoot(nothing, nothing, job, 0.0, nothing, nothing)
    async with paired(jobs.values) as pair:
        with Blobs() as blobs:
            said = written(blobs.folder, msgspec.msgpack.encode(LARGE))
            process: Any = SimpleNamespace(outcome=m.Ended(said, None), blobs=blobs)
            outcome = root._outcome(process, "", SimpleNamespace(bulk=pair.root))  # type: ignore[arg-type]
            pair.root.tidy_up()  # as the end of any other job has it
        assert pair.root.has(said)
        jobs.end(job, outcome)
        pair.root.tidy_up()
        assert pair.root.has(said)
        assert jobs.values() == {said[KEY]}
