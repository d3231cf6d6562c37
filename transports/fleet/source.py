"""The items for which a function is called, as they are taken from a program's iterables.

Rules it keeps:
- What was taken is kept, whatever interrupts the taking: the next one goes on behind it. So items
  go from an iterator to what keeps them in one call, between which and the next Ctrl-C may come.
- It is given up after some time, with what there is: an iterable may be slow, or become so.
- An iterable that was ended by an interruption, as a generator is, has not come to its end.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any

AT_ONCE = 32  # items, between two looks at the clock
NEVER_SLOW = (range, list, tuple, str, bytes)  # they are not looked at
SLOW_SECONDS = 0.1  # for those
FAST_SECONDS = 2e-6  # an item: what is as fast as that is waited for, even on a busy machine

Item = tuple[Any, ...]


class Source:
    """Items, each of the iterables' next ones, until the shortest ends.

    `taken` are those that nobody has made use of, `error` is what an iterable has raised, which is
    then at its end. `is_late`: taking has lately taken as long as it may. `is_slow`: so long that
    who has something else to do should not begin with it.
    """

    def __init__(self, iterables: tuple[Iterable[Any], ...]) -> None:
        self._items: Iterator[Item]
        self._items = zip(iterables[0]) if len(iterables) == 1 else Together(iterables)
        self._may_be_slow = any(type(one) not in NEVER_SLOW for one in iterables)
        self._is_broken = False
        self._seconds, self._count = 0.0, 0  # since it began
        self.taken: list[Item] = []
        self.error: Exception | None = None
        self.is_late = self.is_slow = False

    def begin(self) -> None:
        """It counts from now on how long taking takes."""
        self._seconds, self._count = 0.0, 0

    def take(self, count: int, seconds: float) -> list[Item]:
        """`taken`, as it grows to so many; fewer where there are no more, or where taking has taken
        so long since it began. Raises what interrupts it."""
        before = len(self.taken)
        try:
            is_over = self._grow(count, seconds)
        except Exception as error:  # noqa: BLE001  it is for whoever takes the results
            is_over, self.error = True, error
        except BaseException as error:
            self._is_broken = _has_ended_a_generator(error.__traceback__)
            raise
        if len(self.taken) > before:
            self._is_broken = False
        if is_over:
            self._items = iter(())
        if is_over and self._is_broken and self.error is None:
            self.error = RuntimeError(
                "an iterable was interrupted and gives no more: what it would have given is missing"
            )
        return self.taken

    def end(self) -> None:
        """There are no more."""
        self._items, self.taken, self.error = iter(()), [], None

    def _grow(self, count: int, seconds: float) -> bool:
        """Whether there are no more."""
        taken, items, clock = self.taken, self._items, time.monotonic
        size, now = len(taken), clock()
        bite = 1 if self._may_be_slow else count
        while size < count:
            self.is_late = self._seconds >= max(seconds, FAST_SECONDS * self._count)
            if self.is_late:
                return False
            bite, before, began = min(bite, count - size), size, now
            taken.extend(islice(items, bite))
            size, now = len(taken), clock()
            self._seconds += now - began
            self._count += size - before
            self.is_slow = now - began >= SLOW_SECONDS
            if size < before + bite:
                return True
            bite = min(2 * bite, AT_ONCE)
        return False


class Together(Iterator[Item]):
    """As `zip`, which loses what it has of an item when the rest is interrupted."""

    def __init__(self, iterables: Iterable[Iterable[Any]]) -> None:
        self._iterators = [iter(one) for one in iterables]
        self._part: list[Any] = []

    def __next__(self) -> Item:
        for iterator in self._iterators[len(self._part) :]:
            before = len(self._part)
            self._part.extend(islice(iterator, 1))
            if len(self._part) == before:
                raise StopIteration
        item = tuple(self._part)
        self._part = []
        return item


def least_length(iterables: tuple[Iterable[Any], ...]) -> int | None:
    """Of the shortest; None where that is not known of all."""
    try:
        return min(len(one) for one in iterables)  # type: ignore[arg-type]
    except TypeError:
        return None


def _has_ended_a_generator(trace: TracebackType | None) -> bool:
    """Whether what was raised came out of one."""
    while trace is not None:
        if trace.tb_frame.f_code.co_flags & inspect.CO_GENERATOR:
            return True
        trace = trace.tb_next
    return False
