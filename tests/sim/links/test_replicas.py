"""Replicas of their own for everyone: the same run, and whoever differs is named and repaired."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core import Reflector, Replica, Session
from core.messages import Node
from core.sessions.digest import differing, digest
from core.sessions.votes import HOST
from core.slots import Slots
from sim import World
from sim.links.each import EachNetwork

STEP_SECONDS = 0.05
SETTLING_SECONDS = 1.0  # ten messages one way


def drawn(seed: int) -> dict[str, Any]:
    r = random.Random(seed)
    return {
        "nodes": r.randint(1, 30),
        "partitions": r.randint(1, 60),
        "fanout": r.randint(2, 6),
        "delay": r.choice([0, "uniform:0.1,2", "exponential:1"]),
        "lifetime": r.choice([None, None, "exponential:20", "uniform:1,30"]),
        "arrival_rate": r.choice([None, 5, 1000]),
        "listening": r.choice([1.0, 0.5, 0.0]),
        "latency": r.choice(["uniform:0.02,0.08", "exponential:0.2", 0]),
        "input": r.randint(1, 9),
        "seed": seed,
    }


def same_run(options: dict[str, Any]) -> None:
    shared, each = (World(**options, replicas=replicas) for replicas in ("shared", "each"))
    one, other = shared.run(until=2000), each.run(until=2000)
    assert other.result == one.result
    assert other.finished_seconds == one.finished_seconds
    assert other.digest == one.digest
    assert each.record.divergences == []
    if one.result is not None:
        assert one.result == options["input"] * options["partitions"]


@pytest.mark.parametrize("seed", range(80))
def test_everyone_with_a_replica_is_the_same_run(seed: int) -> None:
    same_run(drawn(seed))


@pytest.mark.parametrize("seed", range(80, 90))
def test_comparing_replicas_takes_a_host_no_time(seed: int) -> None:
    same_run({**drawn(seed), "service_time": 0.001})


def test_replicas_at_one_sequence_number_are_equal() -> None:
    world = each(lifetime="exponential:40", seed=3)
    compared = 0
    for _ in steps(world):
        for (reflector, node), replica in replicas(world).items():
            if node in reflector.members and replica.state.seq == reflector.state.seq:
                assert digest(replica.state.snapshot()) == digest(reflector.state.snapshot())
                compared += 1
    assert compared > 1000


# -- models that are made to misbehave -----------------------------------------------------

Corruption = Callable[[Session], None]


def slots(state: Session) -> Slots:
    found = state.model.room
    assert isinstance(found, Slots)
    return found


def other_input(state: Session) -> None:
    model: Any = state.model
    model.input = 999


def other_slot_input(state: Session) -> None:
    inputs = slots(state).inputs
    assert inputs is not None
    slots(state).inputs = [*inputs[:-1], 999]  # others may hold the same list


def other_output(state: Session) -> None:
    slots(state).outputs[slots(state).done.index(1)] = -1


def other_free(state: Session) -> None:
    slots(state).free += 1


def other_leader(state: Session) -> None:
    state.leader = next(reversed(state.people))


def other_remaining(state: Session) -> None:
    slots(state).remaining -= 1


def stranger(state: Session) -> None:
    slots(state).idle.append(987)


CORRUPTIONS = [
    (other_input, "input"),
    (other_slot_input, "inputs"),
    (other_output, "outputs"),
    (other_free, "free"),
    (other_leader, "leader"),
    (other_remaining, "remaining"),
    (stranger, "idle"),
]
corruptions = pytest.mark.parametrize(
    ("corrupt", "field"), CORRUPTIONS, ids=[c.__name__ for c, _ in CORRUPTIONS]
)


def each(**options: Any) -> World:
    """Sixteen partitions in each of three sessions, taken one after the other by a few."""
    small = {
        "nodes": 12,
        "partitions": 48,
        "fanout": 16,
        "delay": "uniform:0.5,1.5",
        "arrival_rate": 1000,
        "input": 2,
        "replicas": "each",
    }
    return World(**{**small, **options})


def replicas(world: World) -> dict[tuple[Reflector, Node], Replica]:
    assert isinstance(world.network, EachNetwork)
    return world.network.replicas


def steps(world: World, seconds: float = 60.0) -> Iterator[None]:
    """Run on in small steps, until the end or for so many seconds."""
    until = world.now
    for _ in range(round(seconds / STEP_SECONDS)):
        until += STEP_SECONDS
        world.run(until=until)
        yield
        if world.clock.stopped:
            return


def running(**options: Any) -> tuple[World, Reflector]:
    """A world in the midst of its work, and a leaf session of at least three people."""
    world = each(**options)
    world.run(until=1.0)
    reflector = world.session("0-0")
    for _ in steps(world):
        models = [replicas(world)[reflector, node].state.model for node in reflector.members]
        if all(any(model.slots.done) for model in models):
            break
    assert len(reflector.members) >= 3
    assert reflector.model.slots.remaining > 5
    return world, reflector


def settled(world: World, reflector: Reflector, *nodes: Node) -> None:
    """Some time on, where the replicas of `nodes` are as far as their host, they are as it is."""
    for _ in steps(world, SETTLING_SECONDS):
        pass
    late = set(nodes)
    for _ in steps(world):
        for node in list(late):
            replica = replicas(world)[reflector, node]
            if replica.state.seq == reflector.state.seq:
                assert differing(replica.state.snapshot(), reflector.state.snapshot()) == []
                late.remove(node)
        if not late:
            break
    assert not late


def named(world: World, reflector: Reflector, node: Node, field: str, seq: int) -> None:
    """The one found wrong is `node`, in the right field, at the next message after `seq`."""
    assert {d.node for d in world.record.divergences} == {node}
    first = world.record.divergences[0]
    assert first.session == reflector.session
    assert seq < first.seq <= seq + 2
    assert field in first.fields


@corruptions
@pytest.mark.parametrize("leading", [False, True], ids=["member", "leader"])
def test_a_participant_that_differs_is_named_and_repaired(
    corrupt: Corruption, field: str, leading: bool
) -> None:
    world, reflector = running()
    people = [n for n in reflector.members if (n == reflector.state.leader) == leading]
    replica = replicas(world)[reflector, people[-1]]
    corrupt(replica.state)
    seq = replica.state.seq
    settled(world, reflector, people[-1])
    named(world, reflector, people[-1], field, seq)
    report = world.run(until=300.0)
    assert report.result == 96
    assert report.accepted == 48
    named(world, reflector, people[-1], field, seq)


@corruptions
def test_a_host_that_differs_is_named_and_repaired_by_the_majority(
    corrupt: Corruption, field: str
) -> None:
    world, reflector = running()
    corrupt(reflector.state)
    seq = reflector.state.seq
    settled(world, reflector, *reflector.members)
    named(world, reflector, HOST, field, seq)
    report = world.run(until=300.0)
    assert report.result == 96
    assert report.accepted == 48


def test_two_that_differ_alike_are_outvoted() -> None:
    world, reflector = running(nodes=15)
    assert len(reflector.members) >= 4
    two = list(reflector.members)[-2:]
    for node in two:
        other_input(replicas(world)[reflector, node].state)
    settled(world, reflector, *two)
    assert {d.node for d in world.record.divergences} == set(two)
    assert {tuple(d.fields) for d in world.record.divergences} == {("input",)}
    assert world.run(until=300.0).result == 96


def test_a_repaired_run_is_as_deterministic() -> None:
    digests = set()
    for _ in range(2):
        world, reflector = running()
        other_output(reflector.state)
        report = world.run(until=300.0)
        assert world.record.divergences
        digests.add((report.digest, len(world.record.divergences)))
    assert len(digests) == 1
