"""Who has which slot: whatever happens, as a plain model of slots says."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings

from core import Shape
from core.sessions.digest import differing
from core.slots import Slots
from tests.core.crowd import copied
from tests.core.events import Event, history
from tests.core.plain_slots import KINDS, Both, events, shapes
from tests.wired import wired


@settings(max_examples=400)
@given(shapes, events)
def test_slots_are_as_the_plain_model_says_after_all_that_happens(
    shape: Shape, events: list[Event]
) -> None:
    both = Both(shape)
    both.check()
    for event in events:
        both.happen(event)
        both.check()


@pytest.mark.parametrize("seed", range(30))
def test_they_are_so_in_a_long_history_too_and_a_copy_is_the_same_at_any_time(seed: int) -> None:
    random = Random(seed)
    both = Both(Shape.root(random.randint(1, 30), random.choice([2, 3, 6, 30])))
    for event in history(KINDS, seed):
        if random.random() < 0.1:
            original, both.slots = both.slots, copied(both.slots)
            assert differing(original.plain(), both.slots.plain()) == []
        both.happen(event)
        both.check()


@settings(max_examples=200)
@given(shapes, events)
def test_a_slot_that_has_a_worker_or_is_done_is_given_to_nobody(
    shape: Shape, events: list[Event]
) -> None:
    both = Both(shape)
    both.play(events)
    slots, crowd = both.slots, both.crowd
    slots.inputs = slots.inputs or [None] * shape.slots
    free = {i for i in range(shape.slots) if not slots.done[i] and slots.worker[i] is None}
    assert slots.free == len(free)
    given: list[int] = []
    for node in range(1000, 1100):
        crowd.people[node] = None
        given += slots.take(node, crowd, both.now)
    assert sorted(given) == sorted(free)
    assert slots.free == 0


@settings(max_examples=200)
@given(shapes, events, events)
def test_done_is_for_ever(shape: Shape, events: list[Event], later: list[Event]) -> None:
    both = Both(shape)
    both.play(events)
    known = both.slots.known()
    both.play(later)
    assert both.slots.known().items() >= known.items()
    assert both.slots.remaining <= shape.slots - len(known)


@settings(max_examples=200)
@given(shapes, events, events)
def test_a_copy_that_travelled_goes_on_in_the_same_way(
    shape: Shape, events: list[Event], later: list[Event]
) -> None:
    both = Both(shape)
    both.play(events)
    original, both.slots = both.slots, copied(both.slots)
    before = original.plain()
    assert differing(before, both.slots.plain()) == []
    both.check()
    for event in later:
        both.happen(event)
        both.check()
    assert differing(before, original.plain()) == []  # a copy shares nothing that changes


def test_what_is_told_of_slots_does_not_change_with_them() -> None:
    slots = Slots(Shape.root(4, 4))
    told = slots.plain()
    before = wired(told)
    slots.give(1, 7, 2.0)
    slots.helpers[1] = 8
    slots.rest(9)
    slots.accept(0, "out", 1.0)
    slots.drop(7)
    slots.drop(8)
    slots.measure(9, 0.0)
    slots.failed[2] = (9,)
    assert wired(told) == before
    assert set(differing(told, slots.plain())) == {
        *("assigned", "done", "failed", "former", "free", "idle", "outputs"),
        *("paces", "queue", "remaining", "seconds", "started"),
    }
