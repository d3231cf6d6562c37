"""Items as they are taken from a program's iterables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from transports.fleet import source
from transports.fleet.source import AT_ONCE, Source

HOUR = 3600.0


class Clock:
    """In place of the module `time`: it is what is set here."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(source, "time", clock)
    return clock


def taken(found: Source, count: int = 10**6, seconds: float = HOUR) -> list[Any]:
    """Of one iterable; they are made use of."""
    items, found.taken = found.take(count, seconds), []
    return [item for (item,) in items]


class Interrupted(Iterator[int]):
    """Before each of these it is interrupted once. It can go on."""

    def __init__(self, count: int, *at: int) -> None:
        self._next, self._count, self._at = 0, count, [*at]

    def __next__(self) -> int:
        if self._next in self._at:
            self._at.remove(self._next)
            raise KeyboardInterrupt
        if self._next == self._count:
            raise StopIteration
        self._next += 1
        return self._next - 1


def generated(count: int, *at: int) -> Iterator[int]:
    """The same, but what is interrupted has ended."""
    yield from Interrupted(count, *at)


def all_of(found: Source) -> tuple[list[Any], int]:
    """What is taken, and how often it was interrupted."""
    items: list[Any] = []
    times = 0
    while True:
        try:
            more = found.take(7, HOUR)
        except KeyboardInterrupt:
            times += 1
            continue
        if not more:
            return items, times
        items += more
        found.taken = []


def test_what_was_taken_before_an_interruption_is_kept() -> None:
    items, times = all_of(Source((Interrupted(50, 0, 3, 20, 50),)))
    assert times == 4
    assert items == [(number,) for number in range(50)]


def test_also_a_part_of_an_item() -> None:
    found = Source((range(60), Interrupted(50, 0, 3, 20, 50), Interrupted(55, 7)))
    items, times = all_of(found)
    assert times == 5
    assert items == [(number,) * 3 for number in range(50)]


def test_together_they_are_as_those_of_zip() -> None:
    def twice() -> tuple[Iterator[int], Iterator[int]]:
        numbers = iter(range(9))
        return numbers, numbers

    first, second = twice()
    assert Source((first, second)).take(9, HOUR) == [*zip(*twice(), strict=False)]
    assert next(first, None) is None
    numbers = iter(range(9))
    assert Source(("ab", numbers)).take(9, HOUR) == [("a", 0), ("b", 1)]
    assert next(numbers) == 2


def through(numbers: Iterable[int]) -> Iterable[int]:
    return map(abs, numbers)


@pytest.mark.parametrize("wrapped", [iter, through])
def test_a_generator_that_was_interrupted_is_not_at_its_end(
    wrapped: Callable[[Iterable[int]], Iterable[int]],
) -> None:
    found = Source((wrapped(generated(9, 5)),))
    items, times = all_of(found)
    assert times == 1
    assert items == [(number,) for number in range(5)]
    assert isinstance(found.error, RuntimeError)
    assert "missing" in str(found.error)


def test_what_an_iterable_raises_is_its_end() -> None:
    def some() -> Iterator[int]:
        yield 1
        raise KeyError("no more")

    found = Source((some(),))
    assert taken(found) == [1]
    assert isinstance(found.error, KeyError)
    assert taken(found) == []


def slow(clock: Clock, seconds: float, after: int = 0) -> Iterator[int]:
    """After some that take no time."""
    for number in itertools.count():
        clock.now += seconds if number >= after else 0.0
        yield number


def test_what_is_slow_is_given_up_for_a_while(clock: Clock) -> None:
    found = Source((slow(clock, 1.0),))
    for number in range(3):
        found.begin()
        assert taken(found, seconds=0.1) == [number]
        assert found.is_late
        assert found.is_slow
    found.begin()
    assert len(taken(found, 4, seconds=HOUR)) == 4
    assert not found.is_late


def test_what_becomes_slow_is_waited_for_a_little(clock: Clock) -> None:
    found = Source((slow(clock, 1.0, after=1000),))
    assert 1000 < len(taken(found, seconds=0.1)) <= 1000 + AT_ONCE


def test_what_is_fast_is_not_given_up_where_all_is_slow(clock: Clock) -> None:
    found = Source((slow(clock, 1e-6),))
    assert len(taken(found, 10**6, seconds=0.1)) == 10**6
