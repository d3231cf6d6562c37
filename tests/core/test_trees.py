"""Small trees of hosts, replicas and views: what they come to, whatever comes first.

A failing example names the nodes, partitions, fanout and seed that repeat it.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Shape
from tests.core.growing import (
    FANOUTS,
    NODES,
    PARTITIONS,
    SEEDS,
    Life,
    check_released,
    check_result,
    grown,
)
from tests.core.harness import SUBMITTER, Net

# -- any order of deliveries ---------------------------------------------------------------


@pytest.mark.parametrize(
    "troubles",
    [
        pytest.param({}, id="none"),
        pytest.param({"listening": 0.3}, id="most do not listen"),
        pytest.param({"leaving": 0.5}, id="nodes leave"),
        pytest.param({"listening": 0.5, "leaving": 0.5}, id="who does not listen may leave too"),
        pytest.param({"breaking": 0.5}, id="connections break"),
    ],
)
@settings(max_examples=200)
@given(NODES, PARTITIONS, FANOUTS, SEEDS)
def test_the_result_is_the_sequential_one_in_any_order_of_deliveries(
    troubles: dict[str, float], nodes: int, partitions: int, fanout: int, seed: int
) -> None:
    net = grown(nodes, partitions, fanout, seed, **troubles)
    check_result(net)
    check_released(net)


@settings(max_examples=30)
@given(NODES, st.integers(1, 16), FANOUTS, SEEDS, st.sampled_from([0.0, 0.4]))
def test_all_replicas_are_the_same_after_every_message(
    nodes: int, partitions: int, fanout: int, seed: int, leaving: float
) -> None:
    check_result(grown(nodes, partitions, fanout, seed, compare=True, leaving=leaving))


@pytest.mark.parametrize("seed", range(30))
def test_the_same_with_fixed_seeds(seed: int) -> None:
    random = Random(seed)
    nodes, partitions, fanout = random.randint(1, 20), random.randint(1, 40), random.randint(2, 5)
    listening, leaving = (1.0, 0.5)[seed % 2], (0.0, 0.3, 0.6)[seed % 3]
    net = grown(nodes, partitions, fanout, seed, listening=listening, leaving=leaving)
    check_result(net)
    check_released(net)


def test_the_same_seed_gives_the_same_history() -> None:
    one, other = (grown(12, 30, 3, 7, leaving=0.5) for _ in range(2))
    assert one.ordered == other.ordered
    assert one.computed == other.computed
    assert one.now == other.now


@settings(max_examples=100)
@given(NODES, PARTITIONS, FANOUTS, SEEDS)
def test_nobody_is_connected_to_more_than_fanout_times_levels_and_as_many_standbys(
    nodes: int, partitions: int, fanout: int, seed: int
) -> None:
    random = Random(seed)
    net = Net(Shape.root(partitions, fanout))
    bound = 2 * fanout * net.shape.levels

    def look() -> None:
        for process in net.live():
            assert len(net.others(process.node)) <= bound

    net.submit()
    events = [event for arrival in Life(net, random).events(nodes) for event in (arrival, look)]
    net.run(random, events + [look] * 10)
    look()


# -- what one death costs ------------------------------------------------------------------


def exposed(net: Net, node: int) -> set[int]:
    """Partitions of leaf sessions that this process alone has, or that others are still to bring.

    Whoever opens a session anew begins with what it knows itself: what another brings a moment
    later may have been given out by then.
    """
    found: set[int] = set()
    seats = [v.seat for p in net.live() for v in p.views if p.node != node and v.seat is not None]
    for model in [seat.state.model for seat in seats if seat.place.address == node]:
        if model.leaf:
            found.update(model.shape.first + slot for slot in model.facts())
    for reflector in net.open_reflectors():
        shape, alone = reflector.model.shape, reflector.members.keys() <= {node}
        if shape.leaf and alone and reflector.host.address == node and not reflector.state.moved:
            found.update(range(shape.first, shape.first + shape.partitions))
    return found


@settings(max_examples=150)
@given(st.integers(2, 12), st.integers(1, 40), FANOUTS, SEEDS, st.sampled_from([1.0, 0.5]))
def test_a_death_costs_no_more_than_the_leaf_sessions_that_one_process_held(
    nodes: int, partitions: int, fanout: int, seed: int, listening: float
) -> None:
    random, work = Random(seed), {"compute"}
    net = Net(Shape.root(partitions, fanout))
    net.submit()
    arrive = Life(net, random, listening)._arrive
    for node in range(1, nodes + 1):
        arrive(node)
        net.settle(work)
    lost: set[int] = set()
    for node in range(nodes + 1, nodes + 7):
        for _ in range(random.randint(0, 2 * partitions // 3)):
            if at_work := [lane for lane in net.lanes if lane[0] == "compute"]:
                net.step(random.choice(at_work))
                net.settle(work)
        dying = random.choice([p.node for p in net.live() if p.node != SUBMITTER])
        if not net.outcome:
            lost |= exposed(net, dying)
            net.leave(dying)
            net.settle(work)
            arrive(node)
            net.settle(work)
    net.run(random)
    check_result(net)
    assert set(net.repeated) <= lost
