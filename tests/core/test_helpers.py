"""Who helps with a slot that is late, and what becomes of it."""

from __future__ import annotations

import pytest

from core import stragglers
from tests.core.crowd import helped

LEAF, INTERIOR = 3, 9  # partitions


def test_a_helper_in_a_leaf_session_carries_on_when_the_worker_is_gone() -> None:
    slots = helped(LEAF)
    slots.forget(2)
    assert (slots.worker[1], slots.helpers, slots.free) == (1, {}, 0)
    assert slots.idle == [4]
    slots.forget(1)
    assert (slots.worker[1], slots.free) == (None, 1)


def test_a_helper_in_a_child_session_is_idle_when_its_leader_is_gone() -> None:
    slots = helped(INTERIOR)
    slots.forget(2)
    assert (slots.worker[1], slots.helpers, slots.free) == (None, {}, 1)
    assert slots.idle == [4, 1]


def test_a_helper_in_a_child_session_is_idle_when_that_is_done() -> None:
    slots = helped(INTERIOR)
    slots.accept(1, "out", 2.0)
    assert slots.idle == [4, 1]
    assert slots.helpers == {}


def test_a_helper_in_a_leaf_session_is_at_it_till_it_answers() -> None:
    slots = helped(LEAF)
    slots.accept(1, "out", 2.0)
    assert slots.idle == [4]
    assert slots.holders(1) == (2, 1)
    slots.forget(2)
    assert slots.holders(1) == (1, None)
    assert slots.free == 0  # it is done
    assert 1 in slots.worker


@pytest.mark.parametrize("partitions", [LEAF, INTERIOR])
def test_a_helper_that_goes_leaves_the_worker_at_it(partitions: int) -> None:
    slots = helped(partitions)
    slots.forget(1)
    assert slots.holders(1) == (2, None)
    assert (slots.free, slots.idle) == (0, [4])


@pytest.mark.parametrize("partitions", [LEAF, INTERIOR])
def test_what_is_helped_is_not_late_any_more(partitions: int) -> None:
    slots = helped(partitions)
    assert stragglers.overdue(slots) == (2.0, 2)
    slots.helpers[2] = 4
    assert stragglers.overdue(slots) == (None if partitions == INTERIOR else (30.0, 1))


@pytest.mark.parametrize("partitions", [LEAF, INTERIOR])
def test_where_none_is_done_a_slot_is_late_after_30_s_and_is_not_led_anew(partitions: int) -> None:
    slots = helped(partitions)
    slots.done[0], slots.remaining = False, 3
    slots.worker[0], slots.helpers[0] = 5, 6
    assert slots.due() == 30.0
    assert [i for i, _, _ in stragglers.helped(slots, 30.0)] == [2]
    slots.watch(None, False)
    assert slots.look is None


def test_nothing_is_late_within_50_ms() -> None:
    slots = helped(LEAF)
    slots.seconds[0] = 0.0
    assert slots.due() == 0.05


def test_who_is_idle_already_keeps_its_place() -> None:
    slots = helped(LEAF)
    for node in (5, 4, 6, 5):
        slots.rest(node)
    assert slots.idle == [4, 5, 6]
    slots.rouse(5)
    slots.rouse(7)
    assert slots.idle == [4, 6]


def test_nothing_is_late_while_something_is_free() -> None:
    slots = helped(LEAF)
    assert slots.due() == 2.0
    slots.drop(3)
    assert slots.due() is None
