"""Who is cut off from whom, for how long, and what comes of it."""

from __future__ import annotations

import pytest

from core import messages as m
from tests.sim.faults.faulty import (
    HEARTBEAT_SECONDS,
    HOP_SECONDS,
    NOTICED_SECONDS,
    WORKING_SECONDS,
    Job,
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


def test_a_partition_that_heals_in_time_loses_nothing(replicas: str) -> None:
    world = working(wide(replicas))
    undisturbed = right(working(wide(replicas)))
    log, losses = noted(world), noticed(world)
    node = worker(world, "0-1")
    assert world.do(f"partition node {node}") == [node]
    on(world, HEARTBEAT_SECONDS - HOP_SECONDS)
    assert not [message for _, _, message in log if getattr(message, "node", None) == node]
    assert world.do("heal") == []
    report = right(world)
    assert losses == []
    assert left(log, node) == []
    assert report.repeated == 0
    assert report.finished_seconds is not None
    assert undisturbed.finished_seconds is not None
    assert report.finished_seconds <= undisturbed.finished_seconds + HEARTBEAT_SECONDS


def test_a_partition_beyond_the_limit_is_noticed_at_both_ends(replicas: str) -> None:
    world = working(wide(replicas))
    losses, node, began = noticed(world), worker(world, "0-1"), world.clock.now
    world.do(f"partition node {node}")
    on(world, NOTICED_SECONDS)
    far = host(world, "0-1")
    assert {(node, far), (far, node)} <= {ends for _, ends in losses}
    for at, _ in losses:
        assert HEARTBEAT_SECONDS <= at - began <= NOTICED_SECONDS
    assert node not in people(world, "0-1")
    world.do("heal")
    right(world)


def test_who_is_not_heard_still_hears(replicas: str) -> None:
    world = working(wide(replicas))
    node, far = worker(world, "0-1"), host(world, "0-1")
    on(world, 1.9)
    assert world.do(f"partition node {node} one-way") == [node]
    traffic = Traffic(world)
    world.network.port.send(world.network.chain(node)[-1], world.session("0-1").place, m.Leave())
    on(world, HEARTBEAT_SECONDS - HOP_SECONDS)
    assert traffic.arrived[node, far] == []
    assert len(traffic.arrived[far, node]) == len(traffic.sent[far, node])
    world.do("heal")
    right(world)


def test_a_partition_between_two_groups_leaves_the_rest_alone(replicas: str) -> None:
    world = working(wide(replicas))
    losses, one, other = noticed(world), sorted(people(world, "0-1")), sorted(people(world, "0-2"))
    assert world.do("partition everyone in 0-1 from everyone in 0-2") == one
    right(world)
    assert not [ends for _, ends in losses if ends[0] in other and ends[1] not in one]


def test_two_leaders_of_a_session_become_one_when_a_split_heals(replicas: str) -> None:
    """A team that is cut off works on, and its slot is given away; then it is sent over."""
    world = working(wide(replicas))
    log, team, older = noted(world), people(world, "0-1"), host(world, "0-1")
    world.do("partition everyone in 0-1")
    on(world, 7.0)  # in which others have nothing left to do
    newer = host(world, "0-1")
    assert newer not in team
    assert "0-1" in world.network.hosts[older].reflectors
    world.do("heal")
    healed, place = world.clock.now, m.Place("0-1", (0, newer))
    right(world)
    over = [message for _, _, message in log if message == m.Moved(older, place)]
    assert len(over) == 1
    came = {j.node for at, s, j in log if type(j) is m.Joined and s == "0-1" and at > healed}
    assert came
    assert came <= set(team)


def test_healing_ends_flapping_also_while_nobody_is_cut_off(replicas: str) -> None:
    world = working(wide(replicas))
    world.do("flap node 18 every 1 s for 5 times")
    on(world, 1.5)
    world.do("heal")
    for _ in range(4):
        on(world, 0.5)
        assert not world.faults.links.active
    assert right(world).repeated == 0


@pytest.mark.parametrize("every", [HEARTBEAT_SECONDS / 2, 2 * HEARTBEAT_SECONDS])
def test_who_flaps_is_cut_off_again_and_again(replicas: str, every: float) -> None:
    world = on(wide(replicas, job=Job(20.0)), WORKING_SECONDS)
    losses, node = noticed(world), worker(world, "0-1")
    cut = []
    assert world.do(f"flap node {node} every {every} s for 2 times") == [node]
    for _ in range(6):
        on(world, every / 2)
        cut.append(world.faults.links.active)
        on(world, every / 2)
    assert cut == [True, False, True, False, False, False]
    right(world)
    assert bool(losses) == (every > HEARTBEAT_SECONDS)
