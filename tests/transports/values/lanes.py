"""Several processes in memory, each with a folder, and lanes that keep their order."""

from __future__ import annotations

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
from trio.testing import wait_all_tasks_blocked

from transports.net.errors import RemoteProtocolError
from transports.net.wire import Chunk, Fetch, Missing
from transports.values.blobs import Blobs
from transports.values.files import BlobMissing, stored
from transports.values.handles import KEY, Handle
from transports.values.transfer import Transfers

SESSION = "0-1"

SIZE = 3 * 2**20

Said = Fetch | Chunk | Missing


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


def two_owners(net: Net) -> tuple[Process, Handle]:
    """A process, c, and what both a and b have."""
    for name in "ab":
        blob = put(net.add(name))
    return net.add("c"), blob


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
