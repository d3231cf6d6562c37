"""Who is done goes on where work is left, and helps who is slow."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sim import World
from tests.sim.worlds import job, verified


def test_the_team_of_a_complete_session_goes_where_work_is_left() -> None:
    """64 partitions under 4 sessions; those of the last one take long."""
    slow = job(cost=lambda value, index: 20.0 if index >= 48 else 1.0)
    world = World(nodes=16, partitions=64, fanout=8, job=slow, arrival_rate=1e3)
    world.run(until=0.9)
    slots = world.session("0").model.slots
    teams = [set(world.session(f"0-{i}").state.people) for i in range(len(slots))]
    assert [len(team) for team in teams] == [2] * 8
    world.run(until=60.0)
    late = {6, 7}  # the slots with partitions 48 to 63
    moved = {i: world.session(f"0-{i}").state.moved for i in range(8)}
    gone = {i: place.session for i, place in moved.items() if place and i not in late}
    assert gone
    assert set(gone.values()) <= {"0-6", "0-7"}
    for i in gone:
        by_now = {world.network.chain(node)[-1].place.session for node in teams[i]}
        (there,) = by_now  # together, and maybe once more by now
        assert there in ("0-6", "0-7")
        assert world.session(f"0-{i}").state.people == {}
    report = world.run()
    verified(report, 64)
    assert report.finished_seconds is not None
    assert report.finished_seconds < 8 / 2 * 20  # what the two there alone would need


def test_a_leader_that_is_done_takes_a_free_slot_with_its_team() -> None:
    """Sessions of two; the whole team of one leaves, another is done first and takes over."""
    slow = job(cost=lambda value, index: 5.0 if index < 4 else 30.0)
    world = World(nodes=8, partitions=16, fanout=4, job=slow, arrival_rate=1e3, latency=0.05)
    world.run(until=2.0)
    teams = [set(world.session(f"0-{i}").state.people) for i in range(4)]
    assert [len(team) for team in teams] == [2] * 4
    for node in teams[3]:
        world.network.leave(node)
    world.run(until=16.0)
    assert world.session("0").model.slots.done[0]
    moved = world.session("0-0").state.moved
    assert moved is not None
    assert moved.session == "0-3"
    assert teams[0] <= set(world.session("0-3").state.people)
    verified(world.run(), 16)


def slow_at_first(index: int, seconds: float) -> tuple[SimpleNamespace, list[float]]:
    """Whoever is first with partition `index` takes `seconds`, all else one; and what was taken."""
    taken: list[float] = []

    def cost(value: object, i: int) -> float:
        if i == index and seconds not in taken:
            taken.append(seconds)
            return seconds
        taken.append(1.0)
        return 1.0

    return job(cost=cost), taken


@pytest.mark.parametrize(
    ("nodes", "partitions", "fanout"), [(12, 8, 8), (10, 10, 10), (30, 27, 3), (4, 9, 3)]
)
def test_one_very_slow_node_does_not_hold_the_result_up(
    nodes: int, partitions: int, fanout: int
) -> None:
    slow, taken = slow_at_first(4, 1000.0)
    report = World(nodes=nodes, partitions=partitions, fanout=fanout, job=slow).run()
    assert 1000.0 in taken
    verified(report, partitions)
    assert report.finished_seconds is not None
    assert report.finished_seconds < 40


def test_a_lone_slow_node_is_waited_for() -> None:
    slow, _ = slow_at_first(4, 1000.0)
    report = World(nodes=1, partitions=8, fanout=8, job=slow).run()
    verified(report, 8)
    assert report.finished_seconds is not None
    assert report.finished_seconds > 1000
