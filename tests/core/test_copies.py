"""Snapshots, late joiners and digests: all replicas of a session are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Computation, Replica, Shape
from core import messages as m
from core.digest import differing, digest
from tests.core.story import Event, Story, digests, drawn, events, shapes

TOP = Path(__file__).parent.parent.parent
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


# Each field that a model could differ in is in the digest.


@settings(untimed, max_examples=100)
@given(shapes, events, st.integers(0, 99))
def test_a_message_less_is_a_difference_with_a_name(
    shape: Shape, events: list[Event], missed: int
) -> None:
    story = Story(shape)
    story.play(events)
    if not story.log:
        return
    model = Computation(shape)
    for seq, (now, message) in enumerate(story.log):
        if seq != missed % len(story.log):
            model.apply(now, message)
    assert "seq" in differing(model.snapshot(), story.model.snapshot())


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
    runs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=TOP,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    (only,) = runs
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
    found = Replica(Computation(Shape.root(2, 2)))
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
