"""A plain model of slots, and what is done to it and to the real ones alike."""

from __future__ import annotations

import attrs
from hypothesis import strategies as st

from core import Shape, stragglers
from core.messages import Node, Value
from core.slots import Slots
from tests.core.crowd import Crowd
from tests.core.events import Event, Played, histories

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
        usual = took[len(took) // 2] if took else None
        soon, late = (30.0, 3600.0) if usual is None else (max(0.05, 2 * usual), max(30, 8 * usual))
        found = list[tuple[float, int]]()
        for i, slot in enumerate(self.slots):
            if slot.done or slot.worker is None:
                continue
            if slot.helper is not None:
                found += [(slot.started + late, i)] if self.leaf else []
            elif self.leaf or not self.idle or {*self.idle} - {*slot.failed}:
                found.append((slot.started + soon, i))
        return min(found, default=None)


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
        assert stragglers.overdue(slots) == plain.overdue()
        failed = any(slot.failed for slot in plain.slots)
        waits = (slots.free and not failed) or not slots.remaining
        overdue = None if waits else plain.overdue()
        assert slots.due() == (overdue and overdue[0])
        for i, slot in enumerate(plain.slots):
            assert slots.holders(i) == (slot.worker, slot.helper)
            assert (slots.holder(i), slots.times(i)) == (slot.worker, slot.assigned)
            assert slots.over(i) == slot.done
        for node in self.crowd.people:
            assert (node in slots.worker) == any(slot.worker == node for slot in plain.slots)
        free, idle = len(plain.order), len(plain.idle)
        assert slots.wanted() == (free > idle or (failed and free > 0 and idle < len(slots) + 3))
        assert slots.open() == (not all(slot.done for slot in plain.slots))
