"""Who may say what in a computation: what each message may name, as its model knows it."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from core import Session, Shape
from core import messages as m
from core.losses import PIECE_ERROR_MAX, PIECES_MAX
from core.messages import Message, Node
from core.rights import RIGHTS, SAYS
from core.sessions.roles import COUNTS, HOLDER, LEADER, MEMBER, OFFENCE, PASSED_OVER, Verdict
from tests.core.story import session

LEAF = Shape.root(16, 4).child(1)  # 0-1, whose slots are the partitions 4 to 7
INTERIOR = Shape.root(27, 3).child(1)  # 0-1, with children 0-1-0 to 0-1-2
FIRST, SECOND, THIRD, AWAY = 1, 2, 3, 9


def at_work(shape: Shape) -> Session:
    """Slot 0 is done by FIRST, who has slot 3 by now; 1 is that of SECOND, and 2 of THIRD."""
    state = session(shape)
    for node in (FIRST, SECOND, THIRD):
        state.apply(0.0, m.Joined(node, node, None, (), False))
    state.apply(0.0, m.Given("all"))
    state.apply(0.0, m.Prepared([f"in {i}" for i in range(shape.slots)]))
    assert state.model.slots.worker[:3] == [FIRST, SECOND, THIRD]
    state.apply(1.0, finished(FIRST, 0))
    return state


def finished(node: Node, *slots: int, seconds: float = 0.1) -> m.Finished:
    return m.Finished(node, slots, [f"out {i}" for i in slots], seconds)


def failed(
    node: Node, slot: int | None, session: str, partition: int | None, final: bool = False
) -> m.Failed:
    return m.Failed(node, slot, m.Failure(session, partition, "error"), final)


def verdict(state: Session, node: Node, message: Message) -> Verdict:
    """Of that message; what is asked of the model changes nothing."""
    before = state.snapshot()
    right = RIGHTS.get(type(message))
    found = right(state.model, node, message) if right else COUNTS
    assert state.snapshot() == before
    return found


def test_the_leader_says_what_is_to_be_done_and_who_has_it_what_came_of_it() -> None:
    assert {
        m.Given: LEADER,
        m.Prepared: MEMBER,
        m.Collected: MEMBER,
        m.Finished: HOLDER,
        m.Failed: HOLDER,
    } == SAYS
    assert RIGHTS.keys() == SAYS.keys() - {m.Given}  # which names nothing


@pytest.mark.parametrize("shape", [LEAF, INTERIOR], ids=["leaf", "interior"])
@pytest.mark.parametrize(
    ("node", "slots", "right"),
    [
        (SECOND, (1,), COUNTS),
        (THIRD, (1,), PASSED_OVER),
        (AWAY, (1,), PASSED_OVER),
        (FIRST, (0,), COUNTS),  # it comes twice
        (SECOND, (0,), COUNTS),  # done, so that it changes nothing
        (SECOND, (0, 1), COUNTS),
        (SECOND, (1, 2), PASSED_OVER),  # one of these is not its own
        (SECOND, (1, -1), OFFENCE),
        (SECOND, (1, 4), OFFENCE),
        (SECOND, (2**70,), OFFENCE),
        (SECOND, (), OFFENCE),
    ],
)
def test_the_outputs_of_its_own_slots_count(
    shape: Shape, node: Node, slots: tuple[int, ...], right: Verdict
) -> None:
    assert verdict(at_work(shape), node, finished(node, *slots)) is right


@pytest.mark.parametrize("outputs", [[], ["a", "b"]])
def test_there_is_one_output_a_slot(outputs: list[Any]) -> None:
    message = m.Finished(SECOND, (1,), outputs, 0.1)
    assert verdict(at_work(LEAF), SECOND, message) is OFFENCE


PIECE = ("0-1-1", None, "error")  # of the child session 1 of INTERIOR, with partitions 12 to 14
KEEPING = attrs.evolve(INTERIOR, keep_going=True)


@pytest.mark.parametrize(
    ("lost", "right"),
    [
        (None, COUNTS),
        ((3, (PIECE,)), COUNTS),
        ((1, (("0-1-1", 12, "x" * PIECE_ERROR_MAX),)), COUNTS),
        ((2, ()), COUNTS),
        ((0, (PIECE,)), OFFENCE),
        ((4, (PIECE,)), OFFENCE),
        ((-1, ()), OFFENCE),
        ((3, (PIECE,) * (PIECES_MAX + 1)), OFFENCE),
        ((1, (("0-1-0", None, ""),)), OFFENCE),
        ((1, (("0-1", None, ""),)), OFFENCE),
        ((1, (("0-1-1", 11, ""),)), OFFENCE),
        ((1, (("0-1-1", 15, ""),)), OFFENCE),
        ((1, (("0-1-1", 12, "x" * (PIECE_ERROR_MAX + 1)),)), OFFENCE),
    ],
)
def test_what_was_lost_lies_below_the_slot(lost: m.Loss | None, right: Verdict) -> None:
    state, message = at_work(KEEPING), replace(finished(SECOND, 1), lost=lost)
    assert verdict(state, SECOND, message) is right


@pytest.mark.parametrize(
    ("shape", "slots"),
    [
        (INTERIOR, (1,)),  # where the job fails as a whole nothing is lost
        (KEEPING, (0, 1)),  # of which of them
        (KEEPING, (3,)),
        (attrs.evolve(LEAF, keep_going=True), (1,)),  # a piece that failed is told of as that
    ],
)
def test_nobody_else_says_that_something_was_lost(shape: Shape, slots: tuple[int, ...]) -> None:
    message = replace(finished(SECOND, *slots), lost=(1, ()))
    assert verdict(at_work(shape), SECOND, message) is OFFENCE


@pytest.mark.parametrize("seconds", [-0.1, nan, inf, -inf, 1e300])
def test_work_takes_a_time_that_can_be_measured(seconds: float) -> None:
    assert verdict(at_work(LEAF), SECOND, finished(SECOND, 1, seconds=seconds)) is OFFENCE
    assert verdict(at_work(LEAF), SECOND, finished(SECOND, 1, seconds=0.0)) is COUNTS


def test_who_helps_has_the_slot_too() -> None:
    state = at_work(LEAF)
    state.apply(1.0, finished(FIRST, 3))
    assert verdict(state, FIRST, finished(FIRST, 1)) is PASSED_OVER
    state.apply(9.0, m.Alarm())  # FIRST, who is idle, helps
    assert state.model.slots.holders(1) == (SECOND, FIRST)
    assert verdict(state, FIRST, finished(FIRST, 1)) is COUNTS
    assert verdict(state, SECOND, finished(SECOND, 1)) is COUNTS


@pytest.mark.parametrize("shape", [LEAF, INTERIOR], ids=["leaf", "interior"])
def test_who_had_a_slot_may_still_say_what_came_of_it(shape: Shape) -> None:
    state = at_work(shape)
    state.apply(1.0, m.Left(SECOND))
    assert verdict(state, SECOND, finished(SECOND, 1)) is COUNTS
    state.apply(1.0, m.Joined(AWAY, AWAY, None, (), False))  # has it now
    assert state.model.slots.worker[1] not in (None, SECOND)
    assert verdict(state, SECOND, finished(SECOND, 1)) is COUNTS


def test_who_failed_at_a_slot_may_yet_bring_it() -> None:
    state = at_work(LEAF)
    state.apply(1.0, failed(SECOND, 1, LEAF.session, LEAF.first + 1))
    assert SECOND not in state.model.slots.holders(1)
    assert verdict(state, SECOND, finished(SECOND, 1)) is COUNTS


def test_to_whom_slots_were_given_elsewhere_is_heard_with_a_replica() -> None:
    state, other = session(LEAF, (1, 2)), at_work(LEAF)
    assert verdict(state, SECOND, finished(SECOND, 1)) is PASSED_OVER
    state.apply(0.0, m.Restored(other.model.facts(), None))
    assert verdict(state, SECOND, finished(SECOND, 1)) is PASSED_OVER
    state.apply(0.0, m.Restored({}, other.model.context()))
    assert verdict(state, SECOND, finished(SECOND, 1)) is COUNTS
    assert verdict(state, THIRD, finished(THIRD, 1)) is PASSED_OVER
    assert verdict(session_of(state), SECOND, finished(SECOND, 1)) is COUNTS


def session_of(state: Session) -> Session:
    """One that hears it at second hand."""
    found = session(LEAF, (1, 3))
    found.apply(0.0, m.Restored(state.model.facts(), state.model.context()))
    return found


def test_a_claim_that_somebody_else_has_by_now_is_remembered() -> None:
    state = at_work(LEAF)
    state.apply(2.0, m.Joined(AWAY, None, None, (1,), False))  # of an earlier incarnation
    assert state.model.slots.worker[1] == SECOND
    assert verdict(state, AWAY, finished(AWAY, 1)) is COUNTS
    assert verdict(state, AWAY, finished(AWAY, 2)) is PASSED_OVER


@pytest.mark.parametrize(
    ("node", "message", "right"),
    [
        (SECOND, failed(SECOND, 1, "0-1", LEAF.first + 1), COUNTS),
        (THIRD, failed(THIRD, 1, "0-1", LEAF.first + 1), PASSED_OVER),
        (SECOND, failed(SECOND, 1, "0-1", LEAF.first + 2), OFFENCE),
        (SECOND, failed(SECOND, 1, "0-1", None), OFFENCE),
        (SECOND, failed(SECOND, 1, "0-2", LEAF.first + 1), OFFENCE),
        (SECOND, failed(SECOND, 1, "0-1", LEAF.first + 1, final=True), OFFENCE),
        (SECOND, failed(SECOND, 4, "0-1", LEAF.first + 4), OFFENCE),
        (SECOND, failed(SECOND, -1, "0-1", LEAF.first - 1), OFFENCE),
        (FIRST, failed(FIRST, None, "0-1", None), COUNTS),  # whether it leads, the model asks
        (FIRST, failed(FIRST, None, "0-1", LEAF.first), OFFENCE),
        (FIRST, failed(FIRST, None, "0", None), OFFENCE),
        (FIRST, failed(FIRST, None, "0-1", None, final=True), OFFENCE),
    ],
)
def test_a_failure_in_a_leaf_is_that_of_a_partition_or_of_the_session(
    node: Node, message: m.Failed, right: Verdict
) -> None:
    assert verdict(at_work(LEAF), node, message) is right


@pytest.mark.parametrize(
    ("node", "message", "right"),
    [
        (SECOND, failed(SECOND, 1, "0-1-1", 12, final=True), COUNTS),
        (SECOND, failed(SECOND, 1, "0-1-1", None, final=True), COUNTS),
        (SECOND, failed(SECOND, 1, "0-1-1-2", 14, final=True), COUNTS),  # further down
        (THIRD, failed(THIRD, 1, "0-1-1", 12, final=True), PASSED_OVER),
        (SECOND, failed(SECOND, 1, "0-1-1", 12), COUNTS),  # others may lead it
        (SECOND, failed(SECOND, 1, "0-1-2", 15, final=True), OFFENCE),
        (SECOND, failed(SECOND, 1, "0-1-11", 12, final=True), OFFENCE),
        (SECOND, failed(SECOND, 1, "0-1", None, final=True), OFFENCE),
        (SECOND, failed(SECOND, 3, "0-1-3", 12, final=True), OFFENCE),
        (FIRST, failed(FIRST, None, "0-1", None), COUNTS),
        (FIRST, failed(FIRST, None, "0-1-1", None), OFFENCE),
    ],
)
def test_a_failure_that_is_carried_up_is_from_below(
    node: Node, message: m.Failed, right: Verdict
) -> None:
    assert verdict(at_work(INTERIOR), node, message) is right


def test_a_failure_of_the_session_that_does_not_come_from_its_leader_changes_nothing() -> None:
    state = at_work(LEAF)
    before = {**state.snapshot(), "seq": None}
    message = failed(SECOND, None, "0-1", None)
    assert verdict(state, SECOND, message) is COUNTS
    state.apply(1.0, message)
    assert {**state.snapshot(), "seq": None} == before


@pytest.mark.parametrize(
    ("count", "right"), [(0, OFFENCE), (3, OFFENCE), (4, COUNTS), (5, OFFENCE)]
)
def test_there_is_one_input_a_slot(count: int, right: Verdict) -> None:
    state = session(LEAF)
    state.apply(0.0, m.Joined(FIRST, FIRST, None, (), False))
    state.apply(0.0, m.Given("all"))
    assert verdict(state, FIRST, m.Prepared(["in"] * count)) is right


def test_a_step_is_taken_by_who_was_asked_until_there_is_an_outcome() -> None:
    state, prepared = session(LEAF), m.Prepared(["in"] * LEAF.slots)
    for node in (FIRST, SECOND):
        state.apply(0.0, m.Joined(node, node, None, (), False))
    assert verdict(state, FIRST, prepared) is PASSED_OVER  # nothing was given yet
    state.apply(0.0, m.Given("all"))
    assert verdict(state, SECOND, prepared) is PASSED_OVER
    state.apply(5.0, m.Alarm())
    assert verdict(state, SECOND, prepared) is verdict(state, FIRST, prepared) is COUNTS
    state.apply(5.0, prepared)
    assert verdict(state, FIRST, prepared) is PASSED_OVER
    assert verdict(state, FIRST, m.Collected("out")) is PASSED_OVER
    for slot, node in enumerate([FIRST, SECOND, FIRST, SECOND][: LEAF.slots]):
        state.apply(6.0, finished(node, slot))
    assert verdict(state, SECOND, m.Collected("out")) is PASSED_OVER
    assert verdict(state, FIRST, m.Collected("out")) is COUNTS
    state.apply(6.0, m.Collected("out"))
    assert verdict(state, FIRST, m.Collected("out")) is PASSED_OVER


def test_any_input_may_be_given_and_what_is_said_in_any_session_names_nothing() -> None:
    state = at_work(LEAF)
    for message in (m.Given(None), m.Given(["any"]), m.Ended("result"), m.Left(SECOND)):
        assert verdict(state, FIRST, message) is COUNTS
