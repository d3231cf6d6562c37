"""Who is silent, and who is not taken for that."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from tests.transports.logged import warnings
from tests.transports.talking import HEARTBEAT, HERE, THERE, Net, Stranger, said, settled
from transports.net import wire
from transports.net.connection import Me
from transports.net.wire import Ping


async def test_the_silent_are_cut(
    net: Net, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    here = net.party(HERE)
    silent = Stranger(net.connect(here))
    await silent.greet(Me(1, None))
    began = trio.current_time()
    with trio.fail_after(2 * HEARTBEAT):
        await silent.is_left_alone()
    assert HEARTBEAT <= trio.current_time() - began <= HEARTBEAT * 1.2
    assert here.log == ["met #1", "lost #1"]
    assert "it said nothing for 15 s" in warnings(caplog)[0]


async def test_the_idle_are_kept(net: Net, clock: MockClock) -> None:
    one, other = net.party(HERE), net.party(THERE)
    await one.connections.connect(THERE)
    await trio.sleep(3600)
    assert (one.log, other.log) == ([f"met {THERE}"], [f"met {HERE}"])
    pings = one.connections.frames_sent  # are not counted
    assert pings == 0


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
async def test_pings_come_in_time_with_what_is_known_of_the_root(
    net: Net, clock: MockClock, busy: bool
) -> None:
    """Also where enough is said besides to show that this process lives."""
    here = net.party(HERE)
    here.connections._root_age = lambda: 7.5
    other = Stranger(net.connect(here))
    await other.greet(Me(1, None))
    if busy:
        here.connections.send_back("#1", said(1))
    for _ in range(20):
        with trio.fail_after(HEARTBEAT / 3 + 0.11):
            while not isinstance(heard := await other.hear(), Ping):
                await trio.sleep(0.1)
                here.connections.send_back("#1", said(1))
        assert heard.root_seconds == 7.5
        await other.say(wire.encode(Ping()))


async def test_nobody_is_silent_whom_this_process_does_not_hear(net: Net, clock: MockClock) -> None:
    """While it is busy with what came before, pings wait unread."""
    one, other = net.party(HERE), net.party(THERE)
    other.receiving = trio.Event()
    one.connections.send(THERE, said(1))
    await trio.sleep(10 * HEARTBEAT)
    assert other.log == [f"met {HERE}"]
    other.receiving.set()
    await trio.sleep(10 * HEARTBEAT)
    assert other.log == [f"met {HERE}", f"{HERE}: 1"]


async def test_a_process_that_stood_still_cuts_nobody(
    nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    """All seconds of a pause are one sweep, after which what came meanwhile is read."""
    net = Net(nursery)
    one, other = net.party(HERE), net.party(THERE)
    await one.connections.connect(THERE)
    mock_clock.jump(3600)
    await settled()
    assert (one.log, other.log) == ([f"met {THERE}"], [f"met {HERE}"])
