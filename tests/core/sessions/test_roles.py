"""Who may say what: each entry of the tables, on one host, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from core import Computation, Host, Session, Shape
from core import messages as m
from core.messages import Node, Place
from core.rights import SAYS as OWN
from core.sessions.roles import SAYS, child_key, seal
from tests.core.harness import ROOT_KEY, SUBMITTER, Net
from tests.core.sessions.setup import (
    DEEP,
    HOLDER,
    INTERIOR,
    KEY,
    LEADER,
    LEAF,
    OF_OTHER_PROCESS,
    OTHER,
    STRANGER,
    Carrier,
    Setup,
    open_child,
)


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
        (LEADER, m.Prepared(["a", "b", "c"]), "passed over"),  # it is prepared
        (LEADER, m.Collected("out"), "passed over"),  # nothing is done yet
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


# Whoever says it: the leader, the holder of slot 1, somebody who has slot 2, one who was away
# and has slot 3, and one who is not there. What each says is in its own name, if in any.
RETURNED = 4
SPEAKERS = (LEADER, HOLDER, OTHER, RETURNED, STRANGER)
COUNTS, LATE, OFFENDS = "counts", "passed over", "offence"
TABLE: dict[type, tuple[Any, tuple[str, ...]]] = {
    m.Finished: (lambda node: finished(node, 1), (OFFENDS, COUNTS, OFFENDS, LATE, LATE)),
    m.Failed: (lambda node: child_failed(node, 1), (OFFENDS, COUNTS, OFFENDS, LATE, LATE)),
    m.Given: (lambda node: m.Given("other"), (COUNTS, LATE, LATE, LATE, LATE)),
    m.Prepared: (lambda node: m.Prepared(["in"] * 5), (LATE,) * 5),  # it is prepared
    m.Collected: (lambda node: m.Collected("out"), (LATE,) * 5),  # nothing is done yet
    m.Moved: (lambda node: m.Moved(node, ELSEWHERE), (COUNTS, LATE, LATE, LATE, LATE)),
    m.Ended: (
        lambda node: m.Ended("out", None, b"the end"),
        (COUNTS, COUNTS, COUNTS, COUNTS, LATE),
    ),
    m.Joined: (lambda node: m.Joined(node, 5, None, (), False), (*[OFFENDS] * 4, LATE)),
    m.Left: (m.Left, (*[OFFENDS] * 4, LATE)),
    m.Restored: (lambda node: m.Restored({0: ("out", 0.1)}, None), (*[OFFENDS] * 4, LATE)),
    m.Late: (lambda node: m.Late(), (*[OFFENDS] * 4, LATE)),
}
ELSEWHERE = Place("0-1", (0, 7))
WIDE = Shape.root(25, 5)


def child_failed(node: Node, slot: int) -> m.Failed:
    return m.Failed(node, slot, m.Failure(f"0-{slot}", None, "error"), final=True)


def with_one_who_was_away() -> Setup:
    setup = Setup(WIDE)
    setup.arrive(RETURNED, m.Past("", (), (4,), 1, seal(KEY, (4,), RETURNED)))
    setup.say(RETURNED, m.Brought(Session("0", (4,), Computation, WIDE.plain()).snapshot()))
    assert setup.reflector.model.slots.worker == [LEADER, HOLDER, OTHER, RETURNED, None]
    return setup


@pytest.mark.parametrize(
    ("node", "message", "verdict"),
    [
        pytest.param(node, made(node), verdict, id=f"{kind.__name__}-{node}")
        for kind, (made, verdicts) in TABLE.items()
        for node, verdict in zip(SPEAKERS, verdicts, strict=True)
    ],
)
def test_the_same_message_counts_of_some_and_not_of_others(
    node: Node, message: Any, verdict: str
) -> None:
    setup = with_one_who_was_away()
    before = setup.reflector.state.snapshot()
    assert setup.say(node, message) == verdict
    assert (setup.reflector.state.snapshot() == before) == (verdict != COUNTS)
    assert setup.reflector.live == (not isinstance(message, m.Ended | m.Moved) or verdict != COUNTS)


def test_the_table_is_whole() -> None:
    assert TABLE.keys() == {*SAYS, *OWN}


def test_before_anybody_has_joined_nothing_counts() -> None:
    carrier = Carrier()
    host = Host(0, carrier, Computation, None, KEY)
    host.open(LEADER, m.Open(Place("0", (0,)), (5,), LEAF.plain()))
    for node in (LEADER, OTHER):
        host.receive(node, node, "0", m.Given("all"))
    assert host.reflectors["0"].state.seq == 0
    assert not carrier.offences


@pytest.mark.parametrize("session", ["0", "0-1"])
def test_what_is_said_of_a_session_that_is_not_here_is_passed_over(session: str) -> None:
    carrier = Carrier()
    host = Host(0, carrier, Computation)
    for message in (finished(HOLDER, 1), m.Ended("out"), m.Late(), m.Leave(), m.Brought({})):
        host.receive(HOLDER, HOLDER, session, message)
    host.receive(HOLDER, HOLDER, session, m.Kept(f"{session}-1", {0: ("out", 0.1)}))
    child = Place(f"{session}-1", (0, 0, 0)[: session.count("-") + 2])
    host.receive(HOLDER, HOLDER, child.session, m.Open(child, (5, 1), LEAF.plain()))
    assert not carrier.offences
    assert not host.reflectors
    assert not host.backups.kept


# -- arrivals and keys ---------------------------------------------------------------------

MINE = OF_OTHER_PROCESS  # a node of the host's own process


@pytest.mark.parametrize("session", ["0", "0-7"])  # that is open here, and that is not
@pytest.mark.parametrize(
    ("node", "arriving", "observes", "offends"),
    [
        (7, 7, False, False),
        (7, 8, False, True),
        (7, 7, True, True),
        (MINE, MINE, True, False),
        (MINE, MINE + 1, False, True),
    ],
)
def test_who_arrives_does_so_for_itself_and_observes_on_its_own_host_only(
    session: str, node: Node, arriving: Node, observes: bool, offends: bool
) -> None:
    setup = Setup(WIDE)
    arrival = m.Arrive(arriving, arriving, None, None, observes)
    setup.host.receive(node, node, session, arrival)
    assert setup.carrier.offences == ([(node, arrival)] if offends else [])
    waiting = [one.node for _, one in setup.host.waiting.get(session, {}).values()]
    assert (arriving in setup.reflector.members or arriving in waiting) == (not offends)


def test_a_key_is_taken_from_nodes_of_the_hosts_own_process() -> None:
    setup = Setup(INTERIOR)
    before = dict(setup.host.keys)
    for node in (LEADER, HOLDER, STRANGER - 60):
        setup.give_key(node, b"another")
    assert setup.host.keys == before
    assert len(setup.carrier.offences) == 3
    setup.give_key(MINE, b"another")
    assert setup.host.key(MINE, Place("0-1", (0, 0))) == b"another"
    assert setup.host.key(MINE, Place("0-1-2", (0, 0, 0))) == child_key(b"another", 2)
    assert setup.host.key(STRANGER, Place("0-1", (0, 0))) == b""  # another was given it
    setup.host.receive(MINE, MINE, "0", m.Key("0", b"another"))
    assert setup.host.key(MINE, Place("0", (0,))) == KEY  # the root's is its own


def test_a_session_with_a_key_is_opened_anew_by_who_has_it() -> None:
    setup = Setup(INTERIOR)
    other = MINE + 1
    setup.give_key(other, child_key(KEY, 1))
    here = setup.open_child(other, (5, 1))
    assert here.key == child_key(KEY, 1)
    for key in (None, b"", b"another"):
        if key is not None:
            setup.give_key(MINE, key)
        assert setup.open_child(MINE, (1000, 2**40)) is here
        assert not here.closed
    setup.give_key(MINE, here.key)
    assert setup.open_child(MINE, (1000, 2**40)).state.epoch == (1000, 2**40)
    assert here.closed
    assert not setup.carrier.offences


def test_whoever_has_a_key_of_a_root_that_was_opened_anew_opens_what_is_open_since_before() -> None:
    setup = Setup(INTERIOR)
    other = MINE + 1
    setup.give_key(other, child_key(KEY, 1))
    here = setup.open_child(other, (5, 1))
    setup.host.unlock()
    new = child_key(b"of another root", 1)
    setup.give_key(MINE, new)
    assert setup.open_child(MINE, (1000, 1)).key == new
    assert here.closed
    reopened = setup.open_child(other, (2000, 1))  # it has the key before
    assert reopened.state.epoch == (1000, 1)


@pytest.mark.parametrize("told", ["0-1", "0-1-2"])
@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("right", [False, True])
def test_what_a_node_here_is_told_of_a_session_counts_by_its_key(
    told: str, opened: bool, right: bool
) -> None:
    setup, other, plan = Setup(INTERIOR), MINE + 1, DEEP.child(1).plain()
    opening, facts = open_child(other, (5, 1), plan=plan), {0: ("out", 0.1)}
    key = child_key(KEY, 1)
    setup.give_key(other, key)
    if opened:
        setup.host.open(other, opening)
    setup.give_key(MINE, key if right else b"another")
    del setup.host.reflectors["0"]  # it is elsewhere
    setup.host.receive(MINE, MINE, told, m.Kept(told, facts))
    if not opened:
        assert not setup.host.backups.kept
        setup.host.open(other, opening)
    known = {s: r.model.facts() for s, r in setup.host.reflectors.items() if r.model.facts()}
    known |= setup.host.backups.kept
    assert known == ({told: facts} if right else {})
    assert not setup.host.backups.claimed


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


# -- what is late, and honest, in a session that was opened anew ---------------------------


def test_who_never_was_away_offends_where_one_who_was_is_late() -> None:
    setup = with_one_who_was_away()
    assert setup.say(RETURNED, finished(RETURNED, 1)) == LATE
    setup.reflector.lose(RETURNED)
    setup.arrive(RETURNED)  # and does not say that it was here
    assert setup.say(RETURNED, finished(RETURNED, 3)) == COUNTS  # its own, from before or now
    assert setup.say(RETURNED, finished(RETURNED, 1)) == OFFENDS


def test_what_comes_twice_counts_and_changes_nothing() -> None:
    setup = Setup(LEAF)
    assert setup.say(HOLDER, finished(HOLDER, 1)) == COUNTS
    assert setup.say(HOLDER, m.Finished(HOLDER, (1,), ["another"], 0.1)) == COUNTS
    assert setup.say(OTHER, m.Finished(OTHER, (1,), ["another"], 0.1)) == COUNTS  # it is done
    assert setup.reflector.model.slots.outputs[1] == "out"


def test_an_output_counts_when_a_replica_that_is_brought_shows_the_assignment() -> None:
    setup = Setup(Shape.root(5, 5))
    older = Session("0", (4,), Computation, Shape.root(5, 5).plain())
    for message in (m.Given("all"), m.Prepared(["in"] * 5)):
        older.apply(0.0, message)
    for node in (RETURNED, 7, 8):  # they have slots 0, 1 and 2
        older.apply(0.0, m.Joined(node, node, None, (), False))
    for node in (7, RETURNED):
        setup.arrive(node, m.Past("", (), (4,), 2, seal(KEY, (4,), node)))
        setup.say(node, m.Brought(Session("0", (4,), Computation, older.model.plan).snapshot()))
    assert setup.say(7, finished(7, 1)) == LATE  # nobody here has heard of it
    setup.arrive(8, past((), seal(KEY, (4,), 8)))  # its replica came further
    setup.say(8, m.Brought(older.snapshot()))
    assert setup.say(7, finished(7, 2)) == LATE
    assert setup.say(7, finished(7, 1)) == COUNTS
    assert setup.say(RETURNED, finished(RETURNED, 0)) == COUNTS


def test_a_claim_of_the_same_incarnation_is_believed_if_it_was_given_here() -> None:
    setup = Setup(Shape.root(5, 5))
    setup.reflector.lose(HOLDER)
    mark = setup.reflector.seal_of(HOLDER)
    setup.arrive(HOLDER, m.Past("", (1, 3), (5,), 9, mark))
    assert setup.reflector.model.slots.worker == [LEADER, HOLDER, OTHER, None, None]
    setup.reflector.lose(OTHER)
    setup.arrive(OTHER, m.Past("", (3, 4), (5,), 9, b""))  # what it never had
    assert setup.reflector.model.slots.worker == [LEADER, HOLDER, OTHER, None, None]


def test_a_claim_counts_with_a_seal_only() -> None:
    for mark, worker in ((seal(KEY, (4,), 7), 7), (seal(KEY, (4,), 8), None), (b"", None)):
        setup = Setup(Shape.root(5, 5))
        setup.reflector.recovery.known[4,] = 9  # somebody has brought that replica by now
        setup.arrive(7, past((4,), mark))
        assert setup.reflector.model.slots.worker[4] == worker


def test_a_replica_that_is_not_newer_is_not_asked_for() -> None:
    setup = Setup(Shape.root(5, 5))
    for node, seq, asked in ((6, 9, True), (7, 9, False), (8, 10, True)):
        setup.arrive(node, m.Past("", (), (4,), seq, seal(KEY, (4,), node)))
        assert ((node, m.Bring()) in setup.carrier.replies) == asked


# -- keys go down the tree -----------------------------------------------------------------


def key_of(session: str, key: bytes) -> bytes:
    for child in session.split("-")[1:]:
        key = child_key(key, int(child))
    return key


@pytest.mark.parametrize("listening", [True, False])
def test_every_host_has_the_keys_of_the_sessions_that_it_opens(listening: bool) -> None:
    net = Net(Shape.root(8, 2))
    net.submit()
    for node in range(1, 9):
        net.arrive(node, listens=listening or node % 2 == 0)
        net.settle({"compute", "prepare", "collect"})
    found = {reflector.session: reflector for reflector in net.open_reflectors()}
    assert len(found) == 7
    for session, reflector in found.items():
        assert reflector.key == key_of(session, ROOT_KEY) != b""
        for node in reflector.members:
            replica = net.processes[node].replicas[reflector]
            assert replica.seal == seal(reflector.key, reflector.state.epoch, node)
    assert net.processes[SUBMITTER].host is not None
    assert not net.offences


def test_who_opens_a_session_leads_it_even_if_it_had_arrived_before() -> None:
    setup = Setup(INTERIOR)
    setup.reflector.lose(HOLDER)
    setup.arrive(HOLDER)  # is given slot 1 a second time: (5, 2)
    host, arrival = setup.host, m.Arrive(HOLDER, None, None)
    host.receive(HOLDER, HOLDER, "0-1", open_child(HOLDER, (5, 1)))  # late: passed over
    host.receive(HOLDER, HOLDER, "0-1", arrival)
    host.receive(8, 8, "0-1", m.Arrive(8, 8, None))  # a team that helps
    host.receive(HOLDER, HOLDER, "0-1", open_child(HOLDER, (5, 2)))
    host.receive(HOLDER, HOLDER, "0-1", arrival)
    assert host.reflectors["0-1"].state.leader == HOLDER
