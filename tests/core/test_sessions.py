"""Working and moving, one step after the other."""

from __future__ import annotations

from collections import Counter

from core import Shape
from core import messages as m
from tests.core.harness import SUBMITTER, Net
from tests.core.spans import sequential
from tests.core.stepping import WORK, again, arrivals, compute, finish, ticking, tree, wait


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
