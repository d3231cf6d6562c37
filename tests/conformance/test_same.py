"""The same job with the same nodes: the same tree and the same result on both transports."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from core import Shape
from sim import World
from tests.conformance.deployment import Deployment
from tests.conformance.simulated import simulated
from tests.conformance.tcp import tcp

WORLDS = [  # nodes, nodes a process, partitions, fanout
    (1, 1, 1, 2),
    (5, 1, 9, 3),
    (9, 1, 9, 3),
    (12, 1, 10, 3),
    (12, 4, 10, 3),
    (10, 1, 27, 3),
    (13, 1, 13, 4),
    (27, 9, 27, 3),
    (30, 1, 8, 2),
    (16, 4, 13, 4),
    (20, 10, 16, 16),
]
Tree = dict[str, tuple[Shape, int, int]]


def tree(there: Deployment) -> Tree:
    """Of each session where it stands, and how many people and standbys it has."""
    sessions = sorted(there.reflectors(), key=lambda reflector: reflector.session)
    return {
        r.session: (r.model.shape, len(there.people(r.session)), len(r.admission.standbys))
        for r in sessions
    }


@pytest.mark.parametrize(("nodes", "together", "partitions", "fanout"), WORLDS)
async def test_the_tree_and_the_result(
    nodes: int, together: int, partitions: int, fanout: int, autojump_clock: MockClock
) -> None:
    trees, results, opened = [], [], []
    for transport in (simulated, tcp):
        async with transport(partitions, fanout) as there:
            await there.form(nodes, together)
            trees.append(tree(there))
            if nodes == partitions:  # then everyone has a piece of its own
                assert {node for node, _ in there.hands.begun} == set(there.nodes)
                assert sorted(p for _, p in there.hands.begun) == list(range(partitions))
            await there.finish()
            assert there.outcome is not None
            results.append(there.outcome.result)
            opened.append({session for session, _ in there.record.hosts})
    assert trees[0] == trees[1]
    assert trees[0]["0"][0] == Shape.root(partitions, fanout)
    assert results[0] == results[1]
    assert opened[0] == opened[1]


@pytest.mark.parametrize(
    ("job", "value", "partitions", "fanout"),
    [("plugins.primes", 30_000, 9, 3), ("plugins.demo", 3, 10, 4)],
)
async def test_a_job_that_is_really_computed(
    job: str, value: Any, partitions: int, fanout: int
) -> None:
    world = World(nodes=6, partitions=partitions, fanout=fanout, job=job, input=value)
    report = world.run(until=1000.0)
    with trio.fail_after(20.0):
        async with tcp(partitions, fanout, job, value) as there:
            await there.start(6, together=3)
            await there.until(lambda: there.outcome is not None)
            assert there.outcome is not None
            assert there.outcome.failure is None
            assert there.outcome.result == report.result
            assert report.result is not None
            shapes = {r.session: r.model.shape for h in there.hosts() for r in shown(h)}
    hosts = world.network.hosts.values()
    assert shapes == {r.session: r.model.shape for h in hosts for r in shown(h)}


def shown(host: Any) -> list[Any]:
    """All that a host has held."""
    return list(host.reflectors.values())
