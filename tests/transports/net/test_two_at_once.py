"""Two connections between the same two: both dialled, or one of them begins anew."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from tests.transports.talking import (
    ELSEWHERE,
    HEARTBEAT,
    HERE,
    THERE,
    Ends,
    Net,
    Party,
    Stranger,
    said,
    settled,
)
from transports.net.connection import Me

# -- both dialled --------------------------------------------------------------------------


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


# -- one begins anew -----------------------------------------------------------------------


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
