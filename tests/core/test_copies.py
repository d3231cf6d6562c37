"""Snapshots, late joiners and digests: all replicas of a session are the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Computation, Replica, Shape
from core import messages as m
from core.computation import Participant, Slot
from core.digest import differing, digest
from tests.core.story import Event, Story, digests, drawn, events, shapes
from tests.processes import printed

untimed = settings(deadline=None)  # that a machine is busy is no failure


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def through_msgpack(value: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))


TRAVELS = [through_json, through_msgpack]


def told(story: Story) -> Story:
    """One story ends well, another with a failure, and everyone is told."""
    failure = story.model.failure
    story.order(m.Ended(None if failure else ["result"], failure))
    return story


@pytest.mark.parametrize("travel", TRAVELS)
@settings(untimed, max_examples=60)
@given(shape=shapes, observed=st.booleans(), events=events)
def test_whoever_joins_late_is_like_those_who_came_early(
    travel: Callable[[Any], Any], shape: Shape, observed: bool, events: list[Event]
) -> None:
    story = Story(shape, observed)
    story.play(events)
    whole = digests(told(story))
    model = Computation(shape)
    for seq, (now, message) in enumerate(story.log):
        late = Computation.restore(travel(model.snapshot()))
        assert digest(late.snapshot()) == digest(model.snapshot())
        commands = []
        for later_now, later in story.log[seq:]:
            commands = list(late.apply(later_now, later))
            assert digest(late.snapshot()) == whole[late.seq - 1], late.seq
        assert commands == story.told
        model.apply(now, message)


@settings(untimed, max_examples=100)
@given(shapes, events)
def test_a_copy_of_a_copy_is_the_same(shape: Shape, events: list[Event]) -> None:
    story = Story(shape)
    story.play(events)
    snapshot = story.model.snapshot()
    copy = Computation.restore(through_msgpack(snapshot))
    assert through_msgpack(copy.snapshot()) == through_msgpack(snapshot)
    assert differing(copy.snapshot(), snapshot) == []


@settings(untimed, max_examples=100)
@given(shapes, events, events)
def test_a_snapshot_does_not_change_with_its_model(
    shape: Shape, events: list[Event], later: list[Event]
) -> None:
    story = Story(shape)
    story.play(events)
    snapshot = story.model.snapshot()
    before = digest(snapshot)
    story.play(later)
    assert digest(snapshot) == before
    copy = Computation.restore(snapshot)
    copy.apply(story.now, m.Joined(1000, None, None, (), False))
    assert digest(snapshot) == before


def test_a_model_that_moved_or_failed_travels_too() -> None:
    model = Computation(Shape.root(4, 2))
    model.apply(0.0, m.Joined(1, ("host", 5), 0.5, (), False))
    model.apply(0.0, m.Failed(1, 0, m.Failure("0-0", None, "error"), True))
    model.apply(0.0, m.Moved(1, m.Place("0-1", ("host", "other"))))
    copy = Computation.restore(through_msgpack(model.snapshot()))
    assert copy.failure == m.Failure("0-0", None, "error")
    assert copy.moved == m.Place("0-1", ("host", "other"))
    assert digest(copy.snapshot()) == digest(model.snapshot())
    ended = m.Ended(None, copy.failure)
    model.apply(1.0, ended)
    assert Computation.restore(through_msgpack(model.snapshot())).ended == ended


# Whatever a model could differ in is in the digest.


def changed(kind: type) -> list[str]:
    """The fields of a class that are content; those with an underscore are derived."""
    return [field.name for field in attrs.fields(kind) if not field.name.startswith("_")]


@pytest.fixture
def busy() -> Computation:
    model = Computation(Shape.root(3, 3))
    for node in (1, 2):
        model.apply(0.0, m.Joined(node, node, 0.5, (), False))
    model.apply(0.0, m.Given("all"))
    model.apply(0.0, m.Prepared(["a", "b", "c"]))
    model.apply(2.0, m.Finished(1, (0,), ["out"], 2.0))
    return model


def test_every_field_is_in_the_digest_under_its_name(busy: Computation) -> None:
    before = busy.snapshot()
    assert list(before) == changed(Computation)
    for name in changed(Computation):
        assert differing(before, {**before, name: "something else"}) == [name]


@pytest.mark.parametrize("name", changed(Slot))
def test_every_field_of_a_slot_is_in_the_digest(busy: Computation, name: str) -> None:
    before = busy.snapshot()
    setattr(busy.slots[1], name, ["something else"])
    assert differing(before, busy.snapshot()) == ["slots"]


@pytest.mark.parametrize("name", changed(Participant))
def test_every_field_of_a_participant_is_in_the_digest(busy: Computation, name: str) -> None:
    before = busy.snapshot()
    busy.people[2] = attrs.evolve(busy.people[2], **{name: ["something else"]})
    assert differing(before, busy.snapshot()) == ["people"]


def test_join_order_is_content(busy: Computation) -> None:
    before = busy.snapshot()
    busy.people = dict(reversed(busy.people.items()))
    assert differing(before, busy.snapshot()) == ["people"]


def test_swapped_outputs_are_seen() -> None:
    def finished(outputs: list[Any]) -> dict[str, Any]:
        model = Computation(Shape.root(2, 2))
        model.apply(0.0, m.Joined(1, None, None, (), False))
        model.apply(1.0, m.Finished(1, (0, 1), outputs, 1.0))
        return model.snapshot()

    assert differing(finished(["a", "b"]), finished(["b", "a"])) == ["slots"]
    assert differing(finished([1, 2]), finished([1, 2.0])) == ["slots"]


# The process and its hash seed make no difference.

SCRIPT = """
from core import Shape
from core.digest import digest
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
        assert digest(one.model.snapshot()) == digest(other.model.snapshot())


# Replicas: one a process.


class View:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def seated(self, seat: Replica, commands: list[Any]) -> None:
        self.log.append(("seated", *commands))

    def on(self, seat: Replica, command: Any) -> None:
        self.log.append(command)


def replica(*nodes: int) -> tuple[Replica, dict[int, Any]]:
    found = Replica(Computation(Shape.root(2, 2)), m.Place("0", (0,)))
    views: dict[int, Any] = {node: View() for node in nodes}
    found.views.update(views)
    return found, views


def test_a_replica_tells_its_own_views_and_no_others() -> None:
    one, views = replica(1)
    one.apply(1, 0.0, m.Joined(1, None, None, (), False))
    one.apply(2, 0.0, m.Joined(2, None, None, (), False))
    one.apply(3, 0.0, m.Given("all"))
    one.apply(4, 0.0, m.Prepared(["a", "b"]))
    assert views[1].log == [
        ("seated", m.TakeOver()),
        m.Prepare("all"),
        m.Compute("0", 0, (0,), ("a",)),
    ]


def test_a_replica_passes_over_what_it_has_seen() -> None:
    one, views = replica(1)
    joined = m.Joined(1, None, None, (), False)
    one.apply(1, 0.0, joined)
    one.apply(1, 0.0, joined)
    assert one.model.seq == 1
    assert views[1].log == [("seated", m.TakeOver())]


def test_a_replica_refuses_a_gap() -> None:
    one, _ = replica()
    one.apply(1, 0.0, m.Given("all"))
    with pytest.raises(ValueError, match="session 0: message 3 came after 1"):
        one.apply(3, 0.0, m.Late())
    assert one.model.seq == 1
