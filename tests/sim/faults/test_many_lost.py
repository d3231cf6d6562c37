"""Many are lost at once, or one after the other, and the answer stays right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sim import World
from sim.faults import actions as a
from tests.sim.faults.faulty import (
    deep,
    done,
    host,
    on,
    people,
    right,
    sessions,
    wide,
    working,
)


@pytest.mark.parametrize("silently", ["", " silently"])
@pytest.mark.parametrize("build", [wide, deep])
def test_half_of_all_are_lost_at_once(
    replicas: str, build: Callable[..., World], silently: str
) -> None:
    world = working(build(replicas))
    assert len(world.do(f"crash 50 % of the nodes{silently}")) == 12
    right(world)


@pytest.mark.parametrize("silently", ["", " silently"])
@pytest.mark.parametrize("session", ["0-1", "0-1-1"])
def test_everyone_in_a_session_is_lost(replicas: str, session: str, silently: str) -> None:
    world = working(deep(replicas))
    everyone = sorted(people(world, session))
    assert world.do(f"crash everyone in {session}{silently}") == everyone
    right(world)


def test_everyone_in_the_root_is_everyone_but_the_submitter(replicas: str) -> None:
    world = working(deep(replicas))
    assert set(world.do("crash everyone in 0")) == set(people(world, "0")) - {0}
    right(world)


def test_a_subtree_is_a_session_with_those_below_it(replicas: str) -> None:
    world = working(deep(replicas))
    below = [s for s in sessions(world) if f"{s}-".startswith("0-1-")]
    everyone = sorted({node for s in below for node in people(world, s)})
    assert len(below) == 5
    assert world.do("kill the subtree of 0-1") == everyone
    right(world)


@pytest.mark.parametrize("silently", [False, True])
def test_hosts_of_several_levels_are_lost_at_once(replicas: str, silently: bool) -> None:
    world = working(deep(replicas))
    hosts = {host(world, session) for session in sessions(world)} - {0}
    assert len(hosts) == 16
    assert len([s for s in sessions(world) if host(world, s) == host(world, "0-1")]) == 2
    world.do(a.Crash(a.Nodes(tuple(sorted(hosts))), silently))
    assert right(world).crashed == 16


def test_the_host_and_the_leader_of_a_session(replicas: str) -> None:
    world = working(deep(replicas))
    assert world.do("slow the leader of 0-1 by 1") == [world.session("0-1").state.leader]
    address = host(world, "0-1")
    assert world.do("crash the host of 0-1") == [address]
    on(world, 1.0)
    assert world.do("crash the host of 0-1") not in ([], [address])
    right(world)


def test_one_after_the_other_hosts_a_session_and_is_lost(replicas: str) -> None:
    world = working(deep(replicas))
    lost = []
    for _ in range(5):
        lost += world.do("crash the host of 0-1")
        on(world, 1.0)
    assert len(set(lost)) == 5
    right(world)


def test_an_old_replica_comes_back(replicas: str) -> None:
    """What was accepted while its owner was away is not lost; it computes one in vain at most."""
    world = working(wide(replicas))
    node = host(world, "0-1")
    known = done(world, "0-1")
    world.do(f"crash node {node}")
    on(world, 4.0)
    assert host(world, "0-1") != node
    assert known < done(world, "0-1")
    world.do(f"restart node {node} with memory")
    on(world, 1.0)
    assert known < done(world, "0-1")
    assert right(world).repeated <= 1
