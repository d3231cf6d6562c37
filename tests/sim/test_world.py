"""A world of nodes: the right answer, the same every time, from a tree that stays narrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from core import Computation
from core import messages as m
from core.messages import Message
from plugins.fanout import choose_fanout
from sim import Report, World
from sim.faults.script import read
from tests.processes import printed

PRIMES_BELOW_A_MILLION = 78_498
CHURNING = {
    "nodes": 200,
    "partitions": 500,
    "fanout": 5,
    "delay": "exponential:1",
    "lifetime": "exponential:30",
    "listening": 0.7,
}


def job(**functions: Callable[..., Any]) -> SimpleNamespace:
    """A job that counts its partitions, but for the `functions` given."""
    counting: dict[str, Callable[..., Any]] = {
        "prepare": lambda value, sizes: [value] * len(sizes),
        "compute": lambda value, index: 1,
        "collect": sum,
    }
    return SimpleNamespace(**{**counting, **functions})


def noted(world: World) -> list[tuple[float, str, Message]]:
    """A list that fills with every ordered message: when, in which session, what."""
    log: list[tuple[float, str, Message]] = []
    broadcast = world.network.broadcast

    def noting(reflector: Any, message: Message, commands: Any) -> None:
        log.append((world.now, reflector.session, message))
        broadcast(reflector, message, commands)

    world.network.broadcast = noting  # type: ignore[method-assign]
    return log


def verified(report: Report, result: Any) -> None:
    assert report.failure is None
    assert report.result == result
    assert report.accepted == report.partitions


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


# -- options -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("nodes", 0),
        ("nodes", -3),
        ("partitions", 0),
        ("partitions", -1),
        ("fanout", 1),
        ("fanout", 0),
        ("fanout", 1001),
        ("arrival_rate", 0),
        ("arrival_rate", -1.5),
        ("arrival_rate", float("nan")),
        ("arrival_rate", float("inf")),
        ("service_time", -0.5),
        ("service_time", float("nan")),
        ("service_time", float("inf")),
        ("tick", 0),
        ("tick", -0.001),
        ("tick", float("inf")),
        ("listening", 1.1),
        ("listening", -0.1),
        ("replicas", "both"),
    ],
)
def test_a_wrong_option_is_named_with_its_value(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option} must be .* not ") as error:
        World(**{option: value})
    assert str(error.value).endswith(f"not {value!r}")


@pytest.mark.parametrize("option", ["latency", "lifetime", "delay"])
@pytest.mark.parametrize("value", ["soon", "uniform:2,1", "exponential:-1", -1, "uniform:1"])
def test_a_wrong_distribution_is_named(option: str, value: str | float) -> None:
    with pytest.raises(ValueError, match=r"distribution|seconds") as error:
        World(**{option: value})  # type: ignore[arg-type]
    assert repr(value) in str(error.value)


def test_a_job_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"no\.such\.job"):
        World(job="no.such.job")


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


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "5"])
def test_the_time_for_a_piece_is_above_0(seconds: Any) -> None:
    with pytest.raises(ValueError, match="piece_timeout must be above 0 seconds"):
        World(nodes=1, piece_timeout=seconds)


# -- a narrow tree -------------------------------------------------------------------------


def test_the_root_hears_no_more_from_more_nodes() -> None:
    reports = [World(nodes=nodes, fanout=10).run() for nodes in (1_000, 10_000, 100_000)]
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


# -- service time --------------------------------------------------------------------------


def test_a_busy_host_delays_forming() -> None:
    options: dict[str, Any] = {"nodes": 3000, "fanout": 15, "arrival_rate": 1e6}
    quick, slow, again = (
        World(**options, service_time=service_time).run() for service_time in (0.0, 0.001, 0.001)
    )
    assert quick.formed_seconds < 1.5
    # Each node's arrival takes the one host of the root a millisecond.
    assert 3.0 <= slow.formed_seconds <= 3.0 + 2 * quick.formed_seconds
    assert (slow.digest, slow.formed_seconds) == (again.digest, again.formed_seconds)
    verified(slow, 3000)


@pytest.mark.parametrize("service_time", [0.001, 0.25, 3.0])
def test_messages_of_one_moment_are_a_service_time_apart(service_time: float) -> None:
    world = World(nodes=4, fanout=4, latency=0.5, arrival_rate=1e6, service_time=service_time)
    log = noted(world)
    world.run(until=60.0)
    joined = [now for now, _, what in log if isinstance(what, m.Joined) and what.node]
    assert len(joined) == 4
    assert joined[0] >= 0.5 + service_time
    gaps = [round(later - now, 9) for now, later in pairwise(joined)]
    assert gaps == [service_time] * 3


def test_without_a_service_time_a_moment_is_enough() -> None:
    world = World(nodes=4, fanout=4, latency=0.5, arrival_rate=1e6)
    log = noted(world)
    world.run()
    assert {now for now, _, what in log if isinstance(what, m.Joined) and what.node} == {0.5}


# -- teams and helpers ---------------------------------------------------------------------


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
    def raising(*arguments: object) -> Sequence[int]:
        raise error("cannot be done")

    world = World(nodes=40, fanout=4, job=job(**{part: raising}))
    report = world.run(until=300.0)
    assert report.failure is not None
    assert report.failure.partition is None
    assert set(report.failure.session) <= set("0123-")
    if part == "prepare":
        assert report.failure.session == "0"
    assert f"{error.__name__}: cannot be done" in report.failure.error
    assert world.work.calls[part] >= 3
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
