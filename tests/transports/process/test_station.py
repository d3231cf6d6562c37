"""One process in several computations: each for itself, on the same connections."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
import trio
import trio.testing

from core import Shape
from core import messages as m
from core.messages import Place
from tests.transports.living import HELPER, HOST, Life, life, settled
from tests.transports.logged import warnings
from tests.transports.process.intruding import EVIL
from tests.transports.process.members import LEAF, SECONDS_MAX, connected
from transports.net import wire
from transports.net.peer import Peer
from transports.process import station as stations
from transports.process.process import nodes_of

SECOND = Shape.root(40, 4)


async def began(lived: Life, nursery: trio.Nursery, folder: Path, tree: int) -> Life:
    """Another computation of the same processes."""
    again = Life(nursery, folder / str(tree), SECOND, tree, lived)
    again.begin()
    await trio.testing.wait_all_tasks_blocked()
    return again


async def test_two_computations_go_on_side_by_side_on_the_same_connections(tmp_path: Path) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        peers = {*lived.host.connections.peers}
        second = await began(lived, lived.nursery, tmp_path, 7)
        second.finish_one()
        lived.finish_one()
        assert await second.finish() == second.right
        assert await lived.finish() == lived.right
        assert {*lived.host.connections.peers} == peers
        names = {name.partition("-")[0] for name in second.host.host.reflectors}
        assert names == {"7"}
        assert lived.host.offences == second.host.offences == 0


class NotHearing:
    """A computation that is about to end: what is said to it is lost."""

    begun = None
    incoming = property(lambda self: self)

    async def take(self, *said: object) -> None:
        """Nobody deals with it."""

    def met(self, peer: Peer) -> None:
        """It is connected."""

    def lost(self, peer: Peer) -> None:
        """It is not."""

    def needed(self) -> None:
        """All are."""


async def test_whoever_asks_a_fleet_how_it_stands_is_told_though_a_job_of_it_does_nothing_more(
    tmp_path: Path,
) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        station, told = lived.host.station, list[object]()
        station.members = {7: NotHearing()}  # type: ignore[dict-item]
        station.handlers[wire.Ask] = lambda peer, said, link: told.append(said)
        (peer, *_) = station.connections.peers.values()
        await station._take(peer, wire.Ask(), peer.links[0])
        assert told == [wire.Ask()]


async def test_what_is_late_for_one_that_is_gone_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the helper has heard of it, and said, comes once more when it is over."""
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        async with trio.open_nursery() as nursery:
            second = await began(lived, nursery, tmp_path, 7)
            assert await second.finish() == second.right
            to_helper, to_host = [*second.helper.heard], [*second.host.heard]
            nursery.cancel_scope.cancel()
        assert {type(wire.decode(frame[4:])) for frame in to_helper} >= {wire.Answer, wire.Follow}
        for frame in to_helper:
            lived.host.connections.send_back(HELPER, frame)
        for frame in to_host:
            lived.helper.connections.send_back(HOST, frame)
        await settled(lived.host)
        assert warnings(caplog) == []
        assert await lived.finish() == lived.right
        assert [*lived.host.station.members] == [*lived.helper.station.members] == [0]


async def test_who_asks_for_a_place_in_one_that_is_gone_hears_that_it_is_absent(
    tmp_path: Path,
) -> None:
    async with (
        life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived,
        connected(lived, lived.host, address=EVIL, number=9) as other,
    ):
        (node,) = nodes_of(9, 1)
        await other.say(wire.encode(wire.Call("5-1", node, m.Arrive(node, EVIL, None))))
        assert await other.hear() == lived.host.begun
        assert await other.hear() == wire.Answer("5-1", node, m.Absent())


async def test_of_one_that_has_ended_nothing_stays(tmp_path: Path) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        async with trio.open_nursery() as nursery:
            second = await began(lived, nursery, tmp_path, 7)
            assert await second.finish() == second.right
            nursery.cancel_scope.cancel()
        gone = [weakref.ref(process) for process in second.processes.values()]
        gone += [weakref.ref(process.queue) for process in second.processes.values()]
        del second
        await settled(lived.host)
        gc.collect()
        assert [ref() for ref in gone] == [None] * len(gone)
        assert not lived.host.incoming.doing


async def test_what_begins_for_a_number_that_is_not_here_is_for_who_hears_that(
    tmp_path: Path,
) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        heard: list[object] = []
        lived.helper.station.handlers[wire.Begin] = lambda peer, said, link: heard.append(said)
        assert lived.host.begun is not None
        begin = lived.host.begun
        later = wire.Begin(
            *(begin.job, begin.parts, "", 10, 3, None, 0, Place("8", (HOST,)), 0.0, begin.end)
        )
        lived.host.connections.send_back(HELPER, wire.encode(later))
        await settled(lived.helper)
        assert heard == [later]


@pytest.mark.parametrize("kept", [False, True])
async def test_a_connection_that_no_computation_needs_is_closed_unless_it_is_to_stay(
    kept: bool, tmp_path: Path
) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        station = lived.host.station
        station.keeps = lambda peer: kept and peer.name == EVIL
        async with connected(lived, lived.host, address=EVIL):
            await trio.sleep(3 * stations.IDLE_SECONDS)
            assert (EVIL in station.connections.peers) == kept
            assert HELPER in station.connections.peers
