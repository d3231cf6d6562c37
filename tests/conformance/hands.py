"""In place of what runs a job's functions: the case decides when a piece is done.

It is the sessions and what carries their messages that are under test here, not the computing, so
the functions are called directly. Where a transport is to compute by itself, `test_same` has it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import trio

from core import Worker
from core import messages as m
from core.messages import Node, Value
from core.sessions.states import GONE

PIECE_SECONDS = 1.0  # what each piece is said to take, so that nobody is given several at once

Post = Callable[..., None]


class Job:
    """Lists its partitions, so that one that is lost, doubled or out of place is seen."""

    def prepare(self, value: Value, sizes: list[int]) -> list[Value]:
        return [value] * len(sizes)

    def compute(self, value: Value, index: int) -> Value:
        return [value, index]

    def collect(self, outputs: list[Value]) -> Value:
        return [item for output in outputs for item in output]


def answer(value: Value, partitions: int) -> Value:
    """What one alone would come to."""
    return Job().collect([Job().compute(value, index) for index in range(partitions)])


class Hands:
    """All pieces of one deployment. `begun`: who was told to compute which partition, in order."""

    def __init__(self) -> None:
        self.job = Job()
        self.begun: list[tuple[Node, int]] = []
        self._held: dict[Node, list[Callable[[], None]]] = defaultdict(list)
        self._holding = True

    def port(self, post: Post) -> Port:
        """What one process hands its pieces to; `post` has something done there."""
        return Port(self, post)

    def begin(self, node: Node, partitions: list[int], finish: Callable[[], None]) -> None:
        self.begun += [(node, partition) for partition in partitions]
        if self._holding:
            self._held[node].append(finish)
        else:
            finish()

    def busy(self, node: Node) -> bool:
        """Whether a piece is held."""
        return bool(self._held.get(node))

    def finish(self, *nodes: Node) -> None:
        """What these hold is done."""
        for node in nodes:
            for finish in self._held.pop(node):
                finish()

    def let_go(self) -> None:
        """All is done now, and what comes from now on at once."""
        self._holding = False
        self.finish(*list(self._held))

    def times(self, partition: int) -> int:
        """How often a partition was begun."""
        return sum(1 for _, begun in self.begun if begun == partition)


class Port:
    """The part of the core's port that is about a job's functions, for one process."""

    def __init__(self, hands: Hands, post: Post) -> None:
        self._hands = hands
        self._post = post

    async def run(self) -> None:
        """There is nothing to serve."""
        await trio.sleep_forever()

    def compute(self, worker: Worker, command: m.Compute) -> None:
        partitions = [command.first + slot for slot in command.slots]

        def finish() -> None:
            outputs = list(map(self._hands.job.compute, command.inputs, partitions))
            seconds = PIECE_SECONDS * len(outputs)
            self._say(worker, worker.computed, command.session, command.slots, outputs, seconds)

        self._hands.begin(worker.node, partitions, finish)

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        self._say(worker, worker.prepared, session, self._hands.job.prepare(value, sizes))

    def collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        self._say(worker, worker.collected, session, self._hands.job.collect(outputs))

    def _say(self, worker: Worker, action: Callable[..., None], *arguments: Any) -> None:
        if worker.state is not GONE:
            self._post(action, *arguments)
