"""Small trees of hosts, replicas and views: what they come to, whatever comes first.

A failing example names the nodes, partitions, fanout and seed that repeat it.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Shape
from core import messages as m
from core.losses import PIECES_MAX
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
from tests.core.spans import Spans, sequential

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


# -- jobs that fail ------------------------------------------------------------------------


class Faulty(Spans):
    """Raises in one of its functions, `times` times, where it meets partition `at`."""

    def __init__(self, part: str, at: int, times: int) -> None:
        self.part, self.at, self.times = part, at, times

    def _meet(self, part: str, first: int, size: int) -> None:
        if part == self.part and self.times and first <= self.at < first + size:
            self.times -= 1
            raise ArithmeticError(f"{part} met {self.at}")

    def prepare(self, input: Any, sizes: list[int]) -> Any:
        self._meet("prepare", *input)
        return super().prepare(input, sizes)

    def compute(self, input: Any, index: int) -> Any:
        self._meet("compute", index, 1)
        return super().compute(input, index)

    def collect(self, outputs: list[Any]) -> Any:
        self._meet("collect", outputs[0][0][0], sum(map(len, outputs)))
        return super().collect(outputs)


PARTS = st.sampled_from(["prepare", "compute", "collect"])


@settings(max_examples=150)
@given(NODES, PARTITIONS, FANOUTS, SEEDS, PARTS, st.integers(0, 39))
def test_a_job_that_always_fails_ends_with_its_error_and_everyone_is_released(
    nodes: int, partitions: int, fanout: int, seed: int, part: str, at: int
) -> None:
    at %= partitions
    net = grown(nodes, partitions, fanout, seed, Faulty(part, at, -1))
    assert net.outcome is not None
    assert net.outcome.result is None
    failure = m.Failure.of(net.outcome.failure)
    assert failure is not None
    assert f"{part} met {at}" in failure.error
    assert failure.partition == (at if part == "compute" else None)
    check_released(net)


@settings(max_examples=100)
@given(NODES, PARTITIONS, FANOUTS, SEEDS, PARTS, st.integers(0, 39))
def test_a_job_that_always_fails_ends_while_nodes_leave_too(
    nodes: int, partitions: int, fanout: int, seed: int, part: str, at: int
) -> None:
    at %= partitions
    net = grown(nodes, partitions, fanout, seed, Faulty(part, at, -1), leaving=0.5)
    assert net.outcome is not None
    failure = m.Failure.of(net.outcome.failure)
    assert failure is not None
    assert f"{part} met {at}" in failure.error
    check_released(net)


@settings(max_examples=100)
@given(NODES, PARTITIONS, FANOUTS, SEEDS, PARTS, st.integers(0, 39))
def test_what_fails_once_or_twice_is_tried_again(
    nodes: int, partitions: int, fanout: int, seed: int, part: str, at: int
) -> None:
    net = grown(nodes, partitions, fanout, seed, Faulty(part, at % partitions, 1 + seed % 2))
    check_result(net)
    check_released(net)


@settings(max_examples=150)
@given(st.integers(2, 12), PARTITIONS, FANOUTS, SEEDS, st.integers(1, 4), st.booleans())
def test_broken_machines_cost_no_more_than_their_share(
    nodes: int, partitions: int, fanout: int, seed: int, broken: int, keep_going: bool
) -> None:
    """At most two whose every function raises, among others that are good."""
    net = Net(Shape.root(partitions, fanout, keep_going))
    net.broken = set(Random(seed).sample(range(1, nodes + 1), min(broken, 2, nodes - 1)))
    net.submit()
    for node in range(1, nodes + 1):
        net.arrive(node)
        net.settle({"prepare", "compute", "collect"})  # who is alone and broken fails the job
    random = Random(seed)
    while net.outcome is None:  # whoever is sent on is there before a pause is over
        lanes = net.busy()
        net.step(random.choice(lanes)) if lanes else net.tick()
    net.run(random)
    check_result(net)
    check_released(net)


@settings(max_examples=150)
@given(st.integers(2, 12), PARTITIONS, FANOUTS, SEEDS, st.sampled_from(["prepare", "collect"]))
def test_a_step_that_never_ends_on_one_machine_is_taken_on_another(
    nodes: int, partitions: int, fanout: int, seed: int, step: str
) -> None:
    net, random = Net(Shape.root(partitions, fanout)), Random(seed)
    net.hung = {(step, random.randint(0, nodes))}
    net.submit()
    net.run(random, list(Life(net, random).events(nodes)))
    net.run(random)
    check_result(net)
    check_released(net)


# -- jobs that go on without what fails ----------------------------------------------------


class Lossy(Spans):
    """Some partitions always fail."""

    def __init__(self, lost: Iterable[int]) -> None:
        self.lost = set(lost)

    def compute(self, input: Any, index: int) -> Any:
        if index in self.lost:
            raise ArithmeticError(f"compute met {index}")
        return super().compute(input, index)


LOST = st.sets(st.integers(0, 39))


def check_loss(net: Net, lost: Iterable[int]) -> None:
    """The result is that of the others, and it is told which are lost."""
    gone = sorted({*lost} & {*range(net.shape.partitions)})
    ended = net.outcome
    assert ended is not None
    whole = sequential(net.shape.partitions)
    if len(gone) == len(whole):
        assert ended.result is None
        assert f"compute met {ended.failure['partition']}" in ended.failure["error"]
    else:
        assert ended.failure is None
        assert ended.result == [piece for piece in whole if piece[2] not in gone]
    count, pieces = ended.lost or (0, ())
    told = [partition for _, partition, _ in pieces]
    assert count == len(gone)
    assert told == sorted({*told} & {*gone})
    assert len(told) == min(count, PIECES_MAX)
    assert all(error == f"ArithmeticError('compute met {p}')" for _, p, error in pieces)


@pytest.mark.parametrize(
    "troubles",
    [
        pytest.param({}, id="none"),
        pytest.param({"listening": 0.3}, id="most do not listen"),
        pytest.param({"leaving": 0.4, "breaking": 0.2}, id="nodes leave and connections break"),
        pytest.param({"compare": True}, id="replicas are compared"),
    ],
)
@settings(max_examples=100)
@given(NODES, PARTITIONS, FANOUTS, SEEDS, LOST)
def test_what_always_fails_is_lost_and_nothing_else(
    troubles: dict[str, float],
    nodes: int,
    partitions: int,
    fanout: int,
    seed: int,
    lost: set[int],
) -> None:
    net = grown(nodes, partitions, fanout, seed, Lossy(lost), keep_going=True, **troubles)
    check_loss(net, lost)
    check_released(net)


class Step(Spans):
    """`step` of one session always fails."""

    def __init__(self, shape: Shape, step: str) -> None:
        self.span, self.step = [shape.first, shape.partitions], step

    def prepare(self, input: Any, sizes: list[int]) -> Any:
        if self.step == "prepare" and input == self.span:
            raise ArithmeticError("prepare failed")
        return super().prepare(input, sizes)

    def collect(self, outputs: list[Any]) -> Any:
        output = super().collect(outputs)
        if self.step == "collect" and [output[0][2], len(output)] == self.span:
            raise ArithmeticError("collect failed")
        return output


@settings(max_examples=150)
@given(NODES, st.integers(3, 40), st.integers(2, 3), SEEDS, st.sampled_from(["prepare", "collect"]))
def test_what_lies_under_a_session_that_cannot_be_cut_or_combined_is_lost(
    nodes: int, partitions: int, fanout: int, seed: int, step: str
) -> None:
    """Unless it is the root: without that there is no result."""
    random, shape = Random(seed), Shape.root(partitions, fanout, True)
    failing = shape.child(random.randrange(shape.slots)) if not shape.leaf else shape
    while not failing.leaf and random.random() < 0.5:
        failing = failing.child(random.randrange(failing.slots))
    net = grown(nodes, partitions, fanout, seed, Step(failing, step), keep_going=True)
    ended = net.outcome
    assert ended is not None
    if failing is shape:
        assert (
            ended.failure == m.Failure("0", None, repr(ArithmeticError(f"{step} failed"))).plain()
        )
    else:
        gone = range(failing.first, failing.first + failing.partitions)
        assert ended.failure is None
        assert ended.result == [p for p in sequential(partitions) if p[2] not in gone]
        ((session, partition, error),) = ended.lost[1]
        assert (ended.lost[0], partition) == (len(gone), None)
        # Itself, or one above or below it that has the same partitions.
        assert session in failing.session or failing.session in session
        assert f"{step} failed" in error
    check_released(net)


def test_a_failure_names_its_session_partition_and_error() -> None:
    net = grown(3, 8, 2, 5, Faulty("compute", 5, -1))
    assert net.outcome is not None
    failure = m.Failure("0-1-0", 5, "ArithmeticError('compute met 5')")
    assert m.Failure.of(net.outcome.failure) == failure
    assert net.outcome.failure == failure.plain()


@pytest.mark.parametrize("session", ["0", "0-1"])
def test_a_prepare_that_cuts_wrongly_is_a_failure(session: str) -> None:
    class Wrong(Spans):
        def prepare(self, input: Any, sizes: list[int]) -> Any:
            whole = super().prepare(input, sizes)
            return whole[:1] if input == {"0": [0, 4], "0-1": [2, 2]}[session] else whole

    net = Net(Shape.root(4, 2), Wrong())
    net.submit()
    for node in range(1, 5):
        net.arrive(node)
    net.run(Random(1))
    net.run(Random(1))
    assert net.outcome is not None
    failure = m.Failure.of(net.outcome.failure)
    assert failure is not None
    assert failure.session == session
    assert "prepare returned 1 inputs for 2 slots" in failure.error
    check_released(net)


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
