"""A session's model with people around it, who do what they are told, in any order."""

from __future__ import annotations

from hypothesis import strategies as st

from core import Computation, Session, Shape
from core import messages as m
from core.messages import Command, Epoch, Message, Node, Value
from core.sessions.digest import digest
from tests.core.events import Event, Played, histories, history

OBSERVER = 0

KINDS = (  # as often as they stand here
    *("finish",) * 16,
    *("join",) * 6,
    *("late",) * 4,
    *("leave",) * 4,
    *("come back", "repeat", "prepared") * 2,
    *("fail", "given", "restored"),
)

shapes = st.builds(  # of leaf and interior sessions, here and there in a tree
    lambda root, slot: root if root.leaf or slot is None else root.child(slot % root.slots),
    st.builds(Shape.root, st.integers(1, 40), st.integers(2, 20)),
    st.none() | st.integers(0, 19),
)
events = histories(KINDS)


def session(shape: Shape, epoch: Epoch = (1,)) -> Session:
    """A session of that shape, before anything was said in it."""
    return Session(shape.session, epoch, Computation, shape.plain())


def drawn(seed: int) -> list[Event]:
    return history(KINDS, seed)


class Story(Played):
    """What was ordered, and what a model has to show for it."""

    def __init__(self, shape: Shape, observed: bool = False) -> None:
        self.state = session(shape)
        self.model: Computation = self.state.model
        self.now = 0.0
        self.log: list[tuple[float, Message]] = []
        self.people: list[Node] = []  # in join order
        self.gone: list[Node] = []
        self.work: dict[Node, list[tuple[int, ...]]] = {}  # told, and not answered yet
        self.accepted: dict[int, Value] = {}
        self.answers: list[m.Finished] = []
        self.told: list[tuple[Node, Command]] = []
        self.newest = OBSERVER
        if observed:
            self._join(OBSERVER, observes=True)

    def happen(self, event: Event) -> None:
        kind, a, b = event
        self.now += b / 100
        match KINDS[kind]:
            case "join":
                self.newest += 1
                self._join(self.newest, pace=(None, 0.0, 0.001, 0.02, 1.0)[b % 5])
            case "come back" if self.gone:
                node = self.gone.pop(a % len(self.gone))
                claims = [i for slots in self.work.get(node, ()) for i in slots]
                self._join(node, claims=tuple(dict.fromkeys(claims)))
            case "leave" if self.people:
                self._leave(self.people[a % len(self.people)])
            case "finish" if tasks := self._tasks():
                self.finish(*tasks[a % len(tasks)], seconds=b / 1000)
            case "fail" if (tasks := self._tasks()) and self.model.shape.leaf:
                self._fail(*tasks[a % len(tasks)], b)
            case "repeat" if self.answers:
                self.order(self.answers[a % len(self.answers)])
            case "late":
                self.now += a / 10
                self.order(m.Alarm())
            case "given" if self.people:
                self.order(m.Given(["all", a]))
            case "prepared" if self.people and self.model.given:
                self.order(m.Prepared([["in", i, a] for i in range(self.model.shape.slots)]))
            case "restored" if b < 40:
                self.order(self._known_elsewhere(a, b))

    def order(self, message: Message) -> None:
        self.log.append((self.now, message))
        self.told = list(self.state.apply(self.now, message))
        for node, command in self.told:
            match command:
                case m.Compute():
                    self.work.setdefault(node, []).append(command.slots)
                case m.Lead() | m.Visit():
                    self.work.setdefault(node, []).append((command.child,))

    # -- what people do --------------------------------------------------------------------

    def _tasks(self) -> list[tuple[Node, tuple[int, ...]]]:
        return [(node, slots) for node in self.people for slots in self.work.get(node, ())]

    def _join(
        self,
        node: Node,
        pace: float | None = None,
        claims: tuple[int, ...] = (),
        observes: bool = False,
    ) -> None:
        self.people.append(node)
        self.order(m.Joined(node, node % 3 or None, pace, claims, observes))

    def _leave(self, node: Node) -> None:
        self.people.remove(node)
        if node != OBSERVER:
            self.gone.append(node)
        self.order(m.Left(node))

    def finish(self, node: Node, slots: tuple[int, ...], seconds: float = 0.0) -> None:
        self.work[node].remove(slots)
        outputs: list[Value] = [[slot, node, len(self.log)] for slot in slots]
        for slot, output in zip(slots, outputs, strict=True):
            self.accepted.setdefault(slot, output)
        self.answers.append(m.Finished(node, slots, outputs, seconds))
        self.order(self.answers[-1])

    def _fail(self, node: Node, slots: tuple[int, ...], b: int) -> None:
        self.work[node].remove(slots)
        slot = slots[b % len(slots)]
        failure = m.Failure(self.model.shape.session, self.model.shape.first + slot, f"error {b}")
        before = self.model.steps.failures(node, slot)
        self.order(m.Failed(node, slot, failure, b == 0, before))

    def _known_elsewhere(self, a: int, b: int) -> m.Restored:
        """What a replica of another incarnation, that has the outputs of some slots, knows."""
        other = session(self.model.shape, (*self.state.epoch[:-1], self.state.epoch[-1] + a % 2))
        slots = self.model.shape.slots
        other.apply(0.0, m.Given(["all", a]))
        other.apply(0.0, m.Prepared([["in", i, a] for i in range(slots)]))
        for slot in range(slots):
            if (a + slot * (b + 1)) % 7 == 0:
                output = self.accepted.setdefault(slot, [slot, "restored", len(self.log)])
                other.apply(0.0, m.Finished(99, (slot,), [output], 1.0))
        context = None if a % 3 == 0 else other.model.context()  # None: it was only kept there
        return m.Restored(other.model.facts(), context)

    def complete(self) -> None:
        """Everyone who is there finishes what they hold, until nobody holds anything."""
        if not any(node != OBSERVER for node in self.people):
            self._join(self.newest + 1)
        self.order(m.Given("all"))
        self.order(m.Prepared(["in"] * self.model.shape.slots))
        while tasks := self._tasks():
            self.now += 1.0
            self.finish(*tasks[0])

    # -- what must hold --------------------------------------------------------------------

    def check(self) -> None:
        state, model, slots = self.state, self.model, self.model.slots
        idle, helpers = slots.idle, slots.helpers
        observers = {OBSERVER} & {*self.people}
        assert list(state.people) == self.people
        assert set(state.observers) == observers
        assert state.leader == next(iter(self.people), None)
        assert {i: slots.outputs[i] for i, done in enumerate(slots.done) if done} == self.accepted
        open_slots = [i for i, done in enumerate(slots.done) if not done]
        workers = {i: slots.worker[i] for i in open_slots}
        assert slots.remaining == len(open_slots)
        assert slots.free == sum(worker is None for worker in workers.values())
        for i, worker in workers.items():
            helper = helpers.get(i)
            assert {worker, helper} - {None} <= state.people.keys()
            assert helper is None or worker not in (None, helper)
            assert worker not in idle
            assert helper not in idle
            assert worker != OBSERVER
        assert len(idle) == len({*idle})
        assert {*idle} <= state.people.keys() - {OBSERVER}
        held = [worker for worker in workers.values() if worker is not None]
        if not model.leaf:
            assert len(held) == len(set(held))
        for node in [] if model.steps.failure else self.people:
            assert node == OBSERVER or node in idle or self.work.get(node) or node in held
        self._check_told()
        if slots.inputs is not None or not model.leaf:
            for i, worker in workers.items():
                if worker is None:
                    failed = slots.failed.get(i, ())
                    assert all(self._is_for_others(failed, node) for node in idle)

    def _is_for_others(self, failed: tuple[Node, ...], node: Node) -> bool:
        """Whether a free slot that these failed is not to be given to `node`."""
        slots, others = self.model.slots, set(self.people) - {OBSERVER}
        in_vain = {slots.worker[i] for i, done in enumerate(slots.done) if done}
        if node in failed and others - set(failed) - in_vain:
            return True
        return node in slots.backoffs.present()

    def _check_told(self) -> None:
        slots = self.model.slots
        for node, command in self.told:
            assert node in self.people
            match command:
                case m.Compute():
                    assert slots.inputs is not None
                    assert command.session == self.model.shape.session
                    assert command.first == self.model.shape.first
                    assert command.slots
                    assert command.inputs == tuple(slots.inputs[i] for i in command.slots)
                case m.Lead():
                    assert slots.worker[command.child] == node
                    said = [command.first] if command.first is not None else self._supplied(node)
                    inputs = [] if slots.inputs is None else [slots.inputs[command.child]]
                    assert said == [m.Given(value) for value in inputs]
                case m.TakeOver() | m.HandUp() | m.Abort():
                    assert node == self.state.leader
                case m.Prepare() | m.Collect():
                    assert node in self.model.steps.asked
                    assert node == self.state.leader or self.model.steps.asked[0] != node

    def _supplied(self, node: Node) -> list[m.Given]:
        """What `node` was told to say in its child session, but not when it was given that."""
        return [c.first for n, c in self.told if n == node and isinstance(c, m.Supply)]


def digests(story: Story) -> list[str]:
    """That of a fresh session after each message of a story."""
    state = session(story.model.shape)
    found = []
    for now, message in story.log:
        state.apply(now, message)
        found.append(digest(state.snapshot()))
    return found
