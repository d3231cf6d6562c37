"""The submitter's process ends and begins again: with what was stored, and without."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.store import MemoryStore
from tests.core import restarting, stepping
from tests.core.growing import (
    FANOUTS,
    NODES,
    PARTITIONS,
    SEEDS,
    check_result,
    restarted,
)
from tests.core.harness import SUBMITTER, Net
from tests.core.stepping import WORK, again, back, compute, crash, finish, restart, wait

both = pytest.mark.parametrize("stored", [True, False])


def tree(partitions: int, fanout: int, nodes: int, stored: bool, listens: bool = True) -> Net:
    store = MemoryStore() if stored else None
    return stepping.tree(partitions, fanout, nodes, listens, store)


@both
def test_the_work_of_a_leaf_root_goes_on(stored: bool) -> None:
    net = tree(6, 6, 2, stored)
    compute(net, 1, 2, 1)
    crash(net)
    compute(net, 2)  # what it says of it is lost on the way
    restart(net)
    wait(net, back(net, 1, 2))
    assert net.reflector("0").state.epoch == (2,)
    finish(net)
    assert net.repeated == []


@both
def test_child_sessions_go_on_and_keep_their_work(stored: bool) -> None:
    net = tree(16, 4, 8, stored)
    compute(net, 1, 2, 3)
    crash(net)
    compute(net, 1, 5, 2)
    assert not net.live()[0].ended
    restart(net)
    wait(net, back(net, 1, 2, 3, 4))
    assert net.reflector("0").model.slots.worker == [1, 2, 3, 4]
    finish(net)
    assert net.repeated == []


@both
def test_a_session_that_was_complete_while_the_root_was_away_hands_its_output_up(
    stored: bool,
) -> None:
    net = tree(9, 3, 9, stored)
    crash(net)
    compute(net, *range(1, 10))
    restart(net)
    finish(net)
    assert net.repeated == []


@both
def test_who_arrives_before_a_leader_is_back_does_not_get_its_slot(stored: bool) -> None:
    net = tree(9, 3, 6, stored)
    compute(net, 1, 4)
    crash(net)
    restart(net)
    net.arrive(7)
    net.settle(WORK)
    wait(net, back(net, 1, 2, 3))
    net.settle(WORK)
    assert net.processes[7].views[0].place.session == "0-0"
    finish(net)
    assert net.repeated == []


@both
def test_who_is_given_the_slot_of_one_who_comes_back_late_gets_its_team_and_work(
    stored: bool,
) -> None:
    net = tree(9, 3, 6, stored)
    compute(net, 1, 4)
    net.leave(SUBMITTER)
    hold = {*WORK, (SUBMITTER, 1)}  # 1 does not notice
    net.settle(hold)
    net.restart()
    net.arrive(7)
    net.settle(hold)
    while net.reflector("0").model.slots.worker[0] != 7:
        net.tick()
        net.settle(hold)
    net.settle(WORK)
    wait(net, lambda: net.reflector_at("0-0", 7).members.keys() >= {7, 1})
    state = net.reflector_at("0-0", 7).state
    assert state.epoch[0] == 2
    assert list(state.model.slots.done).count(True) == 2
    finish(net)
    assert net.repeated == [0]  # 7 was given it before 1 was back


def test_what_only_the_store_knows_is_not_computed_again() -> None:
    restarting.with_what_only_the_store_knows(MemoryStore())


def test_what_only_the_store_knows_is_handed_to_who_leads_elsewhere() -> None:
    net = tree(8, 2, 1, stored=True, listens=False)
    compute(net, 1, 1, 1)
    net.leave(SUBMITTER)
    net.leave(1)
    restart(net)
    net.arrive(3)
    finish(net)
    assert net.repeated == []


def test_without_a_store_what_only_the_root_knew_is_computed_again() -> None:
    net = tree(4, 4, 1, stored=False)
    compute(net, 1, 1)
    net.leave(SUBMITTER)
    net.leave(1)
    restart(net)
    net.arrive(2)
    finish(net)
    assert again(net) == [0, 1]


@both
def test_the_answer_is_given_again_after_a_restart(stored: bool) -> None:
    net = tree(4, 2, 2, stored)
    finish(net)
    first = net.outcome
    crash(net)
    process = restart(net)
    net.arrive(9)
    net.run(Random(1))
    assert process.ended == [first]
    if stored:
        assert net.repeated == []


@both
@pytest.mark.parametrize("times", [2, 3])
def test_it_may_be_restarted_again_and_again(stored: bool, times: int) -> None:
    restarting.again_and_again(MemoryStore() if stored else None, times)


# -- at any time ---------------------------------------------------------------------------


@given(NODES, PARTITIONS, FANOUTS, SEEDS, st.booleans(), st.sampled_from([1.0, 0.5]))
def test_the_submitter_may_be_lost_and_restarted_at_any_time(
    nodes: int, partitions: int, fanout: int, seed: int, stored: bool, listening: float
) -> None:
    store = MemoryStore() if stored else None
    net = restarted(nodes, partitions, fanout, seed, store, listening)
    check_result(net)


@given(NODES, PARTITIONS, FANOUTS, SEEDS, st.booleans())
def test_others_may_leave_meanwhile(
    nodes: int, partitions: int, fanout: int, seed: int, stored: bool
) -> None:
    store = MemoryStore() if stored else None
    net = restarted(nodes, partitions, fanout, seed, store, leaving=0.4)
    check_result(net)
