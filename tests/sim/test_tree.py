"""The tree is as cut, and stays narrow with any number of nodes."""

from __future__ import annotations

import pytest

from plugins.fanout import choose_fanout
from sim import World
from tests.sim.worlds import verified


@pytest.mark.parametrize(("nodes", "fanout"), [(5, 10), (64, 4), (1000, 10), (1000, 32), (3000, 7)])
def test_sessions_and_control_nodes_are_as_cut(nodes: int, fanout: int) -> None:
    world = World(nodes=nodes, fanout=fanout)
    report = world.run()
    cut, level = [], [world.shape]
    while level:
        cut += level
        level = [s.child(i) for s in level if not s.leaf for i in range(s.slots)]
    assert set(world.record.sessions) == {shape.session for shape in cut}
    assert report.sessions == len(cut)
    assert report.levels == world.shape.levels
    # A node leads one session at most on each level; the submitter leads the root.
    leaves = sum(shape.leaf for shape in cut)
    if report.levels > 1:
        assert report.control_nodes == leaves
    else:
        assert report.control_nodes == 0


def test_the_fanout_is_chosen_where_none_is_given() -> None:
    report = World(nodes=300, partitions=700).run()
    assert report.fanout == choose_fanout(700)
    assert World(nodes=300, partitions=None).shape.partitions == 300


def test_nobody_waits_for_nodes_that_are_not_needed() -> None:
    report = World(nodes=5000, partitions=50, fanout=5, delay=12.0).run()
    verified(report, 50)
    assert report.computation_nodes == 50
    assert report.sessions == World(nodes=50, fanout=5).run().sessions


def test_the_root_hears_no_more_from_more_nodes() -> None:
    reports = [World(nodes=nodes, fanout=10).run() for nodes in (100, 1_000, 10_000)]
    for report in reports:
        verified(report, report.nodes)
    assert {report.root_messages for report in reports} == {2 * 10 + 5}
    crowds = [
        World(nodes=n, partitions=1000, fanout=10, delay=12.0).run() for n in (1_000, 2_000, 8_000)
    ]
    assert {report.root_messages for report in crowds} == {2 * 10 + 7}  # prepare is late twice


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("fanout", [2, 4, 10, 40])
@pytest.mark.parametrize("nodes", [40, 1000, 4000])
def test_nobody_is_connected_to_many(nodes: int, fanout: int, seed: int) -> None:
    report = World(nodes=nodes, partitions=1000, fanout=fanout, seed=seed).run()
    assert 0 < report.connections_max <= 2 * fanout * report.levels
