"""What waits to be said: it goes out together, and who does not read is cut."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair

from tests.transports.logged import warnings
from tests.transports.talking import HERE, THERE, Ends, Net, Stranger, said, settled
from transports.net import writing
from transports.net.connection import Me
from transports.net.limits import FRAME_BYTES_MAX


async def test_what_waits_goes_out_together(nursery: trio.Nursery, clock: MockClock) -> None:
    sizes: list[int] = []

    def pair() -> Ends:
        one, other = memory_stream_pair()
        deliver = one.send_stream.send_all_hook
        assert deliver is not None

        async def counted() -> None:
            sizes.append(len(one.send_stream._outgoing._data))
            await deliver()

        one.send_stream.send_all_hook = counted
        return one, other

    net = Net(nursery, pair)
    one, other = net.party(HERE), net.party(THERE)
    frame = said("x" * 1000)
    for _ in range(200):
        one.connections.send(THERE, frame)
    await settled()
    assert len(other.texts()) == 200
    assert len(sizes) == 2 + 4  # Hello, Proof; 200 KB
    assert max(sizes) <= 2**16 + len(frame)


async def test_who_does_not_read_is_cut_and_nobody_waits_for_it(
    nursery: trio.Nursery, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    net = Net(nursery, lockstep_stream_pair)
    here, good = net.party(HERE), net.party(THERE)
    await good.connections.connect(HERE)
    slow = Stranger(net.connect(here))
    await slow.greet(Me(1, None))
    frame = said("x" * 2**20)
    sent = 0
    while "lost #1" not in here.log:
        here.connections.send_back("#1", frame)
        here.connections.send_back(THERE, said(sent))
        await settled()
        sent += 1
        assert len(good.texts()) == sent  # at once
    assert writing.WAITING_BYTES_MAX < sent * len(frame) < 1.05 * writing.WAITING_BYTES_MAX
    (line,) = warnings(caplog)
    assert "it does not read" in line
    assert here.log.count("lost #1") == 1


async def test_whoever_has_most_kept_goes_where_it_is_too_much_for_all(
    nursery: trio.Nursery, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What waits for one counts, and what another has said by halves."""
    net = Net(nursery, lockstep_stream_pair)
    here, frame = net.party(HERE), said("x" * 2**20)
    here.connections._writing.kept_bytes_max = 20 * 2**20
    slow, halved = Stranger(net.connect(here)), Stranger(net.connect(here))
    for number, one in enumerate((slow, halved), 1):
        await one.greet(Me(number, None))
    for _ in range(8):
        here.connections.send_back("#1", frame)
    half = said("x" * (FRAME_BYTES_MAX - 100))[: 2**23]
    await halved.say(half)
    await settled()
    assert warnings(caplog) == []
    for _ in range(8):
        here.connections.send_back("#1", frame)
    await settled()
    (line,) = warnings(caplog)
    assert line.startswith("cut peer=#1 ")
    assert f"of {20 * 2**20} bytes" in line
    assert [*here.connections.peers] == ["#2"]


async def test_who_is_never_reached_is_cut_at_the_same_limit(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)

    async def dial(address: str) -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError

    one.connections._meeting._dial = dial
    for _ in range(70):
        one.connections.send(THERE, said("x" * 2**20))
    await settled()
    assert one.log == [f"lost {THERE}"]
