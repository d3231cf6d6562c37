"""A host with one session, and who is in it, to whom anything may be said by hand."""

from __future__ import annotations

from typing import Any

from core import Computation, Host, Reflector, Session, Shape
from core import messages as m
from core.messages import Facts, Node, Place
from core.sessions.roles import seal

KEY = b"of the root"
LEADER, HOLDER, OTHER, RETURNED, STRANGER = 1, 2, 3, 4, 99
COUNTS, LATE, OFFENDS = "counts", "passed over", "offence"
INTERIOR = Shape.root(9, 3)
LEAF = Shape.root(3, 3)
WIDE = Shape.root(25, 5)
DEEP = Shape.root(27, 3)  # whose child sessions are interior, too
OF_OTHER_PROCESS = 50  # the host is of no node's process but those from here on


class Carrier:
    """Notes what is answered, and who offended."""

    vote_every = 0
    now = 0.0

    def __init__(self) -> None:
        self.replies: list[tuple[Node, m.Reply]] = []
        self.offences: list[tuple[Node, Any]] = []

    def reply(self, host: Host, link: Node, place: Place, reply: m.Reply) -> None:
        self.replies.append((link, reply))

    def offended(self, host: Host, link: Node, place: Place, call: Any) -> None:
        self.offences.append((link, call))

    def party(self, node: Node) -> Node:
        return node

    def owns(self, host: Host, node: Node) -> bool:
        return node >= OF_OTHER_PROCESS

    def is_end(self, ended: m.Ended) -> bool:
        return ended.key == b"the end"

    def restorable(self, facts: Facts, context: Any) -> m.Restored:
        return m.Restored(facts, context)

    def welcome(self, *_: object) -> None:
        pass

    broadcast = call_later = welcome


class Setup:
    """A session with a leader, one who holds slot 1 and one who holds nothing that is named."""

    def __init__(self, shape: Shape, key: bytes = KEY) -> None:
        self.carrier = Carrier()
        self.host = Host(0, self.carrier, Computation, None, key)
        place = Place("0", (0,))
        self.host.open(LEADER, m.Open(place, (5,), shape.plain()))
        self.reflector: Reflector = self.host.reflectors["0"]
        for node in (LEADER, HOLDER, OTHER):
            self.arrive(node)
        self.say(LEADER, m.Given("all"))
        self.say(LEADER, m.Prepared([f"in {i}" for i in range(shape.slots)]))

    def arrive(self, node: Node, past: m.Past | None = None) -> None:
        self.host.receive(node, node, "0", m.Arrive(node, node, None, past))

    def give_key(self, node: Node, key: bytes) -> None:
        """Of the session of slot 1."""
        self.host.receive(node, node, "0-1", m.Key("0-1", key))

    def open_child(self, node: Node, epoch: tuple[int, int]) -> Reflector:
        """Have the node open that session, if it may; returns it as it is then."""
        self.host.receive(node, node, "0-1", open_child(node, epoch))
        return self.host.reflectors["0-1"]

    def say(self, node: Node, call: Any) -> str:
        """What becomes of it: whether it counts, is passed over, or is an offence."""
        before, offences = self.reflector.state.seq, len(self.carrier.offences)
        self.host.receive(node, node, "0", call)
        if len(self.carrier.offences) > offences:
            assert self.carrier.offences[-1] == (node, call)
            return "offence"
        return "counts" if self.reflector.state.seq > before else "passed over"


def open_child(node: Node, epoch: m.Epoch, child: int = 1, **other: Any) -> m.Open:
    plan = INTERIOR.child(child).plain()
    fields = {"place": Place(f"0-{child}", (0, 0)), "epoch": epoch, "plan": plan, **other}
    return m.Open(**fields)


def finished(node: Node, slot: int) -> m.Finished:
    return m.Finished(node, (slot,), ["out"], 0.1)


def with_one_who_was_away() -> Setup:
    """It has slot 3, and OTHER has slot 2."""
    setup = Setup(WIDE)
    setup.arrive(RETURNED, m.Past("", (), (4,), 1, seal(KEY, (4,), RETURNED)))
    setup.say(RETURNED, m.StateTransfer(Session("0", (4,), Computation, WIDE.plain()).snapshot()))
    assert setup.reflector.model.slots.worker == [LEADER, HOLDER, OTHER, RETURNED, None]
    return setup


def reopened(key: bytes = KEY) -> Setup:
    """The session was opened under an older epoch elsewhere; 7 was there and had slot 1."""
    setup = Setup(LEAF, key)
    for node in (HOLDER, OTHER):
        setup.reflector.lose(node)
    return setup
