"""Who crashes is noticed, and who restarts goes on with what it has."""

from __future__ import annotations

import pytest

from core import messages as m
from sim import World
from sim.faults import actions as a
from tests.sim.faults.faulty import (
    HEARTBEAT_SECONDS,
    HOP_SECONDS,
    NOTICED_SECONDS,
    PIECE_SECONDS,
    WORKING_SECONDS,
    deep,
    held,
    host,
    joined,
    left,
    on,
    people,
    right,
    sessions,
    wide,
    worker,
    working,
)
from tests.sim.worlds import noted

# -- crashes and restarts ------------------------------------------------------------------


def test_a_crash_is_noticed_at_once(replicas: str) -> None:
    world = working(wide(replicas))
    node = worker(world, "0-1")
    assert world.do(f"crash node {node}") == [node]
    on(world, HOP_SECONDS)
    assert node not in people(world, "0-1")
    right(world)


def test_a_silent_crash_is_noticed_after_the_heartbeat_limit(replicas: str) -> None:
    world = working(wide(replicas))
    node, log = worker(world, "0-1"), noted(world)
    crashed = world.clock.now
    assert world.do(f"crash node {node} silently") == [node]
    right(world)
    (noticed,) = left(log, node)
    assert HEARTBEAT_SECONDS <= noticed - crashed <= NOTICED_SECONDS


def test_who_restarts_as_a_newcomer_has_nothing_from_before(replicas: str) -> None:
    world = working(wide(replicas))
    node, log = worker(world, "0-1"), noted(world)
    world.do(f"crash node {node}")
    on(world, 1.0)
    assert world.do(f"restart node {node}") == [node]
    right(world)
    again = joined(log, node)[0]
    assert (again.about, again.claims) == (None, ())


def test_who_restarts_with_memory_goes_on_with_what_it_held(replicas: str) -> None:
    world = working(wide(replicas))
    node, log = worker(world, "0-1"), noted(world)
    (slot,) = held(world, "0-1", node)
    world.do(f"crash node {node}")
    on(world, 1.0)
    assert world.do(f"restart node {node} with memory") == [node]
    right(world)
    again = joined(log, node)[0]
    assert again.about == PIECE_SECONDS
    assert again.claims == (slot,)
    assert world.work.job.compute.__self__.computed.count(16 + slot) == 1  # type: ignore[attr-defined]


def test_a_restart_concerns_only_who_crashed(replicas: str) -> None:
    world = working(wide(replicas))
    assert world.do("restart nodes 0-24") == []
    world.do("crash nodes 3-5")
    assert world.do("crash nodes 4-6") == [6]
    assert world.do("restart nodes 0-24") == [3, 4, 5, 6]
    assert world.do("restart nodes 0-24") == []
    assert right(world).crashed == 4


def test_a_share_of_those_who_crashed_restarts(replicas: str) -> None:
    world = working(wide(replicas))
    world.do("crash nodes 1-10")
    back = world.do("restart 50 % of the nodes")
    assert len(back) == 5
    assert set(back) < set(range(1, 11))
    right(world)


@pytest.mark.parametrize("silently", ["", " silently"])
@pytest.mark.parametrize("memory", ["", " with memory"])
@pytest.mark.parametrize("away_seconds", [0.3, 3.0, 20.0])
def test_the_submitter_comes_back(
    replicas: str, memory: str, silently: str, away_seconds: float
) -> None:
    """Those who are there know the rest: nothing is computed again, with a store or without."""
    world = working(wide(replicas))
    assert world.do(f"crash node 0{silently}") == [0]
    on(world, away_seconds)
    assert world.do(f"restart node 0{memory}") == [0]
    assert right(world).repeated == 0


@pytest.mark.parametrize("memory", [True, False])
def test_only_the_store_survives_when_all_are_lost(replicas: str, memory: bool) -> None:
    """Nobody else listens, so the submitter hosts every session, and stores it."""
    world = working(wide(replicas, listening=0.0, faults=()))
    accepted = world.record.accepted
    assert accepted > 10
    world.do(a.Crash(a.Nodes(tuple(range(25)))))
    on(world, 10.0)
    world.do(a.Restart(a.Nodes((0,)), memory))
    on(world, 1.0)
    world.do("restart nodes 1-24")
    assert right(world).repeated == (0 if memory else accepted)


def test_who_begins_again_hears_nothing_of_what_waited_at_its_host_before() -> None:
    world = World(nodes=1, arrival_rate=0.01, latency=0.1, service_time=2.0, faults=())
    log = noted(world)
    on(world, 1.0)
    world.do("crash node 0")  # its own first messages wait in its queue
    world.do("restart node 0")
    on(world, 20.0)
    assert [type(message) for _, _, message in log] == [m.Joined, m.Given, m.Prepared]


# -- before the next session ---------------------------------------------------------------


def test_who_crashes_before_its_next_session_opens_none(replicas: str) -> None:
    world = on(deep(replicas), 0.01)
    assert world.do("crash nodes 1-3 before its next session") == [1, 2, 3]
    on(world, WORKING_SECONDS)
    down = set(world.faults.crashed)
    assert down
    assert down <= {1, 2, 3}
    assert not {host(world, session) for session in sessions(world)} & down
    right(world)


def test_who_wakes_opens_the_session_before_which_it_crashed(replicas: str) -> None:
    world = on(deep(replicas), 0.01)
    world.do("crash node 1 before its next session")
    on(world, 1.0)
    assert [*world.faults.crashed] == [1]
    assert world.do("restart node 1 with memory") == [1]
    on(world, 1.0)
    assert 1 in {host(world, session) for session in sessions(world)}
    right(world)
