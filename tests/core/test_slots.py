"""Who has which slot: whatever happens, as a plain model of slots says."""

from __future__ import annotations

import time
from collections import Counter
from itertools import islice, pairwise
from random import Random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Shape, lateness, steps
from core.losses import PIECE_ERROR_MAX, PIECES_MAX
from core.messages import Failure, Node, Value
from core.sessions.digest import differing
from core.sessions.messages import NODE_BITS, process_of
from core.slots import Slots
from tests.core.events import Event, Played, histories, history
from tests.wired import wired

PACES = (None, 0.0, 0.0003, 0.007, 0.02, 1.0)  # none of them fills 50 ms to the last bit
KINDS = (  # as often as they stand here
    *("take",) * 8,
    *("answer",) * 8,
    *("come",) * 4,
    *("help",) * 3,
    *("leave", "claim", "fail", "inputs") * 2,
    *("drop", "known elsewhere", "late answer", "rest", "rouse"),
)
shapes = st.builds(Shape.root, st.integers(1, 30), st.sampled_from([2, 3, 6, 30]))
events = histories(KINDS)


def copied(slots: Slots) -> Slots:
    made = Slots(slots.shape)
    made.load(wired(slots.plain()))
    return made


class Crowd:
    """The people of a session, as slots see them."""

    def __init__(self, *nodes: Node, observers: tuple[Node, ...] = ()) -> None:
        self.people: dict[Node, None] = dict.fromkeys((*observers, *nodes))
        self.observers = observers

    @property
    def workers(self) -> int:
        return len(self.people) - len(self.observers)


@attrs.define
class Slot:
    """One slot, in the plain model."""

    worker: Node | None = None
    helper: Node | None = None
    done: bool = False
    output: Value = None
    assigned: int = 0
    started: float = 0.0
    seconds: float = 0.0
    failed: tuple[Node, ...] = ()


