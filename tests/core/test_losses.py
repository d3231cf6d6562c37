"""Losing nodes, one step after the other."""

from __future__ import annotations

from random import Random
from typing import Any

from core import Computation, Host, Shape
from core import messages as m
from tests.core.harness import ROOT, SUBMITTER, Net
from tests.core.stepping import WORK, again, compute, finish, tree, wait


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
    reflector.admission.arrive(2, m.Arrive(2, None, None, past))
    reflector.lose(2)
    reflector.admission.arrive(3, m.Arrive(3, None, None, past))
    assert carrier.replies == [(2, m.SendState()), (3, m.SendState())]
