"""Who is lost in the midst of a recovery, and who comes back from it."""

from __future__ import annotations

from typing import Any

from core import Computation, Host, Reflector, Replica, Session, Shape, Worker
from core import messages as m
from core.messages import Facts, Node, Place
from core.sessions.recovery import ASKS_MAX
from tests.core.story import session

ROOT = Place("0", (0,))


class Carrier:
    """Notes what a reflector answers; nobody follows."""

    vote_every = 0
    now = 0.0

    def __init__(self) -> None:
        self.replies: list[tuple[Node, m.Reply]] = []
        self.repaired: list[Node] = []
        self.told: list[tuple[Node, m.Command]] = []
        self.lost: set[int] = set()  # slots of whose outputs it has no bytes

    def owns(self, host: Host, node: Node) -> bool:
        return True  # it is not the rights of those who speak that are in question here

    def party(self, node: Node) -> Node:
        return node // 10

    def restorable(self, facts: Facts, context: Any) -> m.Restored:
        kept = {number: fact for number, fact in facts.items() if number not in self.lost}
        return m.Restored(kept, context)

    def reply(self, host: Host, link: Any, place: Place, reply: m.Reply) -> None:
        self.replies.append((link, reply))

    def welcome(self, reflector: Reflector, link: Any, node: Node) -> None: ...
    def call_later(self, seconds: float, action: Any) -> None: ...
    def diverged(self, reflector: Reflector, seq: int, node: Node, fields: list[str]) -> None: ...

    def broadcast(self, reflector: Reflector, message: m.Message, commands: Any) -> None:
        self.told = list(commands)

    def repair(self, reflector: Reflector, link: Any, node: Node) -> None:
        self.repaired.append(node)


def arrive(reflector: Reflector, node: Node, past: m.Past | None = None) -> None:
    reflector.admission.arrive(node, m.Arrive(node, node, None, past))


def opened(opener: Node = 1) -> tuple[Host, Reflector, Carrier]:
    carrier = Carrier()
    host = Host(0, carrier, Computation)
    host.open(opener, m.Open(ROOT, (2,), Shape.root(4, 4).plain()))
    return host, host.reflectors["0"], carrier


def older(done: int) -> Session:
    """A replica of an older incarnation in which so many slots are done."""
    state = session(Shape.root(4, 4))
    for slot in range(done):
        state.apply(0.0, m.Finished(9, (slot,), [f"out {slot}"], 1.0))
    return state


def test_who_brings_a_replica_is_answered_when_the_opener_is_lost() -> None:
    _, reflector, carrier = opened()
    arrive(reflector, 2, m.Past("", (), (1,), 3))
    assert carrier.replies == [(2, m.SendState())]
    reflector.lose(1)
    assert carrier.replies[1:] == [(2, m.Absent())]
    reflector.receive(2, 2, m.StateTransfer(older(3).snapshot()))
    assert not reflector.members
    assert reflector.state.seq == 0


def test_a_mender_that_was_away_does_not_mend() -> None:
    _, reflector, _ = opened()
    arrive(reflector, 1)
    arrive(reflector, 2)
    reflector.repair._mender = 2
    before = reflector.state
    reflector.lose(2)
    reflector.receive(2, 2, m.StateTransfer(older(1).snapshot()))
    assert reflector.state is before


def test_a_replica_of_other_people_mends_nothing() -> None:
    _, reflector, carrier = opened()
    for node in (1, 2, 3):
        arrive(reflector, node)
    before = reflector.state
    reflector.repair._mender = 2
    reflector.receive(2, 2, m.StateTransfer(older(1).snapshot()))
    assert reflector.state is before
    assert carrier.repaired == []
    assert not reflector.repair.is_mender(2)


def test_a_replica_of_the_same_incarnation_is_not_asked_for() -> None:
    _, reflector, carrier = opened()
    arrive(reflector, 1)
    arrive(reflector, 2)
    reflector.lose(2)
    arrive(reflector, 2, m.Past("", (), reflector.state.epoch, 2))
    assert carrier.replies == []
    assert 2 in reflector.members


def test_everyone_has_a_copy_of_what_was_mended() -> None:
    _, reflector, carrier = opened()
    for node in (1, 2, 3):
        arrive(reflector, node)
    right = Session.restore(Computation, reflector.state.snapshot())
    reflector.model.slots.seconds[0] += 1.0
    reflector.repair._mender = 2
    reflector.receive(2, 2, m.StateTransfer(right.snapshot()))
    assert reflector.model.slots.seconds[0] == 0.0
    assert carrier.repaired == [1, 2, 3]


