"""When the root was last there: what a process knows of it that is not connected to it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from transports.net import wire
from transports.net.connection import Me
from transports.net.dialling import ConnectError
from transports.net.heartbeat import HEARTBEAT_SECONDS
from transports.net.security import Security
from transports.process.process import Process
from transports.process.station import Station
from transports.values.blobs import Blobs

ROOT, NEAR, FAR = "127.0.0.1:5001", "127.0.0.1:5002", "127.0.0.1:5003"


class Three:
    """The root, one that is connected to it, and one that is connected to that one alone."""

    def __init__(self, nursery: trio.Nursery, folder: Path) -> None:
        self.nursery, self.folder = nursery, folder
        self.processes: dict[str, Process] = {}
        self.root, self.near, self.far = map(self._process, (ROOT, NEAR, FAR))
        for process in (self.near, self.far):
            process.on_begin = _ignore
            process.station.joins = True
            process.station.roots.add(ROOT)

    def _process(self, address: str) -> Process:
        me = Me(len(self.processes) + 1, address, 1)
        station = Station(me, Security(), self.nursery)
        process = Process(station, self.nursery, Blobs(self.folder / str(me.number)))
        process.connections._meeting._dial = self._dial
        self.processes[address] = process
        return process

    async def _dial(self, address: str) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if address not in self.processes:
            raise ConnectError(f"{address}: nobody listens there")
        mine, its = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.processes[address].connections.accept, its)
        return mine

    async def connect(self) -> None:
        """Each is below the one before it."""
        await self.near.reach(ROOT)
        self.near.views.asked.add((ROOT, "0"))
        await self.far.connections.connect(NEAR)
        self.far.views.asked.add((NEAR, "0-1"))

    def end_root(self) -> None:
        """Its connections end, and nobody listens there any more."""
        del self.processes[ROOT]
        for peer in list(self.root.connections.peers.values()):
            self.root.connections.cut(peer, "it ends")


def _ignore(begin: wire.Begin) -> None:
    pass


async def test_news_of_the_root_comes_down(
    nursery: trio.Nursery, tmp_path: Path, clock: MockClock
) -> None:
    three = Three(nursery, tmp_path)
    await three.connect()
    await trio.sleep(3600)
    assert (three.root.root_age(), three.near.root_age()) == (0, 0)
    assert three.far.root_age() <= HEARTBEAT_SECONDS / 3
    three.end_root()
    await trio.sleep(3600)
    assert three.near.root_age() == pytest.approx(3600)
    assert three.far.root_age() == pytest.approx(3600, abs=HEARTBEAT_SECONDS / 3)


async def test_processes_without_the_root_do_not_go_on_believing_each_other(
    nursery: trio.Nursery, tmp_path: Path, clock: MockClock
) -> None:
    """Each is a host of the other: two sessions, the other way round."""
    three = Three(nursery, tmp_path)
    await three.connect()
    three.near.views.asked.add((FAR, "0-2"))
    await trio.sleep(3600)
    three.end_root()
    await trio.sleep(3600)
    for process in (three.near, three.far):
        assert process.root_age() == pytest.approx(3600, abs=HEARTBEAT_SECONDS)


async def test_the_root_that_comes_back_is_news(
    nursery: trio.Nursery, tmp_path: Path, clock: MockClock
) -> None:
    three = Three(nursery, tmp_path)
    await three.connect()
    three.end_root()
    await trio.sleep(600)
    three.processes[ROOT] = three.root
    await three.near.reach(ROOT)
    await trio.sleep(HEARTBEAT_SECONDS)
    assert three.near.root_age() == 0
    assert three.far.root_age() <= HEARTBEAT_SECONDS / 3


async def test_only_who_hosts_something_for_it_is_believed(
    nursery: trio.Nursery, tmp_path: Path, clock: MockClock
) -> None:
    three = Three(nursery, tmp_path)
    await three.connect()
    three.far.views.asked.clear()
    await trio.sleep(600)
    assert three.far.root_age() == pytest.approx(600)
