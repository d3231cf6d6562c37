"""Whatever a session could differ in is in its digest."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from core import Computation, Session, Shape
from core import messages as m
from core.sessions.digest import differing
from core.slots import Slots
from core.steps import Steps
from tests.core.story import session
from tests.wired import wired


def content(kind: type, *derived: str) -> list[str]:
    """The fields of a class that are content."""
    return sorted({n for k in kind.__mro__ for n in getattr(k, "__slots__", ())} - {*derived})


CONTENT: dict[type, list[str]] = {  # of each part of a session
    Session: content(Session, "_handles", "_interior", "model", "noted", "told"),
    Computation: content(
        Computation,
        "bound",
        "children",
        "first",
        "leaf",
        "people",
        "room",
        "shape",
        "slots",
        "steps",
    ),
    Slots: content(Slots, "leaf", "shape"),
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
