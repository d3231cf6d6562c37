"""A world of nodes: the right answer, the same every time, and what can be seen of it."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from core import Computation
from core import messages as m
from sim import World
from tests.processes import printed
from tests.sim.worlds import job, noted, verified

PRIMES_BELOW_A_MILLION = 78_498
CHURNING = {
    "nodes": 200,
    "partitions": 500,
    "fanout": 5,
    "delay": "exponential:1",
    "lifetime": "exponential:30",
    "listening": 0.7,
}


# -- the result ----------------------------------------------------------------------------

TREES = [
    (1, 1, 2),
    (1, 40, 3),
    (2, 1, 2),
    (7, 7, 7),
    (7, 8, 7),
    (50, 50, 2),
    (50, 1000, 10),
    (300, 40, 3),
    (1000, 1000, 1000),
    (2000, 2000, 5),
]


@pytest.mark.parametrize(("nodes", "partitions", "fanout"), TREES)
def test_every_partition_counts_once(nodes: int, partitions: int, fanout: int) -> None:
    report = World(nodes=nodes, partitions=partitions, fanout=fanout, input=3, delay=12.0).run()
    verified(report, 3 * partitions)
    assert report.finished_seconds is not None
    assert report.finished_seconds >= 12  # what a piece is said to take


def test_a_compute_that_is_to_be_awaited_is_run_to_its_end() -> None:
    async def compute(value: Any, index: int) -> int:
        await trio.lowlevel.checkpoint()
        return index

    report = World(nodes=20, partitions=50, fanout=5, job=job(compute=compute)).run()
    verified(report, sum(range(50)))


@pytest.mark.parametrize(("nodes", "partitions", "fanout"), [*TREES, (100, 3000, 15)])
def test_primes_below_a_million(nodes: int, partitions: int, fanout: int) -> None:
    report = World(nodes=nodes, partitions=partitions, fanout=fanout, job="plugins.primes").run()
    verified(report, PRIMES_BELOW_A_MILLION)


@pytest.mark.parametrize(
    "options",
    [
        {"latency": 0},
        {"latency": "exponential:1"},
        {"latency": "lognormal:0.05,1", "delay": "lognormal:1,1"},
        {"tick": 0.5},
        {"service_time": 0.002},
        {"listening": 0.0},
        {"listening": 0.3},
        {"arrival_rate": 1e6},
        {"arrival_rate": 2},
        {"delay": 0},
        {"replicas": "each"},
    ],
    ids=str,
)
def test_circumstances_change_the_run_but_not_the_result(options: dict[str, Any]) -> None:
    verified(World(nodes=120, partitions=200, fanout=4, input=5, **options).run(), 1000)


@pytest.mark.parametrize("fanout", [3, 10, 32, 100])
def test_with_as_many_partitions_everyone_computes_one(fanout: int) -> None:
    world = World(nodes=1000, fanout=fanout)
    computed: dict[int, int] = {}
    log = noted(world)
    report = world.run()
    verified(report, 1000)
    for _, session, message in log:
        if isinstance(message, m.Finished) and world.session(session).model.shape.leaf:
            computed[message.node] = computed.get(message.node, 0) + len(message.slots)
    assert computed == dict.fromkeys(range(1, 1001), 1)
    assert report.computation_nodes == 1000
    assert report.arrived == 1000
    assert report.left == 0


# -- running and looking -------------------------------------------------------------------


def test_run_until_stops_there_and_going_on_is_no_different() -> None:
    whole = World(nodes=100, fanout=5).run()
    world = World(nodes=100, fanout=5)
    for until in (0.0, 0.5, 3.0, 9.9999, 12.0):
        report = world.run(until=until)
        assert world.now <= until
        assert report.result is None
        assert report.finished_seconds is None
        assert report.arrived == pytest.approx(min(100, 10 * until), abs=1)
    report = world.run()
    verified(report, 100)
    assert report.digest == whole.digest
    assert report.finished_seconds == whole.finished_seconds
    assert report.messages == whole.messages


def test_the_session_of_a_running_world_is_real() -> None:
    world = World(nodes=100, fanout=5, input=4)
    world.run(until=9.0)
    reflector = world.session("0-3")
    model = reflector.model
    assert isinstance(model, Computation)
    assert model.shape == world.shape.child(3)
    assert list(reflector.state.people) == list(reflector.members)
    assert len(reflector.members) == 5  # the leader, and one for each other slot
    assert model.slots.inputs == [4] * len(model.slots)
    assert reflector.state.leader == world.session("0").model.slots.worker[3]
    assert not any(model.slots.done)
    world.run()
    assert world.session("0-3").model.slots.remaining == 0


def test_a_session_that_is_not_open_has_no_model() -> None:
    world = World(nodes=100, fanout=5)
    assert world.session("0").state.seq == 0
    with pytest.raises(KeyError, match="0-3"):
        world.session("0-3")


def test_more_time_after_the_end_changes_nothing() -> None:
    world = World(nodes=50, fanout=4)
    report = world.run()
    again = world.run()
    assert (again.result, again.digest, again.messages) == (
        report.result,
        report.digest,
        report.messages,
    )


def test_reports_tell_how_things_stand() -> None:
    world = World(nodes=60, fanout=4, lifetime="uniform:20,40", seed=9)
    report = world.run(until=5.0)
    assert (report.nodes, report.partitions, report.fanout, report.levels) == (60, 60, 4, 3)
    assert (report.seed, report.left, report.accepted) == (9, 0, 0)
    assert report.arrived == 30
    assert 4 < report.formed_seconds <= 5
    assert report.root_messages == world.session("0").state.seq
    assert report.wall_seconds > 0
    assert report.peak_rss_bytes > 1_000_000


# -- the same every time -------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"nodes": 300}, CHURNING, {**CHURNING, "replicas": "each", "nodes": 30, "partitions": 90}],
    ids=str,
)
def test_a_seed_gives_one_run_and_another_seed_another(options: dict[str, Any]) -> None:
    first, second = (World(**options, seed=5).run() for _ in range(2))
    assert first.digest == second.digest
    assert (first.messages, first.finished_seconds) == (second.messages, second.finished_seconds)
    assert World(**options, seed=6).run().digest != first.digest


def test_the_digest_covers_the_input() -> None:
    digests = {World(nodes=20, input=value).run().digest for value in (1, 2)}
    assert len(digests) == 2


@pytest.mark.parametrize("replicas", ["shared", "each"])
def test_another_process_with_another_hash_seed_gives_the_same_run(replicas: str) -> None:
    options = {**CHURNING, "replicas": replicas, "job": "plugins.wordcount", "input": "a b c b"}
    if replicas == "each":
        options["nodes"] = 60
    code = f"from sim import World\nr = World(**{options!r}).run()\nprint(r.digest, r.messages)"
    report = World(**options).run()
    assert printed(code, "0", "4242") == {f"{report.digest} {report.messages}\n"}
