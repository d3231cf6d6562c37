"""A connection in memory, from the first word to the last: who is met and lost, in which order."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair

from tests.transports.talking import ELSEWHERE, HERE, THERE, Net, Party, Stranger, said, settled
from transports.net import connection
from transports.net.connection import Me

# -- saying and hearing --------------------------------------------------------------------


async def test_frames_arrive_in_order_both_ways(net: Net, clock: MockClock) -> None:
    one, other = net.party(HERE), net.party(THERE)
    for i in range(100):
        one.connections.send(THERE, said(i))
    await settled()
    assert other.connections.send_back(HERE, said("back"))
    await settled()
    assert other.log == [f"met {HERE}", *[f"{HERE}: {i}" for i in range(100)]]
    assert one.log == [f"met {THERE}", f"{THERE}: back"]
    assert net.dialled == [THERE]
    counts = one.connections.frames_sent, other.connections.frames_received
    assert counts == (100, 100)
    assert one.connections.bytes_sent == sum(len(said(i)) for i in range(100))


async def test_an_idle_connection_keeps_nothing(net: Net, clock: MockClock) -> None:
    one, other = net.party(HERE), net.party(THERE)
    one.connections.send(THERE, said("x" * 100_000))
    await settled()
    for party in (one, other):
        peer = party.peer()
        assert peer.waiting is None
        assert not peer.writing
        assert not peer.links[0].frames._data
    assert len(net.nursery.child_tasks) == 5  # two sweep, and each end reads; and the test's bound


async def test_sending_never_waits_and_loses_nobody_at_once(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)
    one.connections.send(THERE, said(1))  # nobody is there
    one.connections.send("#2a", said(1))  # nobody can dial it
    assert one.log == []
    assert set(one.connections.peers) == {THERE, "#2a"}
    await settled()
    assert sorted(one.log) == ["lost #2a", f"lost {THERE}"]
    assert net.dialled == [THERE]
    assert one.connections.peers == {}


# -- who is cut ----------------------------------------------------------------------------


async def test_cut_closes_at_once_and_loses_once(net: Net, clock: MockClock) -> None:
    one, other = net.party(HERE), net.party(THERE)
    await one.connections.connect(THERE)
    one.connections.send(THERE, said("never sent"))
    one.connections.cut(one.peer(), "a test")
    one.connections.cut(one.peer(), "again")
    await settled()
    assert one.log == [f"met {THERE}", f"lost {THERE}"]
    assert other.log == [f"met {HERE}", f"lost {HERE}"]


async def test_who_is_cut_while_it_is_dialled_is_lost(net: Net, clock: MockClock) -> None:
    one, _ = net.party(HERE), net.party(THERE)
    one.connections.send(THERE, said(1))
    one.connections.cut(one.peer(), "a test")
    await settled()
    assert one.log == [f"lost {THERE}"]


async def test_cut_reaches_who_is_busy_with_what_it_said(net: Net, clock: MockClock) -> None:
    one, other = net.party(HERE), net.party(THERE)
    other.receiving = trio.Event()
    for i in range(3):
        one.connections.send(THERE, said(i))
    await settled()
    other.connections.cut(other.peer(), "a test")
    await settled()
    assert other.log == [f"met {HERE}", f"lost {HERE}"]
    assert one.log == [f"met {THERE}", f"lost {THERE}"]


# -- the end -------------------------------------------------------------------------------


async def unread(nursery: trio.Nursery) -> tuple[Party, Stranger]:
    """One who has said something, and the other one, called #1, who does not read it."""
    net = Net(nursery, lockstep_stream_pair)
    here = net.party(HERE)
    slow = Stranger(net.connect(here))
    await slow.greet(Me(1, None))
    await settled()
    here.connections.send_back("#1", said(1))
    return here, slow


