"""What is to be done in a process, one thing after the other.

Rules it keeps:
- Everything that happens, wherever it comes from, is put into one queue, and one task does one
  thing after the other. So a handler of the core never runs within another, and what is said
  within the process takes the same way as what is said to another, without a socket.
- `now` stands still while one thing is done: all that follows from it has one time.
- What fails here is logged, and all else goes on.
"""

from __future__ import annotations

import logging
import math
import traceback
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from transports.logs import event, log
from transports.timers import Timers

QUEUE_MAX = 10_000  # things to do; above it nothing is read from the connections
TURN = 100  # things are done before others on the loop have theirs


class Queue:
    """Things to do, and what is due later."""

    def __init__(self) -> None:
        self.now = trio.current_time()
        self._queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._timers = Timers()
        self._more = trio.lowlevel.ParkingLot()
        self._room = trio.lowlevel.ParkingLot()
        self._failures: set[tuple[str, str]] = set()  # what has failed so far, and where

    def __len__(self) -> int:
        return len(self._queue)

    def post(self, action: Callable[..., object], *arguments: Any) -> None:
        """Have `action` done after what is in the queue already."""
        self._queue.append((action, arguments))
        if self._more:  # it waits
            self._more.unpark()

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Have `action` done after some seconds."""
        self._timers.add(seconds, partial(self.post, action))

    def look_at_clock(self) -> None:
        """For whatever is done before the first thing in the queue."""
        self.now = trio.current_time()

    async def run(self, after_each_turn: Callable[[], None]) -> None:
        """Do what there is to do, for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._timers.run)
            await self._run(after_each_turn)

    async def _run(self, after_each_turn: Callable[[], None]) -> None:
        while True:
            if not self._queue:
                await self._more.park()
            for _ in range(min(TURN, len(self._queue))):
                action, arguments = self._queue.popleft()
                self.now = trio.current_time()
                self.do(action, arguments)
            after_each_turn()
            if not self.is_full:
                self._room.unpark(count=TURN if self._queue else math.inf)
            await trio.lowlevel.checkpoint()

    def do(self, action: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """Do one thing. If it fails, that is told."""
        try:
            action(*arguments)
        except Exception as error:  # noqa: BLE001  it is ours, but is not to end what else goes on
            self.failed(error, action=_name(action))

    def failed(self, error: Exception, **about: object) -> None:
        """Something fails here, which ought not to be possible. It is told once."""
        lines = traceback.format_exception(error)
        kind = type(error).__name__, "".join(lines[-2:-1])
        if kind not in self._failures:
            self._failures.add(kind)
            event(logging.ERROR, "failed", **about, where="".join(lines[-3:])[-250:])
            log.debug("failed", exc_info=error)

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be read from the connections for now."""
        return len(self._queue) >= QUEUE_MAX

    async def wait_for_room(self) -> None:
        """Until something was done. Others may have been quicker to take the room."""
        await self._room.park()


def _name(action: Callable[..., object]) -> str:
    """That of a function, also within a partial one."""
    while isinstance(action, partial):
        action = action.func
    return getattr(action, "__qualname__", type(action).__name__)