def test_who_was_to_lead_what_turns_out_to_be_done_leads_nothing() -> None:
    carrier = Carrier()
    host = Host(0, carrier, Computation)
    host.open(1, m.Open(ROOT, (2,), Shape.root(9, 3).plain()))
    reflector = host.reflectors["0"]
    for node in (1, 2, 3):
        arrive(reflector, node)
    carrier.now = 1.0
    reflector.receive(1, 1, m.Finished(1, (0,), ["out 0"], 0.0))
    carrier.now = 3.0
    reflector.order(m.Alarm())  # 1 helps in 0-1
    reflector.lose(3)  # so that 0-2 is free
    host.receive(9, 9, "0", m.Backup("0", {1: ("out 1", 1.0), 2: ("out 2", 1.0)}))
    told = [one for one in carrier.told if not isinstance(one[1], m.KeepBackup)]
    assert told == [(2, m.Rest())]
    assert reflector.model.slots.outputs == ["out 0", "out 1", "out 2"]
    assert sorted(reflector.model.slots.idle) == [1, 2]
    arrive(reflector, 4, m.Past("0-1", (), (), 0))  # it leads what is done
    assert 4 not in reflector.members


def test_an_arrival_that_waits_for_its_session_can_be_withdrawn() -> None:
    host, reflector, _ = opened()
    reflector.lose(1)  # the opener has gone before it came
    host.receive(2, 2, "0", m.Arrive(2, 2, None))
    host.receive(2, 2, "0", m.Leave())
    host.open(3, m.Open(ROOT, (3,), Shape.root(4, 4).plain()))
    arrive(host.reflectors["0"], 3)
    assert list(host.reflectors["0"].members) == [3]


def test_a_closed_host_answers_nobody() -> None:
    carrier = Carrier()
    later: list[Any] = []
    carrier.call_later = lambda seconds, action: later.append(action)  # type: ignore[method-assign]
    host = Host(0, carrier, Computation)
    host.receive(2, 2, "0-1", m.Arrive(2, 2, None))
    host.close()
    later[0]()
    assert carrier.replies == []


def test_a_session_whose_team_has_moved_may_be_opened_again_under_any_assignment() -> None:
    host, reflector, _ = opened()
    arrive(reflector, 1)
    reflector.receive(1, 1, m.Moved(1, Place("0-9", (0, 5))))
    host.open(4, m.Open(ROOT, (1,), Shape.root(4, 4).plain()))
    assert host.reflectors["0"] is not reflector
    arrive(host.reflectors["0"], 4)
    assert host.reflectors["0"].state.leader == 4


def test_what_was_computed_for_one_session_is_not_published_in_another() -> None:
    sent: list[tuple[str, m.Call]] = []

    class Port:
        def send(self, worker: Worker, place: Place, call: m.Call) -> None:
            sent.append((place.session, call))

    leaf = ROOT.child(0, 7)
    worker = Worker(Port(), 6, 6, leaf)  # type: ignore[arg-type]
    worker.enter(leaf)
    worker.answered(leaf, m.Wait())  # it stands by there, after it had lost its seat
    worker.computed("0-0", (0,), ["of partition 0"], 1.0)
    worker.lost(7)
    seat = Replica(session(Shape.root(40, 8)), ROOT)
    worker.seated(seat, [])
    assert [call for session, call in sent if isinstance(call, m.Finished)] == []


def test_who_is_lost_whenever_it_is_asked_takes_part_without_in_the_end() -> None:
    _, reflector, carrier = opened()
    arrive(reflector, 1)
    past = m.Past("", (), (1,), 5)
    for _ in range(ASKS_MAX):
        arrive(reflector, 2, past)
        assert carrier.replies.pop() == (2, m.SendState())
        reflector.lose(2)
    arrive(reflector, 2, past)
    assert carrier.replies == []
    assert 2 in reflector.members


def test_where_not_all_is_to_be_had_each_process_is_asked_once() -> None:
    _, reflector, carrier = opened()
    arrive(reflector, 1)
    past = m.Past("", (), (1,), 5)

    def brings(node: Node, lost: set[int]) -> bool:
        """Whether it is asked for its replica, in which three slots are done."""
        carrier.replies.clear()
        arrive(reflector, node, past)
        if asked := carrier.replies == [(node, m.SendState())]:
            carrier.lost = lost
            reflector.receive(node, node, m.StateTransfer(older(3).snapshot()))
        assert node not in reflector.recovery.transferring
        return asked

    assert brings(2, {0, 2})
    assert reflector.model.facts().keys() == {1}
    assert not brings(3, {0, 2})  # of the same process
    assert brings(11, {0})
    assert reflector.model.facts().keys() == {1, 2}
    assert brings(21, set())
    assert reflector.model.facts().keys() == {0, 1, 2}
    assert not brings(31, set())
