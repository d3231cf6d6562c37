"""Who is dialled: how often, for whom, and what is said where it does not work."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from tests.transports.talking import HERE, THERE, Net, said, settled
from transports.net.connection import ConnectError
from transports.net.dialling import WAIT_SECONDS_MAX


async def test_connect_gives_the_peer(net: Net, clock: MockClock) -> None:
    one, other = net.party(HERE), net.party(THERE)
    peer = await one.connections.connect(THERE)
    assert (peer.name, peer.number, peer.address) == (THERE, other.me.number, THERE)
    assert await one.connections.connect(THERE) is peer
    assert net.dialled == [THERE]


async def test_two_who_connect_at_once_share_a_connection(net: Net, clock: MockClock) -> None:
    one, _ = net.party(HERE), net.party(THERE)
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(one.connections.connect, THERE)
    assert (net.dialled, one.log) == ([THERE], [f"met {THERE}"])


async def test_connect_says_in_one_line_why_it_did_not_work(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)
    with pytest.raises(ConnectError, match=f"^{THERE}: nobody listens there") as error:
        await one.connections.connect(THERE)
    assert not error.value.final
    assert one.log == [f"lost {THERE}"]


async def test_nobody_dials_itself(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)
    net.parties[THERE] = one  # under another address
    for address in (HERE, THERE):
        with pytest.raises(ConnectError, match="it is this process itself"):
            await one.connections.connect(address)
    assert one.connections.peers == {}


async def test_nobody_is_dialled_to_be_answered(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)
    assert not one.connections.send_back(THERE, said(1))
    assert (net.dialled, one.log) == ([], [])


async def test_a_cancelled_connect_costs_nothing(net: Net, clock: MockClock) -> None:
    one, _ = net.party(HERE), net.party(THERE)
    with trio.move_on_after(0):
        await one.connections.connect(THERE)
    await settled()
    assert (await one.connections.connect(THERE)).greeted
    assert one.log == [f"met {THERE}"]


async def test_backoff(net: Net, clock: MockClock) -> None:
    """However often it is tried, an address is dialled less and less often."""
    one = net.party(HERE)
    for _ in range(6000):
        one.connections.send(THERE, said(1))
        await trio.sleep(0.01)
    assert one.log.count(f"lost {THERE}") == 6000  # one for each that was tried
    waits = [b - a for a, b in pairwise(net.times)]
    assert 0.04 < waits[0] < 0.13
    assert all(WAIT_SECONDS_MAX / 2 <= wait <= WAIT_SECONDS_MAX + 0.02 for wait in waits[7:])
    assert len({round(wait, 2) for wait in waits[7:]}) > 3  # with jitter
    assert 12 < len(waits) < 35


async def test_no_tasks_pile_up_meanwhile(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)
    one.connections.send(THERE, said(1))
    await settled()
    for _ in range(1000):
        one.connections.send(THERE, said(1))
    assert len(net.nursery.child_tasks) == 3  # one sweeps, one is the test's bound


async def test_backoff_ends_when_it_is_reached(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)
    for _ in range(1000):
        one.connections.send(THERE, said(1))
        await trio.sleep(0.01)
    net.party(THERE)
    await one.connections.connect(THERE)
    one.connections.cut(one.peer(), "a test")
    del net.parties[THERE]
    await settled()
    net.times.clear()
    for _ in range(50):
        one.connections.send(THERE, said(1))
        await trio.sleep(0.01)
    assert len(net.times) > 2  # as at the beginning


async def test_backoff_ends_when_it_dials_itself(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)
    for _ in range(1000):
        one.connections.send(THERE, said(1))
        await trio.sleep(0.01)
    other = net.party(THERE)
    other.connections.send(HERE, said("here I am"))
    await settled()
    other.connections.cut(other.peer(), "a test")
    await settled()
    one.connections.send(THERE, said("again"))
    await settled()
    assert other.texts() == ["again"]
