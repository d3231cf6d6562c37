"""Who may say what: each entry of the tables, on one host, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from core import Computation, Host, Reflector, Session, Shape
from core import messages as m
from core.messages import Node, Place
from core.rights import SAYS as OWN
from core.sessions.roles import SAYS, child_key, seal

KEY = b"of the root"
LEADER, HOLDER, OTHER, STRANGER = 1, 2, 3, 99
INTERIOR = Shape.root(9, 3)
LEAF = Shape.root(3, 3)
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
        self.say(LEADER, m.Prepared(["a", "b", "c"]))

    def arrive(self, node: Node, past: m.Past | None = None) -> None:
        self.host.receive(node, node, "0", m.Arrive(node, node, None, past))

    def say(self, node: Node, call: Any) -> str:
        """What becomes of it: whether it counts, is passed over, or is an offence."""
        before, offences = self.reflector.state.seq, len(self.carrier.offences)
        self.host.receive(node, node, "0", call)
        if len(self.carrier.offences) > offences:
            assert self.carrier.offences[-1] == (node, call)
            return "offence"
        return "counts" if self.reflector.state.seq > before else "passed over"


def finished(node: Node, slot: int) -> m.Finished:
    return m.Finished(node, (slot,), ["out"], 0.1)


def failed(node: Node, slot: int | None, partition: int | None, final: bool = False) -> m.Failed:
    return m.Failed(node, slot, m.Failure("0", partition, "error"), final)


@pytest.mark.parametrize(
    ("node", "message", "verdict"),
    [
        (HOLDER, finished(HOLDER, 1), "counts"),
        (OTHER, finished(OTHER, 1), "offence"),
        (OTHER, finished(HOLDER, 1), "offence"),  # for another
        (HOLDER, finished(HOLDER, -1), "offence"),
        (HOLDER, finished(HOLDER, 3), "offence"),
        (HOLDER, m.Finished(HOLDER, (), [], 0.1), "offence"),
        (HOLDER, m.Finished(HOLDER, (1,), ["a", "b"], 0.1), "offence"),
        (HOLDER, m.Finished(HOLDER, (1,), ["a"], float("nan")), "offence"),
        (HOLDER, failed(HOLDER, 1, 1), "counts"),
        (HOLDER, failed(HOLDER, 1, 2), "offence"),  # another partition
        (HOLDER, failed(HOLDER, 1, 1, final=True), "offence"),  # in a leaf
        (OTHER, failed(OTHER, 1, 1), "offence"),
        (LEADER, m.Given("other"), "counts"),
        (OTHER, m.Given("other"), "passed over"),
        (LEADER, m.Prepared(["a", "b", "c"]), "counts"),
        (LEADER, m.Prepared(["a"]), "offence"),
        (OTHER, m.Prepared(["a", "b", "c"]), "passed over"),
        (LEADER, m.Moved(LEADER, Place("0-1", (0, 7))), "counts"),
        (LEADER, m.Moved(LEADER, Place("0", (0,))), "passed over"),  # it is there
        (OTHER, m.Moved(OTHER, Place("0-1", (0, 7))), "passed over"),
        (LEADER, m.Ended("result", None, b"the end"), "counts"),
        (OTHER, m.Ended("result", None, b"the end"), "counts"),  # it has heard so
        (LEADER, m.Ended("result", None, b"a guess"), "offence"),
        (LEADER, m.Joined(9, None, None, (), False), "offence"),
        (LEADER, m.Left(OTHER), "offence"),
        (LEADER, m.Restored({0: ("out", 0.1)}, None), "offence"),
        (LEADER, m.Late(), "offence"),
        (STRANGER, finished(STRANGER, 1), "passed over"),  # who is not there
        (HOLDER, m.Key("0-1", b"key"), "offence"),
        (HOLDER, m.Arrive(OTHER, OTHER, None), "offence"),
        (HOLDER, m.Arrive(HOLDER, HOLDER, None, observes=True), "offence"),
    ],
)
def test_each_message_counts_of_who_may_say_it(node: Node, message: Any, verdict: str) -> None:
    setup = Setup(LEAF)
    before = setup.reflector.state.snapshot()
    assert setup.say(node, message) == verdict
    if verdict != "counts":
        assert setup.reflector.state.snapshot() == before


def test_every_message_has_a_role() -> None:
    for message in m.Message.__args__:
        assert (message in SAYS) != (message in OWN)


def open_child(node: Node, epoch: m.Epoch, child: int = 1, **other: Any) -> m.Open:
    plan = INTERIOR.child(child).plain()
    fields = {"place": Place(f"0-{child}", (0, 0)), "epoch": epoch, "plan": plan, **other}
    return m.Open(**fields)


@pytest.mark.parametrize(
    ("node", "opening", "opened", "offends"),
    [
        (HOLDER, open_child(HOLDER, (5, 1)), True, False),
        (HOLDER, open_child(HOLDER, (5, 2)), False, True),  # newer than it was given
        (HOLDER, open_child(HOLDER, (4, 9)), False, False),  # of before
        (HOLDER, open_child(HOLDER, (5, 1), again=True), False, True),
        (HOLDER, open_child(HOLDER, (5, 1), plan=INTERIOR.child(0).plain()), False, True),
        (HOLDER, open_child(HOLDER, (5, 1), place=Place("0-1", (0, 8))), False, True),
        (HOLDER, open_child(HOLDER, (5, 1), place=Place("0", (0,))), False, True),
        (OTHER, open_child(OTHER, (5, 1)), False, True),
        (STRANGER, open_child(STRANGER, (5, 1)), True, False),  # of the host's own process
    ],
)
def test_a_session_is_opened_by_who_holds_it(
    node: Node, opening: m.Open, opened: bool, offends: bool
) -> None:
    setup = Setup(INTERIOR)
    setup.host.receive(node, node, opening.place.session, opening)
    assert ("0-1" in setup.host.reflectors) == opened
    assert bool(setup.carrier.offences) == offends


@pytest.mark.parametrize(
    ("node", "session", "kept"),
    [(HOLDER, "0-1", True), (HOLDER, "0-1-2", True), (OTHER, "0-1", False), (HOLDER, "0-2", False)],
)
def test_facts_are_kept_for_who_holds_what_they_are_about(
    node: Node, session: str, kept: bool
) -> None:
    setup = Setup(INTERIOR)
    setup.say(node, m.Kept(session, {0: ("out", 0.1)}))
    assert (session in setup.host.backups.kept) == kept
    assert not setup.carrier.offences
    assert setup.say(node, m.Kept("7", {0: ("out", 0.1)})) == "offence"


# -- what is late, and honest --------------------------------------------------------------


def test_an_output_of_who_was_away_counts() -> None:
    setup = Setup(LEAF)
    setup.reflector.lose(HOLDER)
    setup.arrive(HOLDER, m.Past("", (), (5,), 7, seal(KEY, (5,), HOLDER)))
    assert setup.reflector.model.slots.gave(1, HOLDER)
    assert setup.say(HOLDER, finished(HOLDER, 1)) == "counts"
    assert setup.reflector.model.slots.outputs[1] == "out"


def reopened(key: bytes = KEY) -> Setup:
    """The session was opened under an older epoch elsewhere; 7 was there and had slot 1."""
    setup = Setup(LEAF, key)
    for node in (HOLDER, OTHER):
        setup.reflector.lose(node)
    return setup


def past(claims: tuple[int, ...], mark: bytes) -> m.Past:
    return m.Past("", claims, (4,), 9, mark)


def test_who_shows_the_seal_of_an_older_incarnation_is_asked_for_its_replica() -> None:
    setup = reopened()
    setup.arrive(7, past((1,), seal(KEY, (4,), 7)))
    assert setup.carrier.replies[-1] == (7, m.Bring())
    older = Session("0", (4,), Computation, LEAF.plain())
    older.apply(0.0, m.Given("all"))
    older.apply(0.0, m.Prepared(["a", "b", "c"]))
    older.apply(0.0, m.Joined(8, 8, None, (), False))  # has slot 0
    setup.say(7, m.Brought(older.snapshot()))
    assert setup.reflector.model.slots.worker[1] == 7  # it keeps what it claims
    setup.arrive(8)
    assert setup.say(8, finished(8, 0)) == "counts"  # as a replica that was brought shows


@pytest.mark.parametrize("mark", [b"", b"made up", seal(KEY, (4,), 8), seal(KEY, (3,), 7)])
def test_who_has_no_seal_is_not_believed(mark: bytes) -> None:
    setup = reopened()
    setup.arrive(7, past((1,), mark))
    assert (7, m.Bring()) not in setup.carrier.replies
    assert setup.reflector.model.slots.worker[1] != 7
    before = setup.reflector.state.snapshot()
    setup.say(7, m.Brought(before))
    assert setup.reflector.state.snapshot() == before


def test_without_a_key_whoever_comes_is_believed() -> None:
    setup = reopened(key=b"")
    setup.arrive(7, past((1,), b""))
    assert setup.carrier.replies[-1] == (7, m.Bring())


def test_the_key_of_a_child_session_goes_to_whoever_is_given_it() -> None:
    setup = Setup(INTERIOR)
    keys = [(node, reply) for node, reply in setup.carrier.replies if isinstance(reply, m.Key)]
    children = enumerate((LEADER, HOLDER, OTHER))
    assert keys == [(node, m.Key(f"0-{i}", child_key(KEY, i))) for i, node in children]
    assert len({child_key(KEY, 0), child_key(KEY, 1), KEY}) == 3
    assert child_key(b"", 0) == b""


def test_a_replica_of_other_people_is_not_gone_on_with() -> None:
    setup = Setup(LEAF)
    reflector = setup.reflector
    reflector.repair._mender = OTHER
    forged = reflector.state.copy()
    forged.people[77] = None
    setup.say(OTHER, m.Brought(forged.snapshot()))
    assert list(reflector.members) == [LEADER, HOLDER, OTHER]
