"""Connections in memory: who is met and lost, in which order, and who is cut."""

from __future__ import annotations

import logging
import random
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair

from tests.transports.logged import warnings
from tests.transports.talking import (
    ELSEWHERE,
    HERE,
    THERE,
    Net,
    Party,
    Stranger,
    said,
    settled,
)
from transports.net import connection, greeting, strangers, wire, writing
from transports.net.connection import ConnectError, Me
from transports.net.dialling import WAIT_SECONDS_MAX
from transports.net.frames import HEADER
from transports.net.limits import FRAME_BYTES_MAX
from transports.net.security import Security
from transports.net.strangers import GREETING_SECONDS
from transports.net.wire import Ping, Proof

HEARTBEAT = 15.0
Ends = tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]
HELLO = wire.encode(Me(5, ELSEWHERE).hello(token=False))


@pytest.fixture
def clock() -> MockClock:
    """For each test to ask for by itself; a fixture's clock would not be the test's."""
    return MockClock(autojump_threshold=0)


@pytest.fixture
def net(nursery: trio.Nursery) -> Net:
    return Net(nursery)


@pytest.fixture(autouse=True)
def _lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "million_nodes.tcp")


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


async def test_who_does_not_listen_has_a_name_all_the_same(net: Net, clock: MockClock) -> None:
    net.party(HERE)
    here, one = net.parties[HERE], net.party(None, number=0x2A)
    one.connections.send(HERE, said(1))
    await settled()
    assert here.log == ["met #2a", "#2a: 1"]
    peer = here.peer()
    assert (peer.number, peer.address, peer.greeted) == (0x2A, None, True)
    assert peer.hello is not None
    assert peer.hello.nodes == 7


async def test_nobody_is_dialled_to_be_answered(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)
    assert not one.connections.send_back(THERE, said(1))
    assert (net.dialled, one.log) == ([], [])


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


# -- dialling ------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("tokens", "complaint"),
    [
        ((b"one" * 8, b"two" * 8), "it does not know the token of this process"),
        ((None, b"two" * 8), "it requires a token, this process has none: give --token-file"),
        ((b"one" * 8, None), "it has no token, this process requires one"),
    ],
    ids=["mismatch", "missing here", "missing there"],
)
async def test_tokens_that_differ_end_it_at_both_ends(
    net: Net,
    clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    tokens: tuple[bytes | None, bytes | None],
    complaint: str,
) -> None:
    one, other = net.party(HERE, Security(tokens[0])), net.party(THERE, Security(tokens[1]))
    with pytest.raises(ConnectError, match=f"^{THERE}: {complaint}$") as error:
        await one.connections.connect(THERE)
    await settled()
    assert error.value.final
    assert (one.log, other.log) == ([f"lost {THERE}"], [])
    assert len(warnings(caplog)) == 2  # one at each end


async def test_nobody_dials_itself(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)
    net.parties[THERE] = one  # under another address
    for address in (HERE, THERE):
        with pytest.raises(ConnectError, match="it is this process itself"):
            await one.connections.connect(address)
    assert one.connections.peers == {}


