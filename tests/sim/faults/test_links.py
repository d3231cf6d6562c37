"""Slow nodes and links; messages that are held, dropped or come twice."""

from __future__ import annotations

from core import messages as m
from sim import World
from tests.sim.faults.faulty import (
    PIECE_SECONDS,
    Traffic,
    host,
    left,
    noticed,
    on,
    people,
    right,
    wide,
    worker,
    working,
)
from tests.sim.worlds import noted


def test_all_that_a_slow_node_does_is_slow(replicas: str) -> None:
    world = on(wide(replicas, latency=0.05), 0.01)
    assert world.do("slow node 18 by 3") == [18]
    log, traffic = noted(world), Traffic(world)
    right(world)
    pieces = [f for _, _, f in log if type(f) is m.Finished and f.seconds]
    assert {f.seconds for f in pieces if f.node == 18} == {3 * PIECE_SECONDS}
    assert {f.seconds for f in pieces if f.node != 18} == {PIECE_SECONDS}
    for pair, ticks in traffic.took.items():
        assert ticks == ({0} if pair[0] == pair[1] else {150 if 18 in pair else 50})


def test_a_slow_link_slows_nobody_else(replicas: str) -> None:
    world = working(wide(replicas, latency=0.05))
    node, far = worker(world, "0-1"), host(world, "0-1")
    assert world.do(f"slow the link of nodes {far} and {node} by 10") == [far, node]
    traffic = Traffic(world)
    on(world, PIECE_SECONDS + 1.0)
    assert traffic.between(node, far) == {500}
    for other in set(people(world, "0-1")) - {node, far}:
        assert traffic.between(other, far) == {50}
    world.do("heal")
    assert right(world).repeated == 0


def test_what_is_held_is_late_and_keeps_its_order(replicas: str) -> None:
    world = on(wide(replicas, latency=0.05), 0.01)
    world.do("hold 30 % of the messages for 0.5 s")
    losses, traffic = noticed(world), Traffic(world)
    assert right(world).repeated == 0
    until_all_is_said(world)
    assert losses == []
    assert traffic.in_order
    for pair, sent in traffic.sent.items():
        assert traffic.arrived[pair] == sent
    assert {50, 550} < set().union(*traffic.took.values())


def test_what_is_dropped_takes_its_connection_with_it(replicas: str) -> None:
    world = working(wide(replicas))
    node, far = worker(world, "0-1"), host(world, "0-1")
    losses, log = noticed(world), noted(world)
    assert world.do("drop 100 % of the messages") == []
    on(world, PIECE_SECONDS)  # in which the node is done with its piece
    assert world.do("drop 0 % of the messages") == []
    right(world)
    assert {(node, far), (far, node)} <= {ends for _, ends in losses}
    assert len(left(log, node)) == 1


def test_losses_now_and_then(replicas: str) -> None:
    world = on(wide(replicas), 0.01)
    world.do("drop 5 % of the messages")
    losses, traffic = noticed(world), Traffic(world)
    right(world)
    assert len(losses) > 10
    assert traffic.in_order


def test_every_publication_comes_twice(replicas: str) -> None:
    world = on(wide(replicas), 0.01)
    assert world.do("duplicate 100 % of the publications") == []
    traffic = Traffic(world)
    right(world)
    until_all_is_said(world)
    for (sender, receiver), sent in traffic.sent.items():
        arrived = traffic.arrived[sender, receiver]
        for what in sent:
            times = 2 if isinstance(what, m.Message) and sender != receiver else 1
            assert len([other for other in arrived if other is what]) == times


def until_all_is_said(world: World) -> None:
    world.clock.stopped = False
    on(world, 5.0)
