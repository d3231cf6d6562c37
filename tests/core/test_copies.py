"""Snapshots and late joiners: all replicas of a session are the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core import Computation, Session, Shape
from core import messages as m
from core.sessions.digest import differing, digest
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
