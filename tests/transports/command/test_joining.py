"""A process that joins, and whoever started it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest
import trio
import trio.testing

from core.messages import Place
from tests.transports.talking import HERE, OPEN, settled
from transports.command.joining import Joining
from transports.command.leaving import stdin_ended
from transports.command.wanted import JoinOptions, SecurityOptions
from transports.net import addresses, wire
from transports.net.connection import Me
from transports.net.errors import RemoteProtocolError
from transports.net.frames import Frames
from transports.net.peer import Link, Peer
from transports.process.station import Station
from transports.work.describing import described

# -- whoever started it --------------------------------------------------------------------


async def test_standard_input_stays_open_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is opened next would be number 0 else, which a new process takes for its own."""
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.close(theirs)
        await stdin_ended()
        assert os.read(stdin.fileno(), 1) == b""


# -- a root that has begun anew ------------------------------------------------------------


def root(number: int) -> tuple[Peer, Link]:
    """The root of a fleet, as it was reached at HERE."""
    link = Link(trio.testing.memory_stream_pair()[0], Frames(), HERE)
    return Peer(HERE, Me(number, HERE).hello(token=False), links=[link]), link


def joining_there(
    nursery: trio.Nursery, note: Callable[[str], None] = lambda line: None
) -> tuple[Station, Joining]:
    """A process that joins the fleet at HERE."""
    station = Station(Me(wire.random_number(), None, 1), OPEN, nursery)
    station.roots.add(HERE)
    options = JoinOptions(addresses.parse(HERE), SecurityOptions(), nodes=1, cores=1)
    return station, Joining(station, nursery, options, note)


async def test_nothing_that_an_old_root_began_is_taken_for_what_a_new_one_begins(
    nursery: trio.Nursery,
) -> None:
    """A job that has the same number in both is begun anew, however soon it is told."""
    station, joining = joining_there(nursery)
    print_of = (await described("plugins.demo", {}, (), [])).fingerprint  # known from now on
    place, key = Place("1", (HERE,)), bytes(wire.DIGEST_BYTES)
    begin = wire.Begin("plugins.demo", {}, print_of, 1, 2, None, 0, place, 0.0, key)
    old, new = root(5), root(6)
    new[0].keep(b"of a node, for the old one")
    members = []
    for peer, link in (old, new):
        station._met(peer)
        assert (peer.waiting, station.members) == (None, {})
        for said in (wire.Running((1,), "fleet"), begin):
            await station._take(peer, said, link)
        await settled()
        members.append(station.members[1])
        assert members[-1].begun == begin
        assert [*joining._takings] == [1]
    assert members[0] is not members[1]
    nursery.cancel_scope.cancel()


async def test_why_it_takes_no_part_is_told_once_for_each_job_file(nursery: trio.Nursery) -> None:
    told: list[str] = []
    station, joining = joining_there(nursery, told.append)
    peer, link = root(5)
    await station._take(peer, wire.Running((), "fleet"), link)
    for number, why in enumerate(("no a.py", "no b.py", "no a.py", "no a.py")):
        place, key = Place(str(number + 1), (HERE,)), bytes(wire.DIGEST_BYTES)
        joining.decline(wire.Begin("x", {}, "", 1, 2, None, 0, place, 0.0, key), why)
    assert told[1:] == ["no a.py", "no b.py"]
    nursery.cancel_scope.cancel()


async def test_what_a_host_calls_signed_is_looked_at_in_a_fleet_only(
    nursery: trio.Nursery,
) -> None:
    """There it is declined; the host of one job has its nodes' own copy computed."""
    station, joining = joining_there(nursery)
    print_of = (await described("plugins.demo", {}, (), [])).fingerprint
    said = "plugins.demo", {}, print_of, 1, 2, None, 0
    key, rubbish = bytes(wire.DIGEST_BYTES), wire.Signed(b"rubbish", b"", b"")
    peer, link = root(5)
    for tree in ("0", "1"):
        begin = wire.Begin(*said, Place(tree, (HERE,)), 0.0, key, signed=rubbish)
        await station._take(peer, begin, link)
        await settled()
        joining._part_with_distrusted()
        assert [*joining._takings] == [0]
    nursery.cancel_scope.cancel()


# -- what jobs weigh -----------------------------------------------------------------------


async def test_what_a_job_weighs_is_known_when_it_begins_and_changes_while_it_runs(
    nursery: trio.Nursery,
) -> None:
    station, _ = joining_there(nursery)
    peer, link = root(5)
    await station._take(peer, wire.Sharing((wire.Share(7, 3, 0.5),)), link)
    known, other = (station.cores.part(number)._claim for number in (7, 8))
    assert (known.priority, known.weight, other.priority, other.weight) == (3, 0.5, 0, 1.0)
    shares = wire.Share(7, -1, 2.0), wire.Share(8, 4, 1.0)
    await station._take(peer, wire.Sharing(shares), link)
    assert (known.priority, known.weight, other.priority, other.weight) == (-1, 2.0, 4, 1.0)
    link.dialled = None
    with pytest.raises(RemoteProtocolError, match="not the root"):
        await station._take(peer, wire.Sharing(()), link)
    nursery.cancel_scope.cancel()
