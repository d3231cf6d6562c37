"""What one process alone knows has one more copy elsewhere."""

from __future__ import annotations

import pytest

from core import messages as m
from core.messages import Node
from tests.core.harness import SUBMITTER, Net
from tests.core.stepping import WORK, again, compute, finish, tree


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
