"""One who lies spoils what was in its hands in a small tree, and nothing else."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core import Reflector, Shape
from core import messages as m
from core.messages import Command, Message, Node, Value
from tests.core.harness import Net
from tests.core.liars import LIAR, SEAL, made, replies, said_by
from tests.core.spans import Spans


class Strict(Spans):
    """Raises what a net expects of a job where an input is none of its own."""

    def prepare(self, input: Value, sizes: list[int]) -> list[Value]:
        match input:
            case [int(), int()]:
                return super().prepare(input, sizes)
        raise ArithmeticError(f"no input: {input!r}")

    def compute(self, input: Value, index: int) -> Value:
        return [[*input, index]] if isinstance(input, list) else [[input, index]]

    def collect(self, outputs: list[Value]) -> Value:
        if all(isinstance(output, list) for output in outputs):
            return super().collect(outputs)
        raise ArithmeticError("no outputs")


class Hands:
    """What the liar of a net has had in its hands."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.slots: set[tuple[str, int]] = set()
        self.led: set[str] = set()  # or hosted
        self.joined: set[str] = set()
        self.epochs: dict[str, set[m.Epoch]] = {}
        self._broadcast = net.broadcast
        net.broadcast = self.broadcast  # type: ignore[method-assign]

    def broadcast(
        self, reflector: Reflector, message: Message, told: list[tuple[Node, Command]]
    ) -> None:
        session = reflector.session
        self.epochs.setdefault(session, set()).add(reflector.state.epoch)
        if reflector.host.address == LIAR or reflector.state.leader == LIAR:
            self.led.add(session)
        if isinstance(message, m.Joined) and message.node == LIAR:
            self.joined.add(session)
        for node, command in told:
            if node == LIAR and isinstance(command, m.Compute):
                self.slots |= {(session, slot) for slot in command.slots}
            elif node == LIAR and isinstance(command, m.Lead):
                self.slots.add((session, command.child))
                self.led.add(f"{session}-{command.child}")
        self._broadcast(reflector, message, told)

    def reach(self, session: str) -> bool:
        """Whether that session, or one above it, was in its hands."""
        names = session.split("-")
        above = ["-".join(names[: i + 1]) for i in range(len(names))]
        again = {name for name in self.joined if len(self.epochs[name]) > 1}  # it brings a replica
        return bool({*above} & (self.led | again))

    def under(self, session: str, slot: int) -> bool:
        """Whether that slot was, or something below it."""
        if self.reach(session) or (session, slot) in self.slots:
            return True
        child = f"{session}-{slot}"
        held = [*self.led, *self.joined, *(name for name, _ in self.slots)]
        return any(f"{name}-".startswith(child + "-") for name in held)


class Believed:
    """A tree with one who lies. It does its honest part, too."""

    def __init__(self, shape: Shape, seed: int, nodes: int, listens: bool, votes: int) -> None:
        self.random = Random(seed)
        self.net = net = Net(shape, Strict(), vote_every=votes)
        net.liars.add(LIAR)
        self.hands = Hands(net)
        net.submit()
        for node in range(1, nodes + 1):
            net.arrive(node, listens=node != LIAR or listens)
            self.deliver(self.random.randrange(12))

    def deliver(self, steps: int) -> None:
        """So many deliveries in random order, with a timer now and then."""
        net, random = self.net, self.random
        for _ in range(steps):
            lanes = net.busy()
            if lanes and not (net.timers and random.random() < 0.05):
                net.step(random.choice(lanes))
            elif net.timers:
                net.tick()

    def lie(self, said: Any) -> None:
        """To some host, of a session that is open there, or that it was in."""
        net = self.net
        if not (views := [v for v in net.processes[LIAR].views if v.node == LIAR]):
            return
        found, view = net.open_reflectors(), self.random.choice(views)
        own = [reflector for reflector in found if LIAR in reflector.members]
        reflector = self.random.choice(own if own and self.random.random() < 0.7 else found)
        net.send(view, reflector.place, made(said, reflector.state))

    def answer(self, reply: m.Reply) -> None:
        """To somebody who asks at its host, or sits there."""
        host = self.net.processes[LIAR].host
        views = [
            view
            for process in self.net.live()
            for view in process.views
            if view.place.address == LIAR and process.node != LIAR
        ]
        if host is not None and views:
            view = self.random.choice(views)
            self.net.reply(host, view, view.place, reply)

    def check(self) -> None:
        net, hands = self.net, self.hands
        for (reflector, slot), output in net.accepted.items():
            session, shape = reflector.session, reflector.model.shape
            if not hands.under(session, slot):
                first, size = self.extent(shape, slot)
                assert output == right(first, size, shape.leaf), (session, slot)
        for reflector in net.open_reflectors():
            if reflector.state.ended:
                assert reflector.state.ended.key == net.end_key

    def extent(self, shape: Shape, slot: int) -> tuple[int, int]:
        """The first partition of a slot, and how many it has."""
        if shape.leaf:
            return shape.first + slot, 1
        child = shape.child(slot)
        return child.first, child.partitions


def right(first: int, size: int, leaf: bool) -> Value:
    return [[first + i, 1, first + i] for i in range(size)]


@settings(max_examples=150)
@given(
    partitions=st.integers(1, 27),
    seed=st.integers(0, 2**32 - 1),
    listens=st.booleans(),
    votes=st.sampled_from([0, 0, 3]),
    said=st.lists(said_by(LIAR, SEAL) | said_by(LIAR, SEAL) | replies, max_size=25),
)
def test_in_a_tree_it_spoils_only_what_was_in_its_hands(
    partitions: int, seed: int, listens: bool, votes: int, said: list[Any]
) -> None:
    tree = Believed(Shape.root(partitions, 3), seed, 9, listens, votes)
    tree.deliver(100)
    for one in said:
        if isinstance(one, m.Reply):
            tree.answer(one)
        else:
            tree.lie(one)
        tree.deliver(10)
        tree.check()
    tree.deliver(1500)
    tree.check()
