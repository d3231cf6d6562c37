"""Nodes come and go at random: the result is right whenever anyone stays to compute it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from core import messages as m
from core.messages import Node
from core.sessions.chain import View
from sim import Report, World
from sim.record import connections

LIFETIMES_SECONDS_MAX = 2000.0  # by then everybody has left whose lifetime is limited
ENDS_SECONDS = 400.0  # the longest run of those below, with a wide margin
HEARD_SECONDS = 30.0  # after the end; those turned away ask again every five


def drawn(seed: int) -> dict[str, Any]:
    r = random.Random(seed)
    nodes = r.randint(1, 60)
    return {
        "nodes": nodes,
        "partitions": r.randint(1, 150),
        "fanout": r.randint(2, 6),
        "delay": r.choice([0, "uniform:0.1,2", "exponential:1"]),
        "lifetime": r.choice([None, "exponential:5", "exponential:20", "uniform:1,30"]),
        "arrival_rate": r.choice([None, nodes / 3, 1000]),
        "listening": r.choice([1.0, 1.0, 0.5, 0.0]),
        "input": 1,
        "seed": seed,
    }


def told(world: World) -> set[Node]:
    """A set that fills with those who were told that it is over."""
    nodes: set[Node] = set()
    port = world.network.port
    ended = port.ended

    def telling(worker: View, outcome: m.Ended) -> None:
        nodes.add(worker.node)
        ended(worker, outcome)

    port.ended = telling  # type: ignore[method-assign]
    return nodes


def alive(world: World) -> set[Node]:
    """Who is there, but for the submitter."""
    return {node for node, there in enumerate(world.network.alive) if there and node}


def verify(world: World, report: Report) -> None:
    assert report.failure is None
    if report.result is None:
        assert alive(world) == set(), "somebody is there, and the run did not finish"
        return
    assert report.result == report.partitions
    assert report.accepted == report.partitions
    assert report.finished_seconds is not None
    assert report.finished_seconds <= ENDS_SECONDS + report.nodes / 100


@pytest.mark.parametrize("seed", range(250))
def test_churn(seed: int) -> None:
    options = drawn(seed)
    world = World(**options)
    heard = told(world)
    report = world.run(until=LIFETIMES_SECONDS_MAX)
    verify(world, report)
    if options["listening"] == 1.0:  # else the few that listen hold the sessions of the rest
        assert report.connections_max <= 2 * report.fanout * report.levels
    if report.finished_seconds is None:
        return
    world.clock.stopped = False
    world.run(until=report.finished_seconds + HEARD_SECONDS)
    assert alive(world) <= heard
    if options["lifetime"] is None:
        world.drain()
        assert alive(world) | {0} == heard


def test_most_of_these_worlds_finish_and_some_cannot() -> None:
    """The draws above are worth something only as long as they hold both."""
    reports = [World(**drawn(seed)).run(until=LIFETIMES_SECONDS_MAX) for seed in range(0, 250, 10)]
    finished = [report for report in reports if report.result is not None]
    assert len(reports) / 2 < len(finished) < len(reports)
    assert any(report.left > 10 for report in finished)


@pytest.mark.parametrize(
    "options",
    [
        {"lifetime": "exponential:60", "fanout": 20, "delay": "exponential:2"},
        {"lifetime": "uniform:2,60", "fanout": 100, "delay": 1},
    ],
    ids=str,
)
def test_twenty_thousand_nodes_come_and_go(options: dict[str, Any]) -> None:
    world = World(nodes=20_000, input=1, seed=3, **options)
    report = world.run(until=LIFETIMES_SECONDS_MAX)
    verify(world, report)
    assert report.result == 20_000
    assert report.left > 1000
    assert report.connections_max <= 2 * report.fanout * report.levels


@pytest.mark.parametrize("listening", [1.0, 0.5])
@pytest.mark.parametrize("seed", range(20))
def test_leaders_leave_one_after_the_other(seed: int, listening: float) -> None:
    """Each second one of those who lead leaves, until one node is left, which stays."""
    world = World(
        nodes=30, partitions=80, fanout=4, input=1, seed=seed, listening=listening, delay=1.0
    )
    heard = told(world)
    for second in range(4, 30):
        world.run(until=float(second))
        leaders = [n for n in world.record.leaders if world.network.alive[n]]
        if world.clock.stopped or len(alive(world)) <= 1 or not leaders:
            break
        world.network.leave(leaders[seed % len(leaders)])
    report = world.run(until=LIFETIMES_SECONDS_MAX)
    verify(world, report)
    assert report.result == 80
    world.drain()
    assert alive(world) | {0} == heard


@pytest.mark.parametrize("seed", range(10))
def test_nearly_all_leave_at_once(seed: int) -> None:
    r = random.Random(seed)
    world = World(nodes=60, partitions=90, fanout=4, input=1, seed=seed, delay="uniform:0.5,2")
    world.run(until=r.uniform(3, 11))
    for node in r.sample(sorted(alive(world)), len(alive(world)) - 1):
        world.network.leave(node)
    report = world.run(until=LIFETIMES_SECONDS_MAX)
    verify(world, report)
    assert report.result == 90


def test_everyone_who_stays_hears_that_it_is_over() -> None:
    """Spares, those turned away, and those that come after the end are told as well."""
    world = World(nodes=400, partitions=20, fanout=4, input=1, delay=1.0, arrival_rate=20)
    heard = told(world)
    report = world.run()
    assert report.result == 20
    assert report.arrived < 400
    assert len(heard) < report.arrived
    world.drain()
    assert heard == set(range(401))
    assert world.run().result == 20


def test_hosts_forget_who_has_left() -> None:
    """No participant of a session is missing from its model for long, nor the other way round."""
    world = World(nodes=80, fanout=4, lifetime="uniform:5,60", delay=30.0, seed=2)
    for second in range(5, 40):
        world.run(until=float(second))
        gone = {n for n in range(1, world.record.arrived + 1) if not world.network.alive[n]}
        world.run(until=second + 0.5)  # within which every broken connection is noticed
        for host in world.network.hosts.values():
            assert not gone & connections(host)
            for reflector in host.reflectors.values():
                assert set(reflector.state.people) == set(reflector.members)