async def test_everything_is_said_before_the_end(net: Net, clock: MockClock) -> None:
    one, other = net.party(HERE), net.party(THERE)
    for i in range(100):
        one.connections.send(THERE, said(i))
    await one.connections.close()  # while it is being dialled
    await settled()
    assert other.texts() == [str(i) for i in range(100)]
    assert other.log[-1] == f"lost {HERE}"
    assert one.log == [f"met {THERE}", f"lost {THERE}"]


async def test_the_end_waits_for_nobody_who_does_not_read(
    nursery: trio.Nursery, clock: MockClock
) -> None:
    here, slow = await unread(nursery)
    began = trio.current_time()
    await here.connections.close()
    assert trio.current_time() - began == pytest.approx(connection.CLOSING_SECONDS)
    assert here.log == ["met #1", "lost #1"]
    await slow.is_left_alone()


async def test_the_end_waits_for_nobody_whose_dialling_was_cancelled(clock: MockClock) -> None:
    """As it is where Ctrl-C ends all tasks, and one of them had begun to look for the other."""
    async with trio.open_nursery() as nursery:
        one = Net(nursery).party(HERE)
        one.connections.send(THERE, said(1))
        nursery.cancel_scope.cancel()
    began = trio.current_time()
    await one.connections.close()
    assert trio.current_time() == began
    assert one.log == [f"lost {THERE}"]


async def test_after_the_end_nobody_is_served_or_dialled(net: Net, clock: MockClock) -> None:
    one, other = net.party(HERE), net.party(THERE)
    waiting = Stranger(net.connect(one))
    await settled()
    await one.connections.close()
    await waiting.is_left_alone()
    await Stranger(net.connect(one)).is_left_alone()
    one.connections.send(THERE, said(1))
    await settled()
    assert (one.log, other.log) == ([f"lost {THERE}"], [])
    assert net.dialled == []


async def test_parting_says_what_is_left_and_the_next_word_dials_anew(
    net: Net, clock: MockClock
) -> None:
    one, other = net.party(HERE), net.party(THERE)
    await one.connections.connect(THERE)
    one.connections.send(THERE, said("last"))
    one.connections.part(one.peer())
    await settled()
    assert one.log == [f"met {THERE}", f"lost {THERE}"]
    assert other.log == [f"met {HERE}", f"{HERE}: last", f"lost {HERE}"]
    one.connections.send(THERE, said("again"))
    await settled()
    assert other.texts() == ["last", "again"]
    assert net.dialled == [THERE, THERE]


async def test_parting_from_who_does_not_read_or_close_takes_only_so_long(
    nursery: trio.Nursery, clock: MockClock
) -> None:
    here, slow = await unread(nursery)
    here.connections.part(here.peer())
    with trio.fail_after(connection.PARTING_SECONDS + 0.1):
        await trio.sleep(connection.PARTING_SECONDS)
        await slow.is_left_alone()
    assert here.log == ["met #1", "lost #1"]


async def test_all_that_is_met_is_lost_once(net: Net, clock: MockClock) -> None:
    """Many who come, part, are cut and begin anew, at random."""
    here = net.party(HERE)
    rng = random.Random(7)
    for _ in range(300):
        name = rng.choice([THERE, ELSEWHERE])
        act = rng.randrange(5)
        peer = here.connections.peers.get(name)
        if act == 0 or name not in net.parties:
            net.party(name)
        elif act == 1:
            here.connections.send(name, said("x"))
        elif act == 2:
            net.parties[name].connections.send(HERE, said("x"))
        elif act == 3 and peer is not None:
            here.connections.part(peer)
        elif act == 4 and peer is not None:
            here.connections.cut(peer, "a test")
        if rng.random() < 0.5:
            await settled()
    await settled()
    for name in (THERE, ELSEWHERE):
        there = name in here.connections.peers
        turns = [entry.split()[0] for entry in here.log if entry in (f"met {name}", f"lost {name}")]
        assert turns.count("met") > 10
        assert all(b == "lost" for a, b in pairwise(turns) if a == "met")
        assert (turns[-1] == "met") == there
