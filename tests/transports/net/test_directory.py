"""One process under several addresses."""

from __future__ import annotations

from trio.testing import MockClock

from tests.transports.talking import HERE, THERE, Net, said, settled


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
