"""Losing nodes, one step after the other, and what is kept of them elsewhere."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from core import Computation, Host, Shape
from core import messages as m
from core.messages import Node
from tests.core.harness import ROOT, SUBMITTER, Net
from tests.core.stepping import WORK, again, compute, finish, tree, wait

# -- one more copy -------------------------------------------------------------------------


def kept(net: Net, address: Node) -> dict[str, list[int]]:
    """What the host there keeps for others: slots of sessions."""
    host = net.processes[address].host
    assert host is not None
    return {session: sorted(facts) for session, facts in host.backups.facts.items()}


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
    host.backups.add("0-0", {0: ("an output", 1.0)})
    host.backups.add("0-0-1", {0: ("an output", 1.0)})
    host.backups.add("0-1", {0: ("an output", 1.0)})
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
    assert not [call for _, _, call in net.calls if isinstance(call, m.Backup)]
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
    assert carrier.replies == [(2, m.SendState()), (3, m.SendState())]
