"""Many timers, one task."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

import trio


class Timers:
    """Calls what is due, in the order of time and then of asking."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._sooner = trio.Event()

    def add(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` after some seconds."""
        due = trio.current_time() + max(0.0, seconds)
        if not self._heap or due < self._heap[0][0]:
            self._sooner.set()
        heappush(self._heap, (due, next(self._order), action))

    async def run(self) -> None:
        """Serve for ever."""
        heap = self._heap
        while True:
            self._sooner = trio.Event()
            with trio.move_on_at(heap[0][0] if heap else math.inf):
                await self._sooner.wait()
            while heap and heap[0][0] <= trio.current_time():
                heappop(heap)[2]()
