"""Snapshots, late joiners and digests: all replicas of a session are the same."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Computation, Session, Shape
from core import messages as m
from core.sessions.digest import differing, digest
from core.slots import Slots
from core.steps import Steps
from tests.core.events import Event
from tests.core.story import Story, digests, drawn, events, session, shapes
from tests.processes import printed
from tests.wired import wired


def told(story: Story) -> Story:
    """One story ends well, another with a failure, and everyone is told."""
    failure = story.model.steps.failure
    story.order(m.Ended(None, failure.plain()) if failure else m.Ended(["result"]))
    return story


@settings(max_examples=60)
@given(shape=shapes, observed=st.booleans(), events=events)
def test_whoever_joins_late_is_like_those_who_came_early(
    shape: Shape, observed: bool, events: list[Event]
) -> None:
    story = Story(shape, observed)
    story.play(events)
    whole = digests(told(story))
    state = session(shape)
    for seq, (now, message) in enumerate(story.log):
        late = Session.restore(Computation, wired(state.snapshot()))
        assert digest(late.snapshot()) == digest(state.snapshot())
        commands = []
        for later_now, later in story.log[seq:]:
            commands = list(late.apply(later_now, later))
            assert digest(late.snapshot()) == whole[late.seq - 1], late.seq
        assert commands == story.told
        state.apply(now, message)


@settings(max_examples=100)
@given(shapes, events)
def test_a_copy_of_a_copy_is_the_same(shape: Shape, events: list[Event]) -> None:
    story = Story(shape)
    story.play(events)
    snapshot = story.state.snapshot()
    copy = Session.restore(Computation, wired(snapshot))
    assert wired(copy.snapshot()) == wired(snapshot)
    assert differing(copy.snapshot(), snapshot) == []


@settings(max_examples=100)
@given(shapes, events, events)
def test_a_snapshot_does_not_change_with_its_model(
    shape: Shape, events: list[Event], later: list[Event]
) -> None:
    story = Story(shape)
    story.play(events)
    snapshot = story.state.snapshot()
    before = digest(snapshot)
    story.play(later)
    assert digest(snapshot) == before
    copy = Session.restore(Computation, snapshot)
    copy.apply(story.now, m.Joined(1000, None, None, (), False))
    assert digest(snapshot) == before
    other = copy.copy()
    assert digest(other.snapshot()) == digest(copy.snapshot()) != before
    other.apply(story.now, m.Left(1000))
    assert digest(snapshot) == before
    assert copy.seq == snapshot["seq"] + 1
    assert 1000 in copy.people


def test_a_session_that_moved_or_failed_travels_too() -> None:
    state = session(Shape.root(4, 2))
    state.apply(0.0, m.Joined(1, ("host", 5), 0.5, (), False))
    state.apply(0.0, m.Failed(1, 0, m.Failure("0-0", None, "error"), True))
    ended = m.Ended(None, state.model.steps.failure.plain(), b"key")
    over = state.copy()
    over.apply(1.0, ended)
    assert Session.restore(Computation, wired(over.snapshot())).ended == ended
    state.apply(0.0, m.Moved(1, m.Place("0-1", ("host", "other"))))
    copy = Session.restore(Computation, wired(state.snapshot()))
    assert copy.model.steps.failure == m.Failure("0-0", None, "error")
    assert copy.moved == m.Place("0-1", ("host", "other"))
    assert digest(copy.snapshot()) == digest(state.snapshot())


# Whatever a session could differ in is in the digest.


def content(kind: type, *derived: str) -> list[str]:
    """The fields of a class that are content."""
    return sorted({n for k in kind.__mro__ for n in getattr(k, "__slots__", ())} - {*derived})


CONTENT: dict[type, list[str]] = {  # of each part of a session
    Session: content(Session, "_handles", "_interior", "model", "noted", "told"),
    Computation: content(
        Computation, "bound", "children", "leaf", "people", "room", "shape", "slots", "steps"
    ),
    Slots: content(Slots, "shape"),
}
OF_STEPS = content(Steps, "model")  # these are one field of the session's


@pytest.fixture
def busy() -> Session:
    state = session(Shape.root(9, 3))
    for node in (1, 2):
        state.apply(0.0, m.Joined(node, node, 0.5, (), False))
    state.apply(0.0, m.Given("all"))
    state.apply(0.0, m.Prepared(["a", "b", "c"]))
    state.apply(2.0, m.Finished(1, (0,), ["out"], 2.0))
    return state


def part(state: Session, kind: type) -> Any:
    return {Session: state, Slots: state.model.slots}.get(kind, state.model)


def test_every_field_is_in_the_digest_under_its_name(busy: Session) -> None:
    before = busy.snapshot()
    fields = [name for names in CONTENT.values() for name in names]
    fields = ["session" if name == "name" else name for name in fields]
    assert sorted([*fields, "steps"]) == sorted(before)
    for name in before:
        assert differing(before, {**before, name: "something else"}) == [name]


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in CONTENT.items() for name in names]
)
def test_every_field_is_read_from_where_it_is(busy: Session, kind: type, name: str) -> None:
    other: dict[str, Any] = {
        "name": "0-1",
        "people": {1: None, 3: None},
        "addresses": {1: 1, 2: 3},
        "moved": m.Place("0-1", (0, 5)),
        "ended": m.Ended("result"),
        "given": False,
        "assigned": array("I", [1, 2, 3]),
        "started": array("d", [1, 2, 3]),
        "seconds": array("d", [1, 2, 3]),
        "helpers": {1: 5},
        "failed": {1: (5,)},
        "former": {1: (5,)},
        "paces": {1: 0.01},
        "aside": {1: 2.5},
    }
    before = busy.snapshot()
    setattr(part(busy, kind), name, other.get(name, [1, 2, 3]))
    assert differing(before, busy.snapshot()) == ["session" if name == "name" else name]


@pytest.mark.parametrize("name", OF_STEPS)
def test_every_field_of_the_steps_is_read_and_taken_on(busy: Session, name: str) -> None:
    abort = m.Abort(m.Failure("0", 1, "error"), True, (1, 2, 3))
    other = {"abort": abort, "due": 7.5, "wait": 20.0}.get(name, [1, 2])
    before = busy.snapshot()
    setattr(busy.model.steps, name, other)
    assert differing(before, busy.snapshot()) == ["steps"]
    copy = Session.restore(Computation, wired(busy.snapshot()))
    assert getattr(copy.model.steps, name) == other


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("inputs", "other"),
        ("outputs", "other"),
        ("done", 1),
        ("worker", 7),
        ("assigned", 7),
        ("started", 7.0),
        ("seconds", 7.0),
        ("helpers", 7),
        ("failed", (7,)),
        ("failed", (7, 7)),
    ],
)
def test_everything_about_a_slot_is_in_the_digest(busy: Session, name: str, value: Any) -> None:
    before = busy.snapshot()
    column = getattr(busy.model.slots, name)
    if name == "inputs":
        busy.model.slots.inputs = [column[0], value, column[2]]
    else:
        column[1] = value
    assert differing(before, busy.snapshot()) == [name]


@pytest.mark.parametrize("observes", [True, False])
@pytest.mark.parametrize(("address", "pace"), [(4, None), (5, None), (4, 0.01)])
def test_everything_about_a_participant_is_in_the_digest(
    observes: bool, address: int, pace: float | None
) -> None:
    def joined(about: m.Joined, fanout: int) -> dict[str, Any]:
        state = session(Shape.root(4, fanout))
        state.apply(0.0, about)
        return state.snapshot()

    usual = m.Joined(1, 4, None, (), False)
    interior = differing(joined(usual, 2), joined(m.Joined(1, address, pace, (), observes), 2))
    leaf = differing(joined(usual, 4), joined(m.Joined(1, address, pace, (), observes), 4))
    assert ("observers" in interior, "observers" in leaf) == (observes, observes)
    assert ("addresses" in interior, "addresses" in leaf) == (address != 4, False)
    assert ("paces" in interior, "paces" in leaf) == (False, pace is not None and not observes)


def test_join_order_is_content(busy: Session) -> None:
    before = busy.snapshot()
    busy.people = dict(reversed(busy.people.items()))
    assert differing(before, busy.snapshot()) == ["people"]


def test_who_has_been_idle_for_longer_is_content(busy: Session) -> None:
    busy.model.slots.idle = [7, 8]
    before = busy.snapshot()
    busy.model.slots.idle = [8, 7]
    assert differing(before, busy.snapshot()) == ["idle"]


def test_swapped_outputs_are_seen() -> None:
    def finished(outputs: list[Any]) -> dict[str, Any]:
        state = session(Shape.root(2, 2))
        state.apply(0.0, m.Joined(1, None, None, (), False))
        state.apply(1.0, m.Finished(1, (0, 1), outputs, 1.0))
        return state.snapshot()

    assert differing(finished(["a", "b"]), finished(["b", "a"])) == ["outputs"]
    assert differing(finished([1, 2]), finished([1, 2.0])) == ["outputs"]


# The process and its hash seed make no difference.

SCRIPT = """
from core import Shape
from tests.core.story import Story, digests, drawn
for seed in range(20):
    story = Story(Shape.root(1 + seed * 7 % 40, 2 + seed % 5), observed=seed % 2 == 0)
    story.play(drawn(seed))
    print(*digests(story)[-1:], [repr(told) for told in story.told])
"""


def test_another_process_with_another_hash_seed_comes_to_the_same() -> None:
    (only,) = printed(SCRIPT, "0", "1", "4242")
    assert len(only.splitlines()) == 20


def test_a_story_can_be_told_twice() -> None:
    for seed in range(10):
        one, other = Story(Shape.root(9, 3)), Story(Shape.root(9, 3))
        one.play(drawn(seed))
        other.play(drawn(seed))
        assert digests(one) == digests(other)
        assert digest(one.state.snapshot()) == digest(other.state.snapshot())
