"""Trees that grow at random, and what must be so of each at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from hypothesis import strategies as st

from core import Shape
from core import messages as m
from core.sessions import Store
from tests.core.harness import SUBMITTER, Net
from tests.core.lanes import Action
from tests.core.spans import sequential

NODES = st.integers(1, 20)
PARTITIONS = st.integers(1, 40)
FANOUTS = st.integers(2, 5)
SEEDS = st.integers(0, 2**32 - 1)


class Life:
    """Nodes that arrive, leave and lose connections at random."""

    def __init__(self, net: Net, random: Random, listening: float = 1.0) -> None:
        self.net = net
        self.random = random
        self.listening = listening

    def events(self, nodes: int, leaving: float = 0.0, breaking: float = 0.0) -> Iterator[Action]:
        for node in range(1, nodes + 1):
            yield lambda node=node: self._arrive(node)
            if self.random.random() < leaving:
                yield self._leave
            if self.random.random() < breaking:
                yield self._break

    def _arrive(self, node: int) -> None:
        self.net.arrive(node, listens=self.random.random() < self.listening)

    def _leave(self) -> None:
        """Somebody goes, but never the submitter nor the last; what it had sent may be lost."""
        nodes = [process.node for process in self.net.live() if process.node != SUBMITTER]
        keep: Callable[[int], int] = self.random.choice(
            [lambda sent: sent, lambda sent: 0, lambda sent: self.random.randint(0, sent)]
        )
        if len(nodes) > 1:
            self.net.leave(self.random.choice(nodes), keep)

    def _break(self) -> None:
        live = {process.node for process in self.net.live()}
        pairs = [pair for pair in self.net.connected if live >= {*pair}]
        if pairs:
            self.net.disconnect(*self.random.choice(pairs))


def grown(
    nodes: int,
    partitions: int,
    fanout: int,
    seed: int,
    job: Any = None,
    compare: bool = False,
    listening: float = 1.0,
    keep_going: bool = False,
    **troubles: float,
) -> Net:
    """A tree that ran to its answer, and until everyone had heard of it."""
    random = Random(seed)
    net = Net(Shape.root(partitions, fanout, keep_going), job, compare)
    net.submit()
    net.run(random, list(Life(net, random, listening).events(nodes, **troubles)))
    net.run(random)
    return net


def restarted(
    nodes: int,
    partitions: int,
    fanout: int,
    seed: int,
    store: Store | None,
    listening: float = 1.0,
    **troubles: float,
) -> Net:
    """A tree that ran to its answer, the submitter being lost and restarted now and then."""
    random = Random(seed)
    net = Net(Shape.root(partitions, fanout), store=store)
    net.submit()

    def lose() -> None:
        if net.processes[SUBMITTER].alive:
            net.leave(SUBMITTER, random.choice([lambda sent: sent, lambda sent: 0]))

    def begin() -> None:
        if not net.processes[SUBMITTER].alive:
            net.restart()

    events: list[Action] = []
    for event in Life(net, random, listening).events(nodes, **troubles):
        events.append(event)
        if random.random() < 0.3:
            events.append(random.choice([lose, begin]))
    net.run(random, [*events, begin])
    begin()
    net.run(random)
    return net


def check_result(net: Net) -> None:
    assert net.outcome == m.Ended(sequential(net.shape.partitions), None)
    assert {index for _, index in net.computed} >= set(range(net.shape.partitions))


def check_released(net: Net) -> None:
    """Everyone alive has been told that it is over, and nobody dead has a seat."""
    live = {process.node for process in net.live()}
    assert {process.node for process in net.live() if process.ended} == live
    assert all(ended == net.outcome for process in net.live() for ended in process.ended)
    for reflector in net.open_reflectors():
        assert reflector.members.keys() <= live
        assert reflector.admission.standbys.keys() <= live
