"""Who is lost in the midst of a recovery, and who comes back from it."""

from __future__ import annotations

from typing import Any

from core import Computation, Host, Reflector, Replica, Shape, Worker
from core import messages as m
from core.messages import Node, Place

ROOT = Place("0", (0,))


class Carrier:
    """Notes what a reflector answers; nobody follows."""

    vote_every = 0
    now = 0.0

    def __init__(self) -> None:
        self.replies: list[tuple[Node, m.Reply]] = []
        self.repaired: list[Node] = []

    def reply(self, host: Host, link: Any, place: Place, reply: m.Reply) -> None:
        self.replies.append((link, reply))

    def welcome(self, reflector: Reflector, link: Any, node: Node) -> None: ...
    def broadcast(self, reflector: Reflector, message: m.Message, commands: Any) -> None: ...
    def call_later(self, seconds: float, action: Any) -> None: ...
    def diverged(self, reflector: Reflector, seq: int, node: Node, fields: list[str]) -> None: ...

    def repair(self, reflector: Reflector, link: Any, node: Node) -> None:
        self.repaired.append(node)


def arrive(reflector: Reflector, node: Node, past: m.Past | None = None) -> None:
    reflector.arrive(node, m.Arrive(node, node, None, past))


def opened(opener: Node = 1) -> tuple[Host, Reflector, Carrier]:
    carrier = Carrier()
    host = Host(0, carrier)
    host.open(opener, m.Open(Shape.root(4, 4), (2,), ROOT))
    return host, host.reflectors["0"], carrier


def older(done: int) -> Computation:
    """A replica of an older incarnation in which so many slots are done."""
    model = Computation(Shape.root(4, 4), (1,))
    for slot in range(done):
        model.apply(0.0, m.Finished(9, (slot,), [f"out {slot}"], 1.0))
    return model


def test_who_brings_a_replica_is_answered_when_the_opener_is_lost() -> None:
    _, reflector, carrier = opened()
    arrive(reflector, 2, m.Past("", (), (1,), 3))
    assert carrier.replies == [(2, m.Bring())]
    reflector.lose(1)
    assert carrier.replies[1:] == [(2, m.Absent())]
    reflector.receive(2, m.Brought(older(3).snapshot()))
    assert not reflector.members
    assert reflector.model.seq == 0


def test_a_mender_that_was_away_does_not_mend() -> None:
    _, reflector, _ = opened()
    arrive(reflector, 1)
    arrive(reflector, 2)
    reflector._mender = 2
    before = reflector.model
    reflector.lose(2)
    reflector.receive(2, m.Brought(older(1).snapshot()))
    assert reflector.model is before


def test_a_replica_of_the_same_incarnation_is_not_asked_for() -> None:
    _, reflector, carrier = opened()
    arrive(reflector, 1)
    arrive(reflector, 2)
    reflector.lose(2)
    arrive(reflector, 2, m.Past("", (), reflector.model.epoch, 2))
    assert carrier.replies == []
    assert 2 in reflector.members


def test_everyone_has_a_copy_of_what_was_mended() -> None:
    _, reflector, carrier = opened()
    for node in (1, 2, 3):
        arrive(reflector, node)
    right = Computation.restore(reflector.model.snapshot())
    reflector.model.slots[0].seconds += 1.0
    reflector._mender = 2
    reflector.receive(2, m.Brought(right.snapshot()))
    assert reflector.model.slots[0].seconds == 0.0
    assert carrier.repaired == [1, 2, 3]


def test_an_arrival_that_waits_for_its_session_can_be_withdrawn() -> None:
    host, reflector, _ = opened()
    reflector.lose(1)  # the opener has gone before it came
    host.receive(2, 2, "0", m.Arrive(2, 2, None))
    host.receive(2, 2, "0", m.Leave())
    host.open(3, m.Open(Shape.root(4, 4), (3,), ROOT))
    arrive(host.reflectors["0"], 3)
    assert list(host.reflectors["0"].members) == [3]


def test_a_closed_host_answers_nobody() -> None:
    carrier = Carrier()
    later: list[Any] = []
    carrier.call_later = lambda seconds, action: later.append(action)  # type: ignore[method-assign]
    host = Host(0, carrier)
    host.receive(2, 2, "0-1", m.Arrive(2, 2, None))
    host.close()
    later[0]()
    assert carrier.replies == []


def test_a_session_whose_team_has_moved_may_be_opened_again_under_any_assignment() -> None:
    host, reflector, _ = opened()
    arrive(reflector, 1)
    reflector.receive(1, m.Moved(1, Place("0-9", (0, 5))))
    host.open(4, m.Open(Shape.root(4, 4), (1,), ROOT))
    assert host.reflectors["0"] is not reflector
    arrive(host.reflectors["0"], 4)
    assert host.reflectors["0"].model.leader == 4


def test_what_was_computed_for_one_session_is_not_published_in_another() -> None:
    sent: list[tuple[str, m.Call]] = []

    class Port:
        def send(self, worker: Worker, place: Place, call: m.Call) -> None:
            sent.append((place.session, call))

    leaf = ROOT.child(0, 7)
    worker = Worker(Port(), 6, 6, leaf)  # type: ignore[arg-type]
    worker.enter(leaf)
    worker.answered(leaf, m.Wait())  # it is a spare there, after it had lost its seat
    worker.computed("0-0", (0,), ["of partition 0"], 1.0)
    worker.lost(7)
    seat = Replica(Computation(Shape.root(40, 8)), ROOT)
    worker.seated(seat, [])
    assert [call for session, call in sent if isinstance(call, m.Finished)] == []