async def test_another_version_is_a_line_at_both_ends(
    net: Net, clock: MockClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second speaks the next version, and all that this process has said is known to it."""
    net.party(HERE)
    stranger = Stranger(net.connect(net.parties[HERE]))
    ours, theirs = wire.VERSION, wire.VERSION + 1
    data = HELLO.replace(b"Hello%c" % ours, b"Hello%c" % theirs)
    await stranger.say(data)
    assert isinstance(await stranger.hear(), wire.Hello)
    assert await stranger.hear() is None
    (line,) = warnings(caplog)
    assert f'reason="it speaks version {theirs}, this process speaks version {ours}"' in line


async def test_an_alias_is_as_good_as_the_name(net: Net, clock: MockClock) -> None:
    one, other = net.party(HERE), net.party(THERE)
    net.parties["localhost:4002"] = other
    one.connections.send("localhost:4002", said(1))
    await settled()
    one.connections.send("localhost:4002", said(2))
    one.connections.send(THERE, said(3))
    assert one.connections.send_back("localhost:4002", said(4))
    await settled()
    assert other.texts() == ["1", "2", "3", "4"]
    assert one.log == [f"met {THERE}"]
    assert list(one.connections.peers) == [THERE]
    assert (await one.connections.connect("localhost:4002")).name == THERE
    assert net.dialled == ["localhost:4002"]


async def test_an_alias_of_who_is_connected_leads_to_the_same_connection(
    net: Net, clock: MockClock
) -> None:
    one, other = net.party(HERE), net.party(THERE)
    net.parties["localhost:4002"] = other
    one.connections.send(THERE, said(1))
    await settled()
    one.connections.send("localhost:4002", said(2))
    await settled()
    assert other.log == [f"met {HERE}", f"{HERE}: 1", f"{HERE}: 2"]
    assert one.log == [f"met {THERE}"]
    assert len(one.peer().links) == len(other.peer().links) == 1


async def test_an_alias_ends_with_the_connection(net: Net, clock: MockClock) -> None:
    one, other = net.party(HERE), net.party(THERE)
    net.parties["localhost:4002"] = other
    await one.connections.connect("localhost:4002")
    one.connections.cut(one.peer(), "a test")
    await settled()
    one.connections.send("localhost:4002", said(1))
    await settled()
    assert one.log == [f"met {THERE}", f"lost {THERE}", f"met {THERE}"]
    assert other.texts() == ["1"]


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


# -- two at once, and those who begin anew --------------------------------------------------


async def test_both_dial_at_once(net: Net, clock: MockClock) -> None:
    one, other = net.party(HERE), net.party(THERE)
    for i in range(10):
        one.connections.send(THERE, said(i))
        other.connections.send(HERE, said(i))
    await settled()
    assert one.texts() == other.texts() == [str(i) for i in range(10)]
    assert (one.log[0], other.log[0]) == (f"met {THERE}", f"met {HERE}")


def both_at_once(
    nursery: trio.Nursery, heartbeat_seconds: float = HEARTBEAT
) -> tuple[Party, Party]:
    """Two who have each dialled the other, and are past changing their minds."""
    both, count = trio.Event(), [0]

    def pair() -> Ends:
        one, other = memory_stream_pair()
        deliver, sends = one.send_stream.send_all_hook, [0]
        assert deliver is not None

        async def held() -> None:
            sends[0] += 1
            if sends[0] == 2:  # the proof
                count[0] += 1
                if count[0] == 2:
                    both.set()
                await both.wait()
            await deliver()

        one.send_stream.send_all_hook = held
        return one, other

    net = Net(nursery, pair)
    one = net.party(HERE, heartbeat_seconds=heartbeat_seconds)
    other = net.party(THERE, heartbeat_seconds=heartbeat_seconds)
    for i in range(10):
        one.connections.send(THERE, said(i))
        other.connections.send(HERE, said(i))
    return one, other


async def test_both_connections_stand_where_neither_was_first(
    nursery: trio.Nursery, clock: MockClock
) -> None:
    one, other = both_at_once(nursery)
    await settled()
    assert len(one.peer().links) == len(other.peer().links) == 2
    await trio.sleep(10 * HEARTBEAT)  # each has only pings to say on the second
    for i in range(10, 20):
        one.connections.send(THERE, said(i))
        other.connections.send(HERE, said(i))
    await settled()
    assert one.log == [f"met {THERE}", *[f"{THERE}: {i}" for i in range(20)]]
    assert other.log == [f"met {HERE}", *[f"{HERE}: {i}" for i in range(20)]]


@pytest.mark.parametrize("which", [0, 1])
async def test_they_are_lost_together_and_once(
    nursery: trio.Nursery, clock: MockClock, which: int
) -> None:
    one, other = both_at_once(nursery)
    await settled()
    one.peer().links[which].scope.cancel()
    await settled()
    assert (one.log[-1], other.log[-1]) == (f"lost {THERE}", f"lost {HERE}")
    assert one.log.count(f"lost {THERE}") == other.log.count(f"lost {HERE}") == 1


async def test_they_are_closed_together(nursery: trio.Nursery, clock: MockClock) -> None:
    one, other = both_at_once(nursery)
    await settled()
    began = trio.current_time()
    await one.connections.close()
    assert trio.current_time() - began < 0.1
    assert other.connections.peers == {}


async def test_a_new_process_at_the_old_address(net: Net, clock: MockClock) -> None:
    """The old one is lost before the new one is met, however it ended."""
    here = net.party(HERE)
    for number in (1, 2):
        net.party(THERE, number=number).connections.send(HERE, said(number))
        await settled()
    assert here.log == [
        f"met {THERE}",
        f"{THERE}: 1",
        f"lost {THERE}",
        f"met {THERE}",
        f"{THERE}: 2",
    ]
    assert here.peer().number == 2
    here.connections.send_back(THERE, said("welcome"))
    await settled()
    assert net.parties[THERE].texts() == ["welcome"]


async def test_a_new_process_is_dialled_at_the_old_address(net: Net, clock: MockClock) -> None:
    """Whoever is connected under an address is lost if another answers there by that name."""
    here = net.party(HERE)
    old = Stranger(net.connect(here))
    await old.greet(Me(1, ELSEWHERE))
    new = net.party(ELSEWHERE, number=2)
    net.parties["localhost:4003"] = new
    here.connections.send("localhost:4003", said("to the new one"))
    await settled()
    assert here.log == [f"met {ELSEWHERE}", f"lost {ELSEWHERE}", f"met {ELSEWHERE}"]
    assert new.texts() == ["to the new one"]


async def test_who_dials_again_has_lost_the_connection_before(net: Net, clock: MockClock) -> None:
    here = net.party(HERE)
    me = Me(1, None)
    first, second = Stranger(net.connect(here)), Stranger(net.connect(here))
    await first.greet(me)
    await second.greet(me)
    await second.say(said("again"))
    await settled()
    assert here.log == ["met #1", "lost #1", "met #1", "#1: again"]
    with trio.fail_after(1):
        await first.is_left_alone()


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


# -- those who have not greeted ------------------------------------------------------------


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


async def test_who_is_dialled_and_says_nothing_is_lost(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)
    streams = []

    async def dial(address: str) -> trio.abc.Stream:
        mine, its = memory_stream_pair()
        streams.append(its)
        return mine

    one.connections._meeting._dial = dial
    with pytest.raises(ConnectError, match="did not greet within 5 s"):
        await one.connections.connect(THERE)
    await Stranger(streams[0]).is_left_alone()


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


async def test_a_cancelled_connect_costs_nothing(net: Net, clock: MockClock) -> None:
    one, _ = net.party(HERE), net.party(THERE)
    with trio.move_on_after(0):
        await one.connections.connect(THERE)
    await settled()
    assert (await one.connections.connect(THERE)).greeted
    assert one.log == [f"met {THERE}"]


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
