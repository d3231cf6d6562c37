"""Lanes: what is on its way, and the time. The test says what is delivered next.

A lane leads from one process to another and keeps its order, as a connection does.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Container, Hashable, Iterable
from itertools import count
from random import Random
from typing import Any

from core import messages as m
from core.messages import Node

STEPS_MAX = 10_000  # several times what the slowest of these trees takes

Action = Callable[[], None]
Lane = tuple[Any, Node]  # from whom, or what of a job, and to whom


class Lanes(ABC):
    """What is delivered to the dead is given to whoever is to hear of that, if anybody."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self.lanes: dict[Lane, deque[tuple[Action, Action | None]]] = {}
        self.timers: list[tuple[float, int, Action]] = []
        self.cut: set[Lane] = set()  # until their sender has noticed
        self._count = count()

    @abstractmethod
    def lives(self, node: Node) -> bool: ...

    @property
    @abstractmethod
    def outcome(self) -> m.Ended | None: ...

    def call_later(self, seconds: float, action: Action) -> None:
        heapq.heappush(self.timers, (self.now + max(0.0, seconds), next(self._count), action))

    def _put(self, lane: Lane, action: Action, otherwise: Action | None = None) -> None:
        if lane not in self.cut:
            self.lanes.setdefault(lane, deque()).append((action, otherwise))

    def busy(self, hold: Container[Hashable] = ()) -> list[Lane]:
        """The lanes with something on its way, but those in `hold`, or from somebody in it."""
        return [lane for lane in self.lanes if lane not in hold and lane[0] not in hold]

    def step(self, lane: Lane) -> None:
        """Deliver what comes next on a lane."""
        self.steps += 1
        self.now += 0.001
        action, otherwise = self.lanes[lane].popleft()
        if not self.lanes[lane]:
            del self.lanes[lane]
        if self.lives(lane[1]):
            action()
        elif otherwise is not None:
            otherwise()

    def tick(self) -> None:
        """Let the time pass until the next timer is due."""
        self.steps += 1
        due, _, action = heapq.heappop(self.timers)
        self.now = max(self.now, due)
        action()

    def settle(self, hold: Container[Hashable] = ()) -> None:
        """Deliver all that is on its way, and what comes of it, before any timer is due."""
        while lanes := self.busy(hold):
            assert self.steps < STEPS_MAX, f"no end after {self.steps} steps"
            for lane in lanes:
                if lane in self.lanes:
                    self.step(lane)

    def run(
        self, random: Random, events: Iterable[Action] = (), steps_max: int = STEPS_MAX
    ) -> None:
        """Deliver in random order, with a timer and one of `events` now and then.

        To the answer, or where there is one already until nothing is on its way.
        """
        over, upcoming = self.outcome is not None, deque(events)
        while over or not self.outcome:
            assert self.steps < steps_max, f"no end after {self.steps} steps"
            lanes = self.busy()
            if upcoming and (random.random() < 0.1 or not (lanes or self.timers)):
                upcoming.popleft()()
            elif lanes and not (self.timers and random.random() < 0.02):
                self.step(lanes[int(random.random() * len(lanes))])
            elif self.timers:
                self.tick()
            else:
                assert over, "nothing is on its way, and nobody will ask again"
                return