class Plain:
    """The same, without any thought of speed: `order` is in which order free slots are given."""

    def __init__(self, shape: Shape) -> None:
        self.leaf = shape.leaf
        self.slots = [Slot() for _ in range(shape.slots)]
        self.order = list(range(shape.slots))
        self.idle: list[Node] = []
        self.paces: dict[Node, float] = {}
        self.prepared = False

    def share(self, node: Node, workers: int) -> int:
        free = len(self.order)
        if not self.leaf:
            return 1
        if not self.prepared:
            return 0
        if node not in self.paces:
            return 1
        fair = next(share for share in range(free + 1) if share * workers >= free)
        likely = (share for share in range(1, free + 2) if share * self.paces[node] > 0.05)
        return min(fair, next(likely, free + 1) - 1)

    def take(self, node: Node, crowd: Crowd, now: float) -> list[int]:
        workers = crowd.people.keys() - {*crowd.observers}
        in_vain = {slot.worker for slot in self.slots if slot.done}
        wanted = [
            i
            for i in self.order
            if node not in self.slots[i].failed or workers <= {*self.slots[i].failed} | in_vain
        ]
        taken = wanted[: self.share(node, len(workers))]
        for i in taken:
            self.give(i, node, now)
        return taken

    def give(self, i: int, node: Node, now: float) -> None:
        self.order.remove(i)
        slot = self.slots[i]
        slot.worker, slot.started, slot.assigned = node, now, slot.assigned + 1

    def drop(self, node: Node) -> None:
        for slot in self.slots:
            if slot.helper == node:
                slot.helper = None
        for i, slot in enumerate(self.slots):
            if slot.worker != node:
                continue
            slot.worker, helper, slot.helper = None, slot.helper, None
            if helper is not None and self.leaf:
                slot.worker = helper
            elif not slot.done:
                self.order.insert(0, i)
                self.rest(helper)

    def accept(self, i: int, output: Value, seconds: float) -> bool:
        slot = self.slots[i]
        if slot.worker is None:
            self.order.remove(i)
        slot.done, slot.output, slot.seconds = True, output, seconds
        if self.leaf or slot.helper is None:
            return False
        self.rest(slot.helper)
        slot.helper = None
        return True

    def rest(self, node: Node | None) -> None:
        if node is not None and node not in self.idle:
            self.idle.append(node)

    def overdue(self) -> tuple[float, int] | None:
        took = sorted(slot.seconds for slot in self.slots if slot.done)
        if self.leaf and not self.prepared:
            return None
        running = [
            (slot.started, i)
            for i, slot in enumerate(self.slots)
            if not slot.done and slot.worker is not None and slot.helper is None
            if not self.idle or {*self.idle} - {*slot.failed}
        ]
        if not running:
            return None
        started, i = min(running)
        return started + (max(0.05, 2 * took[len(took) // 2]) if took else 30.0), i


class Both(Played):
    """Slots and the plain model, to which the same things happen."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.slots = Slots(shape)
        self.plain = Plain(shape)
        self.crowd = Crowd(observers=(0,))
        self.newest = 0
        self.now = 0.0

    def happen(self, event: Event) -> None:
        kind, a, b = event
        self.now += b / 100
        slots, plain = self.slots, self.plain
        nodes = [node for node in self.crowd.people if node not in self.crowd.observers]
        node = nodes[a % len(nodes)] if nodes else None
        i = b % len(plain.slots)
        slot = plain.slots[i]
        match KINDS[kind]:
            case "inputs":
                plain.prepared, slots.inputs = True, [f"in {i}" for i in range(len(plain.slots))]
            case "come":
                self._come(PACES[a % len(PACES)])
            case "take" if node is not None and (plain.leaf or not self._at_work(node)):
                self._take(node)
            case "claim" if node is not None and i in plain.order:
                slots.give(i, node, self.now)
                plain.give(i, node, self.now)
                self._rouse(node)
            case "answer" if held := [i for i, slot in enumerate(plain.slots) if slot.worker]:
                self._answer(held[a % len(held)], helped=b % 3 == 0)
            case "late answer" | "known elsewhere" if not slot.done:
                self._accept(i, ["late", a])
            case "help" if plain.idle and slot.worker and not (slot.done or slot.helper):
                helper = plain.idle[0]
                self._rouse(helper)
                slots.helpers[i] = slot.helper = helper
            case "fail" if slot.worker:
                failed, slot.failed = slot.worker, (*slot.failed, slot.worker)
                slots.failed[i] = slot.failed
                self._drop(failed)
                slots.rest(failed)
                plain.rest(failed)
            case "drop" if node is not None:
                self._drop(node)
            case "rouse" if node is not None:
                self._rouse(node)
            case "rest" if node is not None and not self._at_work(node):
                slots.rest(node)
                plain.rest(node)
            case "leave" if node is not None:
                del self.crowd.people[node]
                slots.forget(node)
                plain.paces.pop(node, None)
                plain.idle = [other for other in plain.idle if other != node]
                plain.drop(node)

    def _come(self, pace: float | None) -> None:
        self.newest += 1
        self.crowd.people[self.newest] = None
        self.slots.rest(self.newest)
        self.plain.rest(self.newest)
        if pace is not None:
            self.slots.measure(self.newest, pace)
            if self.plain.leaf and pace <= 0.025:
                self.plain.paces[self.newest] = pace

    def _take(self, node: Node) -> None:
        taken = self.slots.take(node, self.crowd, self.now)
        assert taken == self.plain.take(node, self.crowd, self.now)
        if taken:
            self._rouse(node)

    def _answer(self, i: int, helped: bool) -> None:
        """Its worker or helper brings the output of a slot, maybe when it is done."""
        slot = self.plain.slots[i]
        if not slot.done:
            self._accept(i, [slot.worker, i])
        if helped and slot.helper is not None:
            slot.helper = None
            del self.slots.helpers[i]
        else:
            slot.worker = self.slots.worker[i] = None

    def _accept(self, i: int, output: Value) -> None:
        seconds = self.now - self.plain.slots[i].started
        self.slots.accept(i, output, seconds)
        self.plain.accept(i, output, seconds)

    def _drop(self, node: Node) -> None:
        self.slots.drop(node)
        self.plain.drop(node)

    def _rouse(self, node: Node) -> None:
        self.slots.rouse(node)
        self.plain.idle = [other for other in self.plain.idle if other != node]

    def _at_work(self, node: Node) -> bool:
        return any(node in (slot.worker, slot.helper) for slot in self.plain.slots)

    def check(self) -> None:
        slots, plain = self.slots, self.plain
        assert list(slots.done) == [slot.done for slot in plain.slots]
        assert slots.worker == [slot.worker for slot in plain.slots]
        assert slots.outputs == [slot.output for slot in plain.slots]
        assert list(slots.assigned) == [slot.assigned for slot in plain.slots]
        assert list(slots.started) == [slot.started for slot in plain.slots]
        assert list(slots.seconds) == [slot.seconds for slot in plain.slots]
        helpers = {i: slot.helper for i, slot in enumerate(plain.slots) if slot.helper is not None}
        assert slots.helpers == helpers
        assert slots.failed == {i: slot.failed for i, slot in enumerate(plain.slots) if slot.failed}
        assert slots.idle == plain.idle
        assert slots.paces == plain.paces
        assert slots.free == len(plain.order)
        assert slots.remaining == sum(not slot.done for slot in plain.slots)
        assert len(slots) == len(plain.slots)
        done = {i: (slot.output, slot.seconds) for i, slot in enumerate(plain.slots) if slot.done}
        assert slots.known() == done
        assert slots.known([0, 0]) == {i: done[i] for i in done if i == 0}
        assert lateness.overdue(slots) == plain.overdue()
        failed = any(slot.failed for slot in plain.slots)
        waits = (slots.free and not failed) or not slots.remaining
        overdue = None if waits else plain.overdue()
        assert slots.due() == (overdue and overdue[0])
        for i, slot in enumerate(plain.slots):
            assert slots.holders(i) == (slot.worker, slot.helper)
            assert (slots.holder(i), slots.times(i)) == (slot.worker, slot.assigned)
            assert slots.over(i) == slot.done
        for node in self.crowd.people:
            assert slots.holds(node) == any(slot.worker == node for slot in plain.slots)
        free, idle = len(plain.order), len(plain.idle)
        assert slots.wanted() == (free > idle or (failed and free > 0 and idle < len(slots) + 3))
        assert slots.open() == (not all(slot.done for slot in plain.slots))


# -- whatever happens ----------------------------------------------------------------------


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


# -- the order of giving -------------------------------------------------------------------


def prepared(partitions: int, fanout: int = 100) -> Slots:
    slots = Slots(Shape.root(partitions, fanout))
    slots.inputs = [f"in {i}" for i in range(len(slots))]
    return slots


def test_slots_are_given_in_order() -> None:
    slots, crowd = prepared(4), Crowd(1, 2, 3, 4, 5)
    assert [slots.take(node, crowd, 0.0) for node in crowd.people] == [[0], [1], [2], [3], []]
    assert (slots.free, slots.remaining) == (0, 4)


def test_what_was_given_back_is_given_first_and_the_last_of_it_before_the_others() -> None:
    slots, crowd = prepared(6), Crowd(*range(1, 9))
    for node in (1, 2, 3, 4):
        slots.take(node, crowd, 0.0)
    for node in (2, 4, 1):
        slots.drop(node)
    assert [slots.take(node, crowd, 1.0)[0] for node in (5, 6, 7, 8, 1)] == [0, 3, 1, 4, 5]


def test_who_is_there_again_gets_back_what_it_claims_and_nobody_else_does() -> None:
    slots, crowd = prepared(4), Crowd(1, 2, 3, 4)
    slots.give(1, 9, 0.0)
    slots.give(3, 9, 0.0)
    assert [slots.take(node, crowd, 0.0) for node in (1, 2, 3)] == [[0], [2], []]
    slots.drop(9)
    assert [slots.take(node, crowd, 0.0) for node in (3, 4)] == [[3], [1]]


def test_nothing_is_given_in_a_leaf_session_before_the_inputs_are_there() -> None:
    slots, crowd = Slots(Shape.root(4, 4)), Crowd(1)
    assert slots.take(1, crowd, 0.0) == []
    assert slots.free == 4
    slots.inputs = ["a", "b", "c", "d"]
    assert slots.take(1, crowd, 0.0) == [0]
    assert slots.chosen((0, 2)) == ("a", "c")


def test_child_sessions_are_given_before_their_inputs_are_there_one_at_a_time() -> None:
    slots, crowd = Slots(Shape.root(9, 3)), Crowd(1, 2)
    slots.measure(1, 0.0)
    assert slots.take(1, crowd, 0.0) == [0]
    assert slots.take(2, crowd, 0.0) == [1]
    assert slots.paces == {}


def test_who_failed_at_a_slot_gets_another_while_others_may_try() -> None:
    slots, crowd = prepared(2), Crowd(1, 2)
    assert slots.take(1, crowd, 0.0) == [0]
    slots.failed[0] = (1,)
    slots.drop(1)
    assert slots.take(1, crowd, 0.0) == [1]
    slots.drop(1)
    assert slots.take(2, crowd, 0.0) == [1]  # the last that was given back
    assert slots.take(1, crowd, 0.0) == []
    assert slots.free == 1
    assert slots.take(2, crowd, 0.0) == [0]
    slots.failed[0] = (1, 2)
    slots.drop(2)
    assert [slots.take(1, crowd, 0.0) for _ in range(2)] == [[1], [0]]  # all have tried


def test_nodes_of_one_process_that_fail_at_the_same_time_pause_it_once() -> None:
    slots, first = prepared(6), 7 << NODE_BITS + 20
    for i in range(3):
        slots.give(i, first + i, 0.0)
    for i in range(3):
        slots.fail(i, first + i, (), 1.0)
    ((process, (times, until)),) = slots.pauses.items()
    assert (process, times, until) == (process_of(first), 1, 1.5)
    slots.resume(1.5)
    slots.fail(0, first, (), 1.5)
    assert slots.pauses == {process: (2, 2.5)}


def test_what_is_lost_is_done_and_nobody_is_to_blame_for_it() -> None:
    slots = Slots(Shape.root(9, 3, keep_going=True))
    slots.give(1, 5, 0.0)
    slots.finish(1, 5, "out", 1.0)
    slots.give(0, 5, 1.0)
    slots.fail(0, 5, (5, 6), 2.0)
    assert slots.paused() == set()  # it has paused below
    slots.fail(0, 5, (), 2.0)
    assert slots.paused() == {5}
    slots.lose(0, Failure("0-0-1", 1, "x" * PIECE_ERROR_MAX + "end"), 3.0)
    assert (slots.remaining, slots.failed, slots.pauses) == (1, {}, {})
    count, ((session, partition, error),) = slots.lost[0]
    assert (count, session, partition) == (3, "0-0-1", 1)
    assert (len(error), error[-4:]) == (PIECE_ERROR_MAX, "xend")
    assert slots.known() == {0: (None, 2.0, slots.lost[0]), 1: ("out", 1.0)}
    slots.finish(2, 6, "some", 4.0, (1, (("0-2", 7, "no"),)))
    assert steps.outputs_left(slots) == ["out", "some"]
    assert steps.loss_of(slots) == (4, (*slots.lost[0][1], ("0-2", 7, "no")))
    assert not steps.all_lost(slots)
    assert copied(slots).plain() == wired(slots.plain())


def test_no_session_tells_of_more_pieces_that_are_lost_than_fit_into_its_messages() -> None:
    slots = Slots(Shape.root(100, 100, keep_going=True))
    for i in reversed(range(100)):
        slots.lose(i, Failure("0", i, "no"), 1.0)
    loss = steps.loss_of(slots)
    assert loss is not None
    assert steps.all_lost(slots)
    assert loss[0] == 100
    assert [partition for _, partition, _ in loss[1]] == [*range(100 - PIECES_MAX, 100)]


def test_what_a_node_is_not_to_try_again_stays_the_next_for_others() -> None:
    slots, crowd = prepared(4), Crowd(1, 2)
    for _ in range(3):
        slots.take(1, crowd, 0.0)
    slots.failed[2] = (2,)
    slots.drop(1)
    assert slots.take(2, crowd, 1.0) == [1]  # but not 2
    assert [slots.take(1, crowd, 1.0) for _ in range(3)] == [[2], [0], [3]]


def test_an_observer_is_nobody_who_may_try() -> None:
    slots, crowd = prepared(1), Crowd(1, observers=(0,))
    slots.failed[0] = (1,)
    assert slots.take(1, crowd, 0.0) == [0]


def test_who_is_fast_gets_what_fills_50_ms_but_no_more_than_a_fair_share() -> None:
    for pace, workers, expected in [
        (0.0, 1, 100),
        (0.0, 3, 34),
        (0.004, 1, 12),
        (0.004, 10, 10),
        (0.025, 1, 2),
        (0.026, 1, 1),
    ]:
        slots = prepared(100)
        slots.measure(1, pace)
        crowd = Crowd(*range(1, workers + 1), observers=(0,))
        assert slots.take(1, crowd, 0.0) == list(range(expected))


def test_a_single_slow_piece_says_nothing_about_who_was_fast() -> None:
    slots = prepared(4)
    slots.measure(1, 0.01, 5)
    slots.measure(1, 3.0, 1)
    assert slots.paces == {1: 0.01}
    slots.measure(1, 3.0, 2)
    assert slots.paces == {}


# -- helpers -------------------------------------------------------------------------------


LEAF, INTERIOR = 3, 9  # partitions


def helped(partitions: int) -> Slots:
    """Of three slots the first is done, 2 and 3 are at the others, and 1 helps 2; 4 is idle."""
    slots, crowd = prepared(partitions, 3), Crowd(1, 2, 3, 4)
    for node in (1, 2, 3):
        slots.take(node, crowd, 0.0)
    slots.accept(0, "out", 1.0)
    slots.worker[0] = None
    slots.rest(4)
    slots.helpers[1] = 1
    return slots


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
    assert slots.holds(1)


@pytest.mark.parametrize("partitions", [LEAF, INTERIOR])
def test_a_helper_that_goes_leaves_the_worker_at_it(partitions: int) -> None:
    slots = helped(partitions)
    slots.forget(1)
    assert slots.holders(1) == (2, None)
    assert (slots.free, slots.idle) == (0, [4])


@pytest.mark.parametrize("partitions", [LEAF, INTERIOR])
def test_what_is_helped_is_not_late_any_more(partitions: int) -> None:
    slots = helped(partitions)
    assert lateness.overdue(slots) == (2.0, 2)
    slots.helpers[2] = 4
    assert lateness.overdue(slots) is None
    assert slots.due() is None


@pytest.mark.parametrize("partitions", [LEAF, INTERIOR])
def test_where_none_is_done_a_slot_is_late_after_30_s_and_is_not_led_anew(partitions: int) -> None:
    slots = helped(partitions)
    slots.done[0], slots.remaining = False, 3
    slots.worker[0], slots.helpers[0] = 5, 6
    assert slots.due() == 30.0
    assert [i for i, _, _ in lateness.helped(slots, 30.0)] == [2]
    slots.watch(None)
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


# -- where newcomers are sent --------------------------------------------------------------

interior = st.builds(Shape.root, st.integers(3, 60), st.sampled_from([2, 3, 5, 7])).filter(
    lambda shape: not shape.leaf
)


def led(shape: Shape) -> Slots:
    slots = Slots(shape)
    for i in range(len(slots)):
        slots.give(i, 100 + i, 0.0)
    return slots


def in_turn(turns: list[int], there: list[int]) -> bool:
    """Whether those who are there are named one after the other, over and over."""
    following = dict(zip(there, [*there[1:], *there[:1]], strict=True))
    return all(following[one] == other for one, other in pairwise(turns))


@given(interior)
def test_each_child_session_is_sent_who_there_is_work_for_and_then_all_the_same(
    shape: Shape,
) -> None:
    slots, sizes = led(shape), shape.sizes()
    quotas = slots.quotas()
    assert quotas == [size - 1 for size in sizes]  # its leader came by itself
    first = sum(quotas)
    turns = list(islice(slots.turns(quotas), first + 3 * len(slots)))
    assert Counter(turns[:first]) == +Counter({i: size - 1 for i, size in enumerate(sizes)})
    assert sorted(turns[first:]) == sorted(3 * list(range(len(slots))))
    assert in_turn(turns[first:], list(range(len(slots))))
    assert set(quotas) <= {0}


@given(interior, st.sets(st.integers(0, 6)), st.sets(st.integers(0, 6)), st.integers(0, 60))
def test_nobody_is_sent_to_a_child_session_that_is_done_or_has_no_leader(
    shape: Shape, done: set[int], unled: set[int], count: int
) -> None:
    slots = led(shape)
    for i in unled & {*range(len(slots))}:
        slots.drop(100 + i)
    for i in done & {*range(len(slots))}:
        slots.accept(i, "out", 1.0)
    there = [i for i in range(len(slots)) if i not in done | unled]
    quotas = slots.quotas()
    first = sum(quotas[i] for i in there)
    turns = list(islice(slots.turns(quotas), first + count))
    if not there:
        assert turns == []
    else:
        assert Counter(turns[:first]) == +Counter({i: shape.sizes()[i] - 1 for i in there})
        assert len(turns[first:]) == count
        assert in_turn(turns[first:], there)


@given(interior, st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5)), max_size=10))
def test_while_child_sessions_become_done_the_others_are_still_filled_first(
    shape: Shape, steps: list[tuple[int, int]]
) -> None:
    slots = led(shape)
    quotas = slots.quotas()
    turns = slots.turns(quotas)
    for finished, count in steps:
        for _ in range(count):
            wanting = {i for i in range(len(slots)) if not slots.done[i] and quotas[i]}
            child = next(turns, None)
            if child is None:
                assert slots.remaining == 0
                break
            assert not slots.done[child]
            assert not wanting or child in wanting
        if finished < len(slots) and not slots.done[finished]:
            slots.accept(finished, "out", 1.0)


@given(interior, st.integers(0, 30))
def test_turns_that_are_begun_anew_go_on_filling_where_they_were(shape: Shape, count: int) -> None:
    slots = led(shape)
    quotas = slots.quotas()
    count = min(count, sum(quotas))
    before = list(islice(slots.turns(quotas), count))
    after = list(islice(slots.turns(quotas), sum(quotas)))
    assert Counter(before + after) == +Counter(dict(enumerate(slots.quotas())))


def test_a_leaf_session_has_no_turns_to_give() -> None:
    slots = prepared(4)
    assert slots.quotas() == []
    assert list(slots.turns([])) == []


def test_who_had_a_slot_is_remembered_once_however_often_it_is_told() -> None:
    slots, many = Slots(Shape.root(3, 3)), 200_000
    began = time.process_time()
    for first in (0, many // 2):
        slots.remember([(0, [*range(first, first + many), *[first] * many])])
    assert time.process_time() - began < 5  # hours, if each were looked for among all
    assert [*slots.former[0]] == [*range(many + many // 2)]
    slots.inputs = [None] * 3
    slots.queue = [1] * many
    slots.failed[1] = (7,)
    began = time.process_time()
    assert slots.take(7, Crowd(7, *range(1000)), 0.0) == [0]
    assert time.process_time() - began < 1
