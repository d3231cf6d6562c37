"""What is read from one connection, and who is cut for what it says."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.transports.logged import warnings
from tests.transports.talking import HELLO, HERE, THERE, Net, Stranger, said, settled
from transports.net import connection, wire
from transports.net.connection import Me
from transports.net.frames import HEADER
from transports.net.limits import FRAME_BYTES_MAX
from transports.net.wire import Ping, Proof


async def test_a_long_frame_is_heard_after_the_greeting(net: Net, clock: MockClock) -> None:
    here, bad = net.party(HERE), Stranger(net.connect(net.parties[HERE]))
    await bad.greet(Me(1, None))
    await bad.say(said("x" * 10**6))
    await settled()
    assert here.texts() == ["x" * 10**6]


async def test_pings_are_not_handed_on(net: Net, clock: MockClock) -> None:
    here, other = net.party(HERE), Stranger(net.connect(net.parties[HERE]))
    await other.greet(Me(1, None))
    await other.say(wire.encode(Ping()), said(1), wire.encode(Ping()))
    await settled()
    assert here.texts() == ["1"]
    assert here.connections.frames_received == 1


async def test_nothing_is_heard_after_a_complaint(net: Net, clock: MockClock) -> None:
    """All of it came in one piece."""
    one, other = net.party(HERE), net.party(THERE)
    one.connections.send(THERE, said("first"))

    async def receive(*_: object) -> None:
        (peer,) = other.connections.peers.values()
        other.log.append("heard")
        other.connections.cut(peer, "it is wrong")

    other.connections._reading._receive = receive
    for i in range(10):
        one.connections.send(THERE, said(i))
    await settled()
    assert other.log == [f"met {HERE}", "heard", f"lost {HERE}"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HELLO, "Hello after the greeting"),
        (wire.encode(Proof(b"")), "Proof after the greeting"),
        (HEADER.pack(FRAME_BYTES_MAX + 1), "frame of 16777217 bytes, above the limit of "),
        (HEADER.pack(3) + b"\xc1\xc1\xc1", "malformed frame of 3 bytes"),
        (b"GET / HTTP/1.1\r\n\r\n", "above the limit"),
    ],
    ids=range(5),
)
async def test_who_says_what_is_wrong_is_cut_and_nobody_else(
    net: Net, clock: MockClock, caplog: pytest.LogCaptureFixture, data: bytes, reason: str
) -> None:
    here, good = net.party(HERE), net.party(THERE)
    await good.connections.connect(HERE)
    bad = Stranger(net.connect(here))
    await bad.greet(Me(0xBAD, None))
    await bad.say(said("fine"), data, said("never heard"))
    with trio.fail_after(1):
        await bad.is_left_alone()
    good.connections.send(HERE, said("still here"))
    await settled()
    assert here.log[2:] == ["#bad: fine", "lost #bad", f"{THERE}: still here"]
    (line,) = warnings(caplog)
    assert line.startswith("cut peer=#bad")
    assert reason in line


async def test_nothing_is_kept_of_what_one_says_who_is_not_heard_any_more(
    net: Net, clock: MockClock
) -> None:
    here, talking = net.party(HERE), Stranger(net.connect(net.parties[HERE]))
    await talking.greet(Me(1, None))
    await settled()
    peer = here.peer()
    (link,) = peer.links
    here.connections.part(peer)
    await settled()
    assert peer.gone
    for i in range(20):
        await talking.say(said("x" * 2**16))
        await settled()
        assert link.frames.bytes_kept == 0, i
    assert here.texts() == []


async def test_where_no_memory_is_left_who_was_heard_is_cut_and_nobody_else(
    net: Net, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    here, good = net.party(HERE), net.party(THERE)
    await good.connections.connect(HERE)
    receive = here.connections._reading._receive

    async def starve(peer: connection.Peer, *heard: Any) -> None:
        if peer.name != THERE:
            raise MemoryError
        await receive(peer, *heard)

    here.connections._reading._receive = starve
    bad = Stranger(net.connect(here))
    await bad.greet(Me(0xBAD, None))
    await bad.say(said("too much"))
    await bad.is_left_alone()
    good.connections.send(HERE, said("still here"))
    await settled()
    assert here.texts() == ["still here"]
    (line,) = warnings(caplog)
    assert line.startswith("cut peer=#bad")
    assert "no memory is left" in line
