"""Jobs that raise, or take longer than they may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sim import World
from sim.faults.script import read
from tests.sim.worlds import job, verified

# -- a time for each piece -----------------------------------------------------------------


def test_what_takes_longer_than_a_piece_may_is_done_elsewhere() -> None:
    options: dict[str, Any] = {"nodes": 6, "partitions": 30, "fanout": 30, "delay": 1.0}
    faults = read("at 0 slow node 3 by 1000")
    report = World(**options, faults=faults, piece_timeout=5.0).run()
    assert report.result == 30
    assert report.failure is None
    assert report.finished_seconds is not None
    assert report.finished_seconds < 100


@pytest.mark.parametrize(("delay", "what"), [(7.0, "prepare"), (3.0, None)])
def test_a_job_all_of_whose_calls_take_longer_fails(delay: float, what: str | None) -> None:
    report = World(nodes=6, partitions=6, delay=delay, piece_timeout=5.0).run()
    assert (report.failure is None) == (what is None)
    if report.failure is not None:
        text = f"it took longer than the 5 s of --piece-timeout in {what}"
        assert report.failure.error == text


# -- jobs that raise -----------------------------------------------------------------------


def raising_at(index: int) -> Callable[[Any, int], int]:
    def compute(value: object, i: int) -> int:
        if i == index:
            raise ArithmeticError(f"partition {i} cannot be computed")
        return 1

    return compute


def session_of(world: World, partition: int) -> str:
    """The leaf session that a partition lies in."""
    shape = world.shape
    while not shape.leaf:
        children = [shape.child(i) for i in range(shape.slots)]
        shape = next(c for c in children if c.first <= partition < c.first + c.partitions)
    return shape.session


@pytest.mark.parametrize("replicas", ["shared", "each"])
@pytest.mark.parametrize(("nodes", "partitions", "fanout"), [(1, 1, 2), (3, 20, 4), (60, 50, 3)])
def test_a_partition_that_raises_is_named(
    nodes: int, partitions: int, fanout: int, replicas: str
) -> None:
    index = partitions * 2 // 3
    raising = job(compute=raising_at(index))
    world = World(nodes=nodes, partitions=partitions, fanout=fanout, job=raising, replicas=replicas)
    report = world.run(until=300.0)
    assert report.result is None
    assert report.failure is not None
    assert report.failure.session == session_of(world, index)
    assert report.failure.partition == index
    assert f"ArithmeticError: partition {index} cannot be computed" in report.failure.error
    assert report.finished_seconds is not None
    everyone_hears(world)


def everyone_hears(world: World) -> None:
    """Nobody hangs: after the end each node finds out that it is over."""
    world.drain()
    assert world.clock.env.peek() == float("inf")
    for node in range(1, world.nodes + 1):
        assert not world.network.chain(node), f"node {node} has not heard"


@pytest.mark.parametrize("part", ["prepare", "collect"])
@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_leader_s_function_that_raises_is_named(part: str, error: type[BaseException]) -> None:
    calls: list[object] = []

    def raising(*arguments: object) -> Sequence[int]:
        calls.append(arguments)
        raise error("cannot be done")

    world = World(nodes=40, fanout=4, job=job(**{part: raising}))
    report = world.run(until=300.0)
    assert report.failure is not None
    assert report.failure.partition is None
    assert set(report.failure.session) <= set("0123-")
    if part == "prepare":
        assert report.failure.session == "0"
    assert f"{error.__name__}: cannot be done" in report.failure.error
    assert len(calls) >= 3
    everyone_hears(world)


def test_what_raises_once_is_tried_again() -> None:
    raised: list[int] = []

    def compute(value: object, i: int) -> int:
        if i % 7 == 0 and i not in raised:
            raised.append(i)
            raise OSError("a passing trouble")
        return 1

    world = World(nodes=30, partitions=60, fanout=4, job=job(compute=compute))
    verified(world.run(until=300.0), 60)
    assert sorted(raised) == list(range(0, 60, 7))


def test_outputs_that_are_no_plain_data_are_refused() -> None:
    world = World(nodes=10, fanout=4, job=job(compute=lambda value, index: object()))
    report = world.run(until=300.0)
    assert report.failure is not None
    assert "TypeError: not plain data: object" in report.failure.error
    everyone_hears(world)
