"""The simulated clock: SimPy, with one event for all that falls into the same tick.

A heap of a million timeouts costs more than all the work between them; one SimPy event a tick,
shared by every delivery due then, costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import simpy

Function = Callable[[Any, Any, Any], None]
Entry = tuple[Function, Any, Any, Any]
NEAR: Final = (1 << 13) - 1  # the last bits of a tick, by which it is found without a search


class Due:
    """What is due in one tick."""

    def __init__(self, tick: int) -> None:
        self.tick = tick
        self.entries: list[Any] = []  # end to end: a million tuples cost too much
        self.timers = 0  # of the entries, those that no link delivers


NOTHING: Final = Due(-1)


class Clock:
    """Runs entries (a function and its three arguments) in order of tick, then of arrival."""

    def __init__(self, tick_seconds: float) -> None:
        self.env = simpy.Environment()
        self.tick_seconds = tick_seconds
        self.tick = 0
        self.now = 0.0  # seconds; one object a tick, which all that happens in it shares
        self.stopped = False
        self.entries = 0  # run so far
        self.timers = 0  # of the entries run so far, those that no link delivered
        self.after_tick: list[Callable[[], None]] = []
        self.ran: list[Any] = []  # in the last tick, end to end
        self.due: dict[int, Due] = {}  # by tick
        self.near = [NOTHING] * (NEAR + 1)  # of these, such as were asked for last

    def at(self, tick: int, entry: Entry) -> None:
        """Run `entry`, a timer, at `tick`; at the present one, after what is due there already."""
        due = self.near[tick & NEAR]
        if due.tick != tick:
            due = self.search(tick)
        due.timers += 1
        due.entries.extend(entry)

    def count_timer(self, tick: int) -> None:
        """An entry that is due at `tick` is no message."""
        self.due_at(tick).timers += 1

    def put(self, tick: int, entry: Entry) -> None:
        """Run `entry`, a message, at `tick`."""
        self.due_at(tick).entries.extend(entry)

    def due_at(self, tick: int) -> Due:
        """What is due at `tick`, which may be nothing yet."""
        due = self.near[tick & NEAR]
        return due if due.tick == tick else self.search(tick)

    def search(self, tick: int) -> Due:
        """The same, where it was not asked for last."""
        due = self.due.get(tick)
        if due is None:
            self.due[tick] = due = Due(tick)
            self.env.timeout(tick - self.tick).callbacks.append(self._run_tick)
        self.near[tick & NEAR] = due
        return due

    def ticks(self, seconds: float) -> int:
        """The ticks that `seconds` take, rounded up, so that nothing comes too early."""
        return max(0, -int(-seconds // self.tick_seconds))

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(self.tick + self.ticks(seconds), (_call, action, None, None))

    def run(self, until: float | None = None) -> None:
        """Run up to and including `until` seconds, or until stopped, or nothing is left."""
        last = None if until is None else int(until / self.tick_seconds + 1e-9)
        while not self.stopped and (upcoming := self.env.peek()) != float("inf"):
            if last is not None and upcoming > last:
                break
            self.env.step()
        if last is not None and not self.stopped and last > self.tick:
            self.env.run(until=last)  # nothing happens, but the time passes
            self.tick, self.now = last, last * self.tick_seconds

    def _run_tick(self, event: simpy.Event) -> None:
        self.tick = tick = int(self.env.now)
        self.now = tick * self.tick_seconds
        due = self.due[tick]
        entries = due.entries
        each = iter(entries)  # which grow while they run, by what is due without delay
        # Not strict: compiled code would make a tuple of each entry.
        for action, a, b, c in zip(each, each, each, each):  # noqa: B905
            action(a, b, c)
        if len(entries) % 4:
            raise ValueError(f"tick {tick}: an entry has four parts")
        self.ran = entries
        del self.due[tick]
        self.near[tick & NEAR] = NOTHING
        self.entries += len(entries) // 4
        self.timers += due.timers
        for hook in self.after_tick:
            hook()


def _call(action: Callable[[], None], _b: None, _c: None) -> None:
    action()
