"""What somebody honest may say too late is passed over."""

from __future__ import annotations

import pytest

from core import Computation, Session, Shape
from core import messages as m
from core.sessions.roles import child_key, seal
from tests.core.sessions.setup import (
    COUNTS,
    HOLDER,
    INTERIOR,
    KEY,
    LATE,
    LEADER,
    LEAF,
    OFFENDS,
    OTHER,
    RETURNED,
    Setup,
    finished,
    reopened,
    with_one_who_was_away,
)

# -- what is late, and honest --------------------------------------------------------------


def test_an_output_of_who_was_away_counts() -> None:
    setup = Setup(LEAF)
    setup.reflector.lose(HOLDER)
    setup.arrive(HOLDER, m.Past("", (), (5,), 7, seal(KEY, (5,), HOLDER)))
    assert setup.reflector.model.slots.gave(1, HOLDER)
    assert setup.say(HOLDER, finished(HOLDER, 1)) == "counts"
    assert setup.reflector.model.slots.outputs[1] == "out"


def past(claims: tuple[int, ...], mark: bytes) -> m.Past:
    return m.Past("", claims, (4,), 9, mark)


def test_who_shows_the_seal_of_an_older_incarnation_is_asked_for_its_replica() -> None:
    setup = reopened()
    setup.arrive(7, past((1,), seal(KEY, (4,), 7)))
    assert setup.carrier.replies[-1] == (7, m.SendState())
    older = Session("0", (4,), Computation, LEAF.plain())
    older.apply(0.0, m.Given("all"))
    older.apply(0.0, m.Prepared(["a", "b", "c"]))
    older.apply(0.0, m.Joined(8, 8, None, (), False))  # has slot 0
    setup.say(7, m.StateTransfer(older.snapshot()))
    assert setup.reflector.model.slots.worker[1] == 7  # it keeps what it claims
    setup.arrive(8)
    assert setup.say(8, finished(8, 0)) == "counts"  # as a replica that was brought shows


@pytest.mark.parametrize("mark", [b"", b"made up", seal(KEY, (4,), 8), seal(KEY, (3,), 7)])
def test_who_has_no_seal_is_not_believed(mark: bytes) -> None:
    setup = reopened()
    setup.arrive(7, past((1,), mark))
    assert (7, m.SendState()) not in setup.carrier.replies
    assert setup.reflector.model.slots.worker[1] != 7
    before = setup.reflector.state.snapshot()
    setup.say(7, m.StateTransfer(before))
    assert setup.reflector.state.snapshot() == before


def test_without_a_key_whoever_comes_is_believed() -> None:
    setup = reopened(key=b"")
    setup.arrive(7, past((1,), b""))
    assert setup.carrier.replies[-1] == (7, m.SendState())


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
    setup.say(OTHER, m.StateTransfer(forged.snapshot()))
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
        empty = Session("0", (4,), Computation, older.model.plan)
        setup.say(node, m.StateTransfer(empty.snapshot()))
    assert setup.say(7, finished(7, 1)) == LATE  # nobody here has heard of it
    setup.arrive(8, past((), seal(KEY, (4,), 8)))  # its replica came further
    setup.say(8, m.StateTransfer(older.snapshot()))
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
        assert ((node, m.SendState()) in setup.carrier.replies) == asked
