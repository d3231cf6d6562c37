"""The promises of a session, kept for a counter: in worlds and under faults drawn from seeds."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from core import Reflector, Shape
from core.messages import Node
from sim.faults import actions as a
from sim.faults import plans
from sim.faults.actions import SUBMITTER
from tests.sessions.promises import Broken, Promises
from tests.sessions.world import Counters

FURTHER = 3  # numbers that everyone is to count on when nothing goes wrong any more
BEGUN_SECONDS = 3.0  # by then everyone counts
LATER_SECONDS = 12.0  # until what was lost is missed, found again, and everyone counts


# -- one thing after another ---------------------------------------------------------------


@pytest.fixture(params=["shared", "each"])
def replicas(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def begun(replicas: str, depth: int, nodes: int = 8, **options: Any) -> Counters:
    """A world in which everyone counts: in one session, or in two below the root."""
    usual = {"arrival_rate": 1000.0, "heartbeat": 2.0, "faults": ()}
    world = Counters(nodes, depth, 2, replicas=replicas, **{**usual, **options})
    return later(world, BEGUN_SECONDS)


def later(world: Counters, seconds: float = LATER_SECONDS) -> Counters:
    world.run(until=world.now + seconds)
    return world


def counts(world: Counters, session: str) -> dict[Node, int]:
    return dict(world.session(session).model.counts)


def host(world: Counters, session: str) -> Node:
    address: Node = world.session(session).host.address
    return address


def counts_on(
    world: Counters, session: str, nodes: Iterable[Node], before: dict[Node, int]
) -> None:
    """Those nodes are there, and have counted on from where they were."""
    now = counts(world, session)
    assert {*nodes} <= world.session(session).members.keys()
    assert all(now[node] > before[node] for node in nodes)


def test_everyone_counts_and_the_root_has_it_all(replicas: str) -> None:
    world = begun(replicas, depth=3, nodes=16)
    world.network.rising = False
    later(world)
    assert world.session("0").model.value == 16 * world.network.port.goal


def test_who_comes_is_sent_on_in_turn(replicas: str) -> None:
    world = begun(replicas, depth=2, nodes=10)
    assert [len(counts(world, session)) for session in ("0-0", "0-1")] == [5, 5]


def test_what_is_said_twice_counts_once(replicas: str) -> None:
    world = begun(replicas, depth=2)
    world.do("duplicate 100% of the publications")
    later(world)
    world.network.rising = False
    later(world)
    assert world.session("0").model.value == 8 * world.network.port.goal


@pytest.mark.parametrize("silently", ["", " silently"])
def test_the_people_of_a_host_that_dies_count_on_elsewhere(replicas: str, silently: str) -> None:
    world = begun(replicas, depth=2)
    before, (dead,) = counts(world, "0-0"), world.do(f"crash the host of 0-0{silently}")
    later(world)
    left = before.keys() - {dead}
    assert host(world, "0-0") in left
    counts_on(world, "0-0", left, before)


def test_both_sides_of_a_partition_are_one_again_when_it_heals(replicas: str) -> None:
    world = begun(replicas, depth=2)
    (apart,) = world.do("partition the host of 0-0")
    later(world)
    old, new = world.network.hosts[apart].reflectors["0-0"], world.session("0-0")
    assert [*old.members] == [apart]
    assert apart not in new.members
    assert old.model.counts[apart] > new.model.counts[apart]
    people, before = {apart, *new.members}, {**counts(world, "0-0"), apart: counts_of(old, apart)}
    world.do("heal")
    later(world)
    counts_on(world, "0-0", people, before)


def counts_of(reflector: Reflector, node: Node) -> int:
    count: int = reflector.model.counts[node]
    return count


def test_who_comes_late_has_everything() -> None:
    world = begun("each", depth=1, nodes=4, arrival_rate=0.6)
    late = 3
    assert late not in counts(world, "0")
    later(world)
    world.network.rising = False
    later(world)
    reflector = world.session("0")
    replica = world.network.replicas[reflector, late]
    assert counts(world, "0") == dict.fromkeys(range(1, 5), world.network.port.goal)
    assert replica.state.snapshot() == reflector.state.snapshot()


def test_a_submitter_that_is_back_with_its_store_knows_everything(replicas: str) -> None:
    world = begun(replicas, depth=1)
    before = counts(world, "0")
    world.do("crash everyone in 0")
    world.do("crash node 0")
    world.do("restart node 0 with memory")
    assert later(world).session("0").members.keys() == {SUBMITTER}
    assert counts(world, "0") == before


def test_a_submitter_that_is_back_without_it_learns_from_those_who_live(replicas: str) -> None:
    world = begun(replicas, depth=1)
    before = counts(world, "0")
    world.do("crash node 0")
    world.do("restart node 0")
    counts_on(later(world), "0", range(1, 9), before)


def test_a_replica_that_differs_is_named_and_replaced() -> None:
    world = begun("each", depth=1)
    reflector = world.session("0")
    world.do("diverge 0 on node 3")
    later(world)
    world.network.rising = False
    later(world)
    assert {(wrong.node, *wrong.fields) for wrong in world.record.divergences} == {(3, "counts")}
    assert world.network.replicas[reflector, 3].state.snapshot() == reflector.state.snapshot()


# -- drawn from a seed ---------------------------------------------------------------------


def drawn(seed: int) -> tuple[Counters, float]:
    """A world with faults, and how long they go on."""
    random = Random(f"counter/{seed}")
    nodes, depth, fanout = random.randint(2, 16), random.randint(1, 3), random.randint(2, 4)
    seconds = random.choice((3.0, 6.0, 10.0))
    weights = {kind: weight for kind, weight in plans.HEAVY.items() if random.random() < 0.4}
    gap_seconds, shape = random.choice((0.5, 1.0, 3.0)), Shape.root(fanout**depth, fanout)
    faults = plans.draw(random, weights, gap_seconds, seconds, nodes, shape) if weights else []
    options: dict[str, Any] = {
        "seed": seed,
        "replicas": random.choice(("shared", "each")),
        "latency": random.choice((0.15, 0.3, "uniform:0.1,0.3", "lognormal:0.2,0.5")),
        "arrival_rate": random.choice((nodes / 5, 1000.0)),
        "heartbeat": random.choice((1.0, 2.0, 5.0)),
        "listening": random.choice((1.0, 1.0, 1.0, 0.6)),
        "faults": faults,
    }
    return Counters(nodes, depth, fanout, **options), seconds


def heal(world: Counters, random: Random) -> None:
    """No more faults: most of those who are down come back, and everyone has a goal."""
    world.do(a.Heal())
    world.calm = True
    back = [n for n in world.faults.crashed if n == SUBMITTER or random.random() < 0.7]
    for node in back:
        world.do(a.Restart(a.Nodes((node,)), memory=node == SUBMITTER or random.random() < 0.3))
    if world.record.arrived == world.nodes and not any(world.network.alive[1:]):
        world.do(a.Restart(a.Nodes((1,))))
    world.network.rising = False
    world.network.port.goal += FURTHER


def settle(world: Counters, promises: Promises) -> None:
    """Run until all is as it is to be, for a bounded time."""
    limit = world.now + 3 * world.heartbeat + 60
    while why := promises.unsettled():
        if world.now > limit:
            raise Broken(why)
        world.run(until=world.now + 1)


@pytest.mark.parametrize("seed", range(200))
def test_a_counter_keeps_all_promises(seed: int) -> None:
    world, seconds = drawn(seed)
    promises = Promises(world)
    world.run(until=seconds)
    heal(world, Random(f"heal/{seed}"))
    settle(world, promises)
    world.run(until=world.now + 10)
    assert promises.unsettled() == ""
