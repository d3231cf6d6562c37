"""Forming, working, moving and losing nodes, one step after the other."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from core import Computation, Host, Shape
from core import messages as m
from core.messages import Node
from core.sessions.states import STANDBY
from tests.core.harness import ROOT, SUBMITTER, Net, sequential
from tests.core.stepping import WORK, again, arrivals, compute, finish, ticking, tree, wait

# -- forming -------------------------------------------------------------------------------


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


# -- working and going up ------------------------------------------------------------------


def test_the_parent_hears_from_one_node_for_each_child_session() -> None:
    net = tree(64, 4, 64)
    net.settle()
    assert net.outcome == m.Ended(sequential(64), None)
    at_root = [message for session, message in net.ordered if session == "0"]
    kinds = Counter(type(message).__name__ for message in at_root)
    own = {"Given": 1, "Prepared": 1, "Collected": 1, "Ended": 1}
    assert kinds == {"Joined": 5, "Finished": 4, **own}
    finished = [message for message in at_root if isinstance(message, m.Finished)]
    assert {message.node for message in finished} == {1, 2, 3, 4}


def test_prepare_and_collect_run_once_a_session() -> None:
    net = tree(27, 3, 27)
    net.settle()
    assert net.outcome == m.Ended(sequential(27), None)
    prepared = Counter(
        session for session, message in net.ordered if isinstance(message, m.Prepared)
    )
    assert set(prepared.values()) == {1}
    assert len(prepared) == 13
    assert again(net) == []


def test_a_team_goes_with_its_leader_to_the_next_child_session() -> None:
    net = tree(9, 3, 3)
    assert [net.seated(node) for node in (1, 2, 3)] == [["0", f"0-{i}"] for i in range(3)]
    for node in (4, 5, 6):  # one more for each child session
        net.arrive(node)
        net.settle(WORK)
    assert net.seated(4) == ["0-0"]
    net.leave(3)
    net.leave(6)  # so that 0-2 is free
    net.settle(WORK)
    at_root = arrivals(net, "0")
    compute(net, 1, 4, 1)
    assert net.reflector("0").model.slots.done[0]
    assert net.seated(1) == ["0", "0-2"]
    assert net.seated(4) == ["0-2"]
    assert net.reflector("0-0").members == {}
    assert arrivals(net, "0") == at_root
    finish(net)
    assert again(net) == []


def test_one_node_does_all_of_it() -> None:
    net = tree(27, 3, 1)
    finish(net)
    assert again(net) == []
    assert [index for _, index in net.computed] == list(range(27))


def test_short_pieces_are_answered_many_at_a_time() -> None:
    net = Net(Shape.root(1000, 1000))
    net.piece_seconds = 0.0001
    net.submit()
    net.arrive(1)
    net.arrive(2)
    finish(net)
    assert again(net) == []
    assert len([1 for _, message in net.ordered if isinstance(message, m.Finished)]) < 40


def test_an_idle_worker_doubles_up_on_a_late_slot_and_the_first_result_counts() -> None:
    net = tree(3, 3, 3)
    compute(net, 1, 2)
    wait(net, lambda: ("compute", 1) in net.lanes)
    compute(net, 1)
    assert net.outcome == m.Ended(sequential(3), None)
    assert net.computed == [(1, 0), (2, 1), (1, 2)]
    finish(net)


def test_a_standby_doubles_up_where_nobody_is_idle() -> None:
    net = tree(3, 3, 4)
    compute(net, 1)
    net.leave(1)
    net.settle(WORK)
    assert list(net.reflector("0").admission.standbys) == [4]
    wait(net, lambda: ("compute", 4) in net.lanes)
    compute(net, 4)
    assert net.computed == [(1, 0), (4, 1)]
    finish(net)


def test_nothing_ticks_while_nobody_waits() -> None:
    net = tree(3, 3, 3)
    assert ticking(net) == []
    net = tree(9, 3, 9)
    assert ticking(net) == []


def test_standbys_that_help_do_not_make_room_for_more_connections() -> None:
    fanout = 5
    net = tree(fanout, fanout, 4 * fanout)
    compute(net, 1)
    net.leave(1)
    net.settle(WORK)
    for _ in range(40):
        net.tick()
        net.settle(WORK)
        assert len(net.others(SUBMITTER)) <= 2 * fanout
    finish(net)


def test_the_idle_leader_and_its_team_reinforce_a_late_child_session() -> None:
    net = tree(8, 4, 2)
    compute(net, 1, 1, 1, 1)
    assert net.reflector("0").model.slots.done[0]
    wait(net, lambda: net.seated(1) == ["0", "0-1"])
    compute(net, 1, 1, 1)
    compute(net, 2)
    finish(net)
    assert again(net) == []


# -- one more copy -------------------------------------------------------------------------


def kept(net: Net, address: Node) -> dict[str, list[int]]:
    """What the host there keeps for others: slots of sessions."""
    host = net.processes[address].host
    assert host is not None
    return {session: sorted(facts) for session, facts in host.backups.kept.items()}


@pytest.mark.parametrize("listens", [True, False])
def test_who_dies_alone_on_two_levels_costs_the_leaf_session_it_was_in(listens: bool) -> None:
    net = tree(8, 2, 1)
    compute(net, 1, 1, 1)
    assert kept(net, SUBMITTER) == {"0-0": [0]}
    net.leave(1)
    net.settle(WORK)
    net.arrive(2, listens)
    finish(net)
    assert again(net) == [2]
    assert kept(net, SUBMITTER) == {}


def test_who_dies_alone_on_three_levels_costs_the_leaf_session_it_was_in() -> None:
    net = tree(16, 2, 1)
    compute(net, *[1] * 7)
    assert kept(net, SUBMITTER) == {"0-0": [0], "0-0-1": [0]}
    net.leave(1)
    net.settle(WORK)
    net.arrive(2)
    net.settle(WORK)
    assert net.seated(2) == ["0", "0-0", "0-0-1", "0-0-1-1"]
    compute(net, 2)
    net.leave(2)
    net.settle(WORK)
    net.arrive(3)
    finish(net)
    assert set(again(net)) == {6}


def test_a_copy_is_handed_on_to_whoever_leads_the_session_at_last() -> None:
    net = tree(81, 3, 1)
    compute(net, *[1] * 3)  # all of 0-0-0-0
    assert kept(net, SUBMITTER) == {"0-0-0": [0]}
    net.leave(1)
    for node in (2, 3, 4, 5):
        net.settle(WORK)
        net.arrive(node)
    net.settle(WORK)
    assert net.seated(5)[:2] == ["0-0", "0-0-1"]
    net.leave(2)  # which led 0-0 and 0-0-0
    net.settle(WORK)
    assert kept(net, 5) == {"0-0-0": [0]}
    for node in (6, 7, 8):  # one of them gets to 0-0
        net.arrive(node)
        net.settle(WORK)
    assert net.reflector("0-0-0").host.address in (6, 7, 8)
    assert net.reflector("0-0-0").model.slots.done[0]
    finish(net)
    assert again(net) == []


@pytest.mark.parametrize("heir", [4, 7])
def test_a_new_host_of_the_parent_session_gets_the_copies_too(heir: Node) -> None:
    net = tree(81, 3, 7)
    assert net.seated(4)[:2] == ["0-0", "0-0-1"]
    compute(net, 4, 4, 4, 4)  # all of 0-0-1-0, and partition 12
    assert kept(net, 1) == {"0-0-1": [0]}
    net.leave(1)
    net.settle({*WORK, (1, 11 - heir)})  # who hears of it later
    net.settle(WORK)
    assert net.reflector("0-0").host.address == heir
    assert kept(net, SUBMITTER if heir == 4 else heir)["0-0-1"] == [0]
    net.leave(4)
    finish(net)
    assert again(net) == [12]


def test_what_is_over_is_not_kept_though_somebody_tells_of_it_late() -> None:
    net = tree(8, 2, 1)
    compute(net, 1, 1, 1)
    assert kept(net, SUBMITTER) == {"0-0": [0]}
    compute(net, 1)
    assert net.reflector("0").model.slots.done[0]
    assert kept(net, SUBMITTER) == {}
    host = net.processes[SUBMITTER].host
    assert host is not None
    host.backups.keep("0-0", {0: ("an output", 1.0)})
    host.backups.keep("0-0-1", {0: ("an output", 1.0)})
    host.backups.keep("0-1", {0: ("an output", 1.0)})
    assert kept(net, SUBMITTER) == {"0-1": [0]}


def test_nothing_is_kept_when_all_is_over() -> None:
    net = tree(8, 2, 1)
    compute(net, 1, 1, 1)
    assert kept(net, SUBMITTER) == {"0-0": [0]}
    key = net.end_key
    net.reflector("0").order(m.Ended(None, {"session": "0", "partition": None, "error": ""}, key))
    assert kept(net, SUBMITTER) == {}


def test_a_copy_is_made_only_where_nobody_is_in_another_process() -> None:
    net = tree(8, 2, 4)
    compute(net, 1, 1)
    assert net.reflector("0-0").model.slots.done[0]
    assert not [call for _, _, call in net.calls if isinstance(call, m.Kept)]
    net.leave(3)
    net.settle(WORK)
    assert kept(net, SUBMITTER) == {"0-0": [0]}


def test_what_a_host_has_of_its_child_sessions_is_handed_to_who_leads_them_elsewhere() -> None:
    net = tree(8, 2, 1, listens=False)
    compute(net, 1, 1, 1)
    net.leave(1)
    net.settle(WORK)
    net.arrive(2)
    finish(net)
    assert again(net) == []


# -- losing nodes --------------------------------------------------------------------------


def test_what_was_acknowledged_outlives_its_host() -> None:
    net = tree(8, 4, 8)
    assert net.reflector("0-0").host.address == 1
    team = list(net.reflector("0-0").members)
    compute(net, *team[1:3])
    net.leave(1)
    net.settle(WORK)
    finish(net)
    assert again(net) == []  # 1 itself had not begun
    assert not [index for node, index in net.computed if node == 1]


def test_a_member_that_was_computing_when_its_host_died_delivers_to_the_next() -> None:
    net = tree(8, 4, 8)
    team = list(net.reflector("0-0").members)
    net.leave(1)
    for node in team[1:]:
        net.step(("compute", node))  # before it has heard of it
    finish(net)
    assert again(net) == []


def test_a_new_leader_takes_the_link_to_the_parent_over() -> None:
    net = tree(4, 2, 4, listens=False)
    below = [node for node in net.reflector("0-0").members if node != 1]
    net.leave(1)
    net.settle(WORK)
    assert net.reflector("0-0").state.leader in below
    assert net.reflector("0").model.slots.worker[0] in below
    finish(net)


def test_a_session_outlives_its_participants() -> None:
    net = tree(4, 4, 2)
    compute(net, 1, 2)
    net.leave(1)
    net.leave(2)
    net.settle(WORK)
    assert list(net.reflector("0").members) == [SUBMITTER]
    net.arrive(3)
    finish(net)
    assert again(net) == []


def test_a_broken_connection_loses_nothing_that_was_sent() -> None:
    net = tree(4, 4, 2)
    net.step(("compute", 1))
    net.disconnect(1, SUBMITTER)  # with the output on its way
    finish(net)
    assert net.computed.count((1, 0)) == 1


def test_a_healed_split_sends_the_older_leaders_people_over() -> None:
    net = tree(8, 4, 8)
    team = [node for node in net.reflector("0-0").members if node != 1]
    net.disconnect(1, SUBMITTER)
    net.settle(WORK)
    net.arrive(9)  # is given 0-0 anew
    net.settle(WORK)
    older, newer = net.reflector_at("0-0", 1), net.reflector_at("0-0", 9)
    assert newer.state.epoch > older.state.epoch
    wait(net, lambda: older.state.moved is not None or not net.timers)
    assert not older.members
    assert {*newer.members, *newer.admission.standbys} & {*team}
    finish(net)


def test_standbys_of_a_session_that_everyone_left_are_not_forgotten() -> None:
    net = tree(4, 2)
    for node in (1, 2, 3, 4, 5):
        net.arrive(node, listens=False)
        net.settle(WORK)
    older = net.reflector_at("0-0", SUBMITTER)
    assert list(older.members) == [1, 3]
    assert list(older.admission.standbys) == [5]
    for node in (1, 3):
        net.step(("compute", node))
        net.settle({*WORK, "collect"})
    net.leave(3)
    net.leave(1)  # before it could hand the output up
    net.settle({*WORK, "collect"})
    net.arrive(6)
    finish(net)


def test_a_failure_is_not_doubled_by_reconnections() -> None:
    class Once:
        raised = False

        def prepare(self, input: object, sizes: list[int]) -> list[int]:
            return [0] * len(sizes)

        def compute(self, input: object, index: int) -> list[int]:
            if not self.raised:
                self.raised = True
                raise ArithmeticError("once")
            return [index]

        def collect(self, outputs: list[list[int]]) -> list[int]:
            return [index for output in outputs for index in output]

    net = Net(Shape.root(1, 2), Once())
    net.submit()
    net.arrive(1)
    net.settle(WORK)
    for _ in range(4):
        net.settle({"compute", (SUBMITTER, 1)})
        if ("compute", 1) in net.lanes and not net.computed:
            net.step(("compute", 1))
            net.settle({"compute", (SUBMITTER, 1)})  # it is counted, but 1 does not hear of it
        net.disconnect(1, SUBMITTER)
        net.settle({"compute", (SUBMITTER, 1)})
        net.settle({"compute"})
        while (SUBMITTER, 1) not in net.connected:
            net.tick()
            net.settle({"compute", (SUBMITTER, 1)})
    net.run(Random(0))
    assert net.outcome == m.Ended([0], None)


def test_the_submitter_alone_waits_for_somebody_to_come() -> None:
    net = tree(3, 3)
    assert net.lanes == {}
    assert net.outcome is None
    assert net.reflector("0").place == ROOT
    net.arrive(1)
    finish(net)


class Replies:
    """A carrier that only keeps what is answered."""

    now, vote_every = 0.0, 0

    def __init__(self) -> None:
        self.replies: list[tuple[Any, Any]] = []

    def reply(self, host: Any, link: Any, place: Any, reply: Any) -> None:
        self.replies.append((link, reply))


def test_a_replica_that_was_asked_for_but_never_came_is_asked_of_the_next() -> None:
    carrier = Replies()
    host = Host(0, carrier, Computation)  # type: ignore[arg-type]
    host.open(1, m.Open(ROOT, (2,), Shape.root(2, 2).plain()))
    reflector, past = host.reflectors["0"], m.Past("", (), (1,), 5)
    reflector.arrive(2, m.Arrive(2, None, None, past))
    reflector.lose(2)
    reflector.arrive(3, m.Arrive(3, None, None, past))
    assert carrier.replies == [(2, m.Bring()), (3, m.Bring())]
