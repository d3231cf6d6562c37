"""Forming a tree, one step after the other: who leads what, who waits where."""

from __future__ import annotations

from random import Random

import pytest

from core import Shape
from core import messages as m
from core.sessions.states import STANDBY
from tests.core.harness import SUBMITTER, Net
from tests.core.spans import sequential
from tests.core.stepping import WORK, arrivals, compute, finish, ticking, tree


@pytest.mark.parametrize(("partitions", "fanout"), [(1, 2), (5, 5), (7, 2), (16, 4), (40, 3)])
@pytest.mark.parametrize("seed", range(5))
def test_with_a_node_for_each_partition_everyone_computes_exactly_one(
    partitions: int, fanout: int, seed: int
) -> None:
    net = Net(Shape.root(partitions, fanout))
    net.submit()
    random = Random(seed)
    for node in range(1, partitions + 1):
        net.arrive(node)
        for _ in range(random.randrange(4)):
            if lanes := net.busy(WORK):
                net.step(random.choice(lanes))
    while lanes := net.busy(WORK):
        net.step(random.choice(lanes))
    at_work = [lane for lane in net.lanes if lane[0] == "compute"]
    assert sorted(node for _, node in at_work) == list(range(1, partitions + 1))
    net.settle()
    assert net.outcome == m.Ended(sequential(partitions), None)
    assert sorted(node for node, _ in net.computed) == list(range(1, partitions + 1))
    assert sorted(index for _, index in net.computed) == list(range(partitions))


def test_who_is_given_a_slot_leads_its_child_session_and_is_its_first_participant() -> None:
    net = tree(8, 2, 8)
    assert net.seated(1) == ["0", "0-0", "0-0-0"]
    assert net.seated(2) == ["0", "0-1", "0-1-0"]
    for session in ("0-0", "0-1", "0-0-0", "0-0-1", "0-1-0", "0-1-1"):
        reflector = net.reflector(session)
        leader = reflector.state.leader
        assert leader == next(iter(reflector.state.people)) == reflector.host.address
        assert len(reflector.members) == 2


def test_a_leader_that_does_not_listen_leads_on_its_parents_host() -> None:
    net = tree(4, 2, 4, listens=False)
    assert net.reflector("0-0").host.address == SUBMITTER
    assert net.reflector("0-1").state.leader == 2
    finish(net)


def test_an_arrival_is_sent_on_without_a_word_to_the_model() -> None:
    net = tree(16, 2, 2)
    before = net.reflector("0").state.seq
    for node in range(3, 11):
        net.arrive(node)
        net.settle(WORK)
    assert net.reflector("0").state.seq == before
    assert list(net.reflector("0").members) == [SUBMITTER, 1, 2]
    below = [
        len([n for n in range(3, 11) if net.seated(n)[0].startswith(s)]) for s in ("0-0", "0-1")
    ]
    assert below == [4, 4]  # in turn


def test_a_leaf_session_keeps_as_many_standbys_as_its_fanout_and_turns_others_away() -> None:
    net = tree(3, 3, 9)
    reflector = net.reflector("0")
    assert list(reflector.members) == [SUBMITTER, 1, 2, 3]
    assert list(reflector.admission.standbys) == [4, 5, 6]
    assert [net.processes[node].views[0].state for node in (4, 5, 6)] == [STANDBY] * 3
    assert len(ticking(net)) == 3 + 1  # 7, 8 and 9 ask again; and what may become late
    assert all(due > net.now for due, _, _ in net.timers)
    finish(net)


def test_a_standby_takes_the_place_of_one_who_left() -> None:
    net = tree(2, 2, 4)
    net.leave(1)
    net.settle(WORK)
    assert list(net.reflector("0").members) == [SUBMITTER, 2, 3]
    assert list(net.reflector("0").admission.standbys) == [4]
    compute(net, 3)
    assert net.computed == [(3, 0)]


def test_a_standby_that_leaves_is_forgotten() -> None:
    net = tree(1, 2, 3)
    net.leave(2)
    net.settle(WORK)
    assert list(net.reflector("0").admission.standbys) == [3]
    finish(net)


def test_an_arrival_waits_a_bounded_time_for_its_session_to_be_opened() -> None:
    net = tree(4, 2)
    unheard = {(SUBMITTER, 1), *WORK}  # 1 does not hear that it is to lead 0-0
    for node in (1, 2, 3):
        net.arrive(node)
        net.settle(unheard)
    assert arrivals(net, "0-0") == [3]
    assert arrivals(net, "0") == [SUBMITTER, 1, 2, 3]
    assert len(ticking(net)) == 1
    while ticking(net):
        net.tick()
        net.settle(unheard)
    assert arrivals(net, "0") == [SUBMITTER, 1, 2, 3, 3]
    finish(net)


def test_one_who_left_while_it_waited_for_its_session_has_no_seat_there() -> None:
    net = tree(4, 2)
    for node in (1, 2, 3):
        net.arrive(node)
        net.settle({(SUBMITTER, 1), *WORK})
    net.leave(3)
    net.settle({(SUBMITTER, 1), *WORK})
    net.settle(WORK)
    assert 3 not in net.reflector("0-0").members
    assert 3 not in net.reflector("0-0").state.people
    finish(net)


@pytest.mark.parametrize("in_time", [True, False])
def test_those_who_wait_for_an_opener_that_never_comes_are_not_forgotten(in_time: bool) -> None:
    net = tree(4, 2)
    net.arrive(1, listens=False)
    net.step((1, SUBMITTER))  # that it arrives at the root
    net.settle({(1, SUBMITTER), *WORK})
    net.arrive(2)
    net.settle({(1, SUBMITTER), *WORK})
    net.step((1, SUBMITTER))  # that it opens 0-0 there; that it arrives at 0-0 will be lost
    net.arrive(3)
    net.step((3, SUBMITTER))
    net.step((SUBMITTER, 3))  # that 3 is to go to 0-0
    if in_time:
        net.step((3, SUBMITTER))
    net.leave(1, keep=lambda sent: 0)
    net.settle({(3, SUBMITTER), *WORK})
    net.settle(WORK)
    net.arrive(4, listens=False)
    finish(net)


def test_whoever_comes_when_it_is_over_is_told_so() -> None:
    net = tree(2, 2, 1)
    finish(net)
    net.arrive(9)
    net.settle()
    assert net.processes[9].ended == [net.outcome]
