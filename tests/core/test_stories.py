"""Random histories of one session: what must hold after every message."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Shape
from core import messages as m
from tests.core.events import Event
from tests.core.story import Story, drawn, events, shapes


@pytest.mark.parametrize("seed", range(30))
def test_a_long_story_is_sound_all_the_way_and_ends_well(seed: int) -> None:
    random = Random(seed)
    story = Story(Shape.root(random.randint(1, 40), random.randint(2, 20)), observed=seed % 2 == 0)
    for event in drawn(seed):
        story.happen(event)
        story.check()
    story.complete()
    story.check()
    assert story.model.slots.remaining == 0


@settings(max_examples=400)
@given(shapes, st.booleans(), events)
def test_the_model_is_sound_after_every_message(
    shape: Shape, observed: bool, events: list[Event]
) -> None:
    story = Story(shape, observed)
    for event in events:
        story.happen(event)
        story.check()


@settings(max_examples=200)
@given(shapes, st.booleans(), events)
def test_whoever_is_left_completes_the_session(
    shape: Shape, observed: bool, events: list[Event]
) -> None:
    story = Story(shape, observed)
    story.play(events)
    story.complete()
    story.check()
    assert story.model.slots.remaining == 0
    if not story.model.steps.failure:
        (leader,) = {node for node, command in story.told if isinstance(command, m.Collect)} or {
            story.state.leader
        }
        assert leader == story.people[0]


@settings(max_examples=100)
@given(shapes, st.booleans(), events)
def test_a_model_without_anybody_keeps_what_was_done(
    shape: Shape, observed: bool, events: list[Event]
) -> None:
    story = Story(shape, observed)
    story.play(events)
    for node in list(story.people):
        story.people.remove(node)
        story.order(m.Left(node))
        story.check()
    slots = story.model.slots
    assert slots.free == slots.remaining == shape.slots - len(story.accepted)
    assert not slots.idle


@settings(max_examples=200)
@given(shapes, st.booleans(), events)
def test_a_slot_is_computed_by_at_most_two_at_once(
    shape: Shape, observed: bool, events: list[Event]
) -> None:
    story = Story(shape, observed)
    for event in events:
        story.happen(event)
        late = isinstance(story.log[-1][1], m.Alarm) if story.log else False
        for node, command in story.told if late else ():
            slots = story.model.slots
            if isinstance(command, m.Prepare | m.Collect | m.Lead):
                continue
            assert isinstance(command, m.Compute | m.Visit)
            (slot, *more) = command.slots if isinstance(command, m.Compute) else (command.child,)
            if slots.worker[slot] == node:
                continue  # it paused, and what is free is its again
            assert not more
            assert slots.helpers[slot] == node
            assert slots.worker[slot] not in (None, node)
            assert story.now > slots.started[slot]
