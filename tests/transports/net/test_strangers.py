"""Those who have not greeted: so many, for so long."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from tests.transports.logged import warnings
from tests.transports.talking import HELLO, HERE, THERE, Net, Stranger, settled
from transports.net import greeting, strangers, wire
from transports.net.connection import Me
from transports.net.strangers import GREETING_SECONDS


@pytest.mark.parametrize("data", [b"", HELLO[:3], HELLO[:20], HELLO], ids=["0", "3", "20", "all"])
async def test_half_a_greeting_is_waited_for_only_so_long(
    net: Net, clock: MockClock, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    here = net.party(HERE)
    half = Stranger(net.connect(here))
    await half.say(data)
    began = trio.current_time()
    with trio.fail_after(2 * GREETING_SECONDS):
        await half.is_left_alone()
    assert trio.current_time() - began == pytest.approx(GREETING_SECONDS)
    assert here.log == []
    (line,) = warnings(caplog)
    assert "did not greet within 5 s" in line


async def test_one_byte_after_the_other_is_no_way_to_stay(net: Net, clock: MockClock) -> None:
    net.party(HERE)
    slow = Stranger(net.connect(net.parties[HERE]))
    began = trio.current_time()
    with suppress(trio.BrokenResourceError):
        for byte in HELLO:
            await slow.say(bytes([byte]))
            await trio.sleep(0.5)
    assert trio.current_time() - began < 2 * GREETING_SECONDS


async def test_the_oldest_goes_where_there_are_too_many(
    net: Net, clock: MockClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "STRANGERS_MAX", 10)
    here = net.party(HERE)
    waiting = [Stranger(net.connect(here))]
    await settled()
    waiting += [Stranger(net.connect(here)) for _ in range(9)]
    await settled()
    assert warnings(caplog) == []
    good = net.party(THERE)
    with trio.fail_after(1):
        await good.connections.connect(HERE)
        await waiting[0].is_left_alone()
    (line,) = warnings(caplog)
    assert "more than 10 have not greeted" in line
    for stranger in waiting[1:]:
        await stranger.greet(Me(wire.random_number(), None))
    await settled()
    assert len(here.connections.peers) == 10


async def test_where_no_memory_is_left_for_a_stranger_it_goes(
    net: Net, clock: MockClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starve(*greeted: object) -> bytes:
        raise MemoryError

    here = net.party(HERE)
    monkeypatch.setattr(greeting, "decode", starve)
    stranger = Stranger(net.connect(here))
    await stranger.say(HELLO)
    await stranger.is_left_alone()
    monkeypatch.undo()
    assert "no memory is left" in warnings(caplog)[0]
    await net.party(THERE).connections.connect(HERE)
