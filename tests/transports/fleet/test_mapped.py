"""Results in order, as they are taken: what is submitted for them, and when. There is no fleet:
what it would compute is computed here as soon as it is submitted."""

from __future__ import annotations

import itertools
import pickle
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from core.messages import Failure
from transports.fleet import calling, source
from transports.fleet.errors import JobFailed
from transports.fleet.mapped import Mapped
from transports.fleet.mapping import CallFailed

JOBS: list[list[int]] = []  # how many calls the chunks of each have


TOLD = 2  # failures, of each


class Here:
    """A job that was computed here."""

    def __init__(
        self, value: dict[str, Any], partitions: int, title: str, keep_going: bool
    ) -> None:
        parts = calling.prepare(value, [1] * partitions)
        JOBS.append([len(pickle.loads(chunk)) for chunk in value["chunks"]])  # noqa: S301
        self._outputs: list[Any] = []
        self._error: JobFailed | None = None
        self._failures: list[Failure] = []
        for index, part in enumerate(parts):
            try:
                self._outputs.append(calling.compute(part, index))
            except Exception as error:  # noqa: BLE001  whatever a job raises
                failure = Failure("0", index, f"Traceback\n{type(error).__name__}")
                self._failures.append(failure)
        if self._failures and not (keep_going and self._outputs):
            self._error = JobFailed(1, self._failures[0])

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._outputs

    def failures(self) -> list[Failure]:
        return self._failures[:TOLD]

    def cancel(self) -> bool:
        return False

    def cancel_soon(self) -> None:
        pass

    def _is_over(self, seconds: float) -> bool:
        return True


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is no computing process: it goes on with its path."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    JOBS.clear()


def mapped(
    function: Any,
    *iterables: Iterable[Any],
    goes_on: bool = False,
    chunk: int | None = None,
    nodes: int = 4,
) -> Mapped:
    return Mapped(Here, function, iterables, nodes, goes_on, chunk)


def same(item: Any) -> Any:
    return item


# -- what cannot be a result ---------------------------------------------------------------


class Unreadable:
    def __reduce__(self) -> Any:
        return int, ("no number",)


class Ending:
    """It is the end of an iterator for whoever reads it."""

    def __reduce__(self) -> Any:
        return next, (iter(()),)


class Exiting:
    def __reduce__(self) -> Any:
        return sys.exit, (3,)


KINDS = [(Unreadable, ValueError), (Ending, RuntimeError), (Exiting, CallFailed)]


@pytest.mark.parametrize(("kind", "error"), KINDS)
@pytest.mark.parametrize("chunk", [None, 1, 10])
def test_what_cannot_be_read_here_takes_no_others_with_it(
    kind: Any, error: type[Exception], chunk: int | None
) -> None:
    def some(number: int) -> Any:
        return kind() if number in (50, 53, 99) else number

    found = [*mapped(some, range(100), goes_on=True, chunk=chunk)]
    assert {at for at, one in enumerate(found) if isinstance(one, error)} == {50, 53, 99}
    assert [one for one in found if not isinstance(one, error)] == [
        number for number in range(100) if number not in (50, 53, 99)
    ]
    assert found[53].__notes__ == ["item 53"]


def test_it_is_raised_behind_the_results_before_it() -> None:
    results = mapped(lambda number: Unreadable() if number == 25 else number, range(99), chunk=10)
    assert [*itertools.islice(results, 25)] == [*range(25)]
    with pytest.raises(ValueError, match="no number") as raised:
        next(results)
    assert raised.value.__notes__ == ["item 25"]
    assert [1] * 10 in JOBS


def test_what_another_machine_may_know_is_called_by_itself() -> None:
    """Then a fleet tries it elsewhere. What came of the calls before it is not called again."""

    def some(number: int) -> int:
        if number == 25:
            raise MemoryError
        return number

    results = mapped(some, range(99), chunk=10)
    assert [*itertools.islice(results, 25)] == [*range(25)]
    with pytest.raises(JobFailed, match="MemoryError") as raised:
        next(results)
    assert "item 25" in raised.value.__notes__
    assert [1] * 5 in JOBS


def test_of_what_fails_as_a_whole_it_is_said_which_items_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = mapped(same, range(99), chunk=10)
    failed = JobFailed(1, Failure("0", 2, "exit code 3"))
    monkeypatch.setattr(results._windows[1].job, "_error", failed)
    assert [*itertools.islice(results, 40)] == [*range(40)]
    with pytest.raises(JobFailed) as raised:
        next(results)
    assert "one of the items 60 to 69" in raised.value.__notes__


class Lost(MemoryError):
    """In place of what ends the process that computes it."""


@pytest.mark.parametrize("chunk", [1, 3, 10])
@pytest.mark.parametrize("lost", [[5], [5, 6, 50], [*range(0, 99, 7)], [*range(40, 100)]])
def test_calls_that_are_lost_take_no_others_with_them(
    chunk: int, lost: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ending(setup: Any, calls: list[tuple[int]]) -> list[Any]:
        if {*lost} & {number for (number,) in calls}:
            raise Lost
        return [Unreadable() if number == 8 else number for (number,) in calls]

    monkeypatch.setattr(calling, "called", ending)
    found = [*mapped(same, range(100), goes_on=True, chunk=chunk)]
    missing = {*lost, 8}
    assert [one for one in found if isinstance(one, int)] == [
        number for number in range(100) if number not in missing
    ]
    for at in missing:
        assert isinstance(found[at], CallFailed | ValueError)
        assert found[at].__notes__ == [f"item {at}"]


# -- what would look like the end ----------------------------------------------------------


def test_a_call_that_raises_the_end_of_an_iterator_does_not_end_the_results() -> None:
    for kind in (StopIteration, StopAsyncIteration):

        def some(number: int, kind: Any = kind) -> int:
            if number == 3:
                raise kind
            return number

        results = mapped(some, range(6))
        assert [*itertools.islice(results, 3)] == [0, 1, 2]
        with pytest.raises(RuntimeError, match=kind.__name__) as raised:
            next(results)
        assert raised.value.__notes__ == ["item 3"]


def test_nor_does_an_argument_when_it_is_pickled() -> None:
    class Ended:
        def __reduce__(self) -> Any:
            raise StopIteration

    results = mapped(same, itertools.chain(range(8), [Ended()], range(9)), chunk=1)
    with pytest.raises(RuntimeError):
        list(results)


# -- interruptions -------------------------------------------------------------------------


class Interrupting:
    """It interrupts whoever pickles it for the first time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_new = True

    def __reduce__(self) -> Any:
        if self.is_new:
            self.is_new = False
            raise KeyboardInterrupt
        return int, (self.number,)


def test_nothing_is_missing_after_an_interruption() -> None:
    def items() -> Iterator[Any]:
        yield from range(30)
        for number in range(30, 100):
            yield Interrupting(number) if number % 10 == 0 else number

    results, found, times = mapped(same, items(), chunk=3), [], 0
    while True:
        try:
            found.append(next(results))
        except KeyboardInterrupt:
            times += 1
        except StopIteration:
            break
    assert times == 7
    assert found == [*range(100)]


# -- what is slow --------------------------------------------------------------------------


def test_known_results_are_given_before_more_is_taken_where_that_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, taken = 0.0, 0
    monkeypatch.setattr(source, "time", SimpleNamespace(monotonic=lambda: now))

    def slow() -> Iterator[int]:
        nonlocal now, taken
        for number in itertools.count():
            now += 1.0
            taken += 1
            yield number

    results = mapped(same, slow())
    for number in range(9):
        assert next(results) == number
        assert taken == number + 1


def test_what_is_fast_is_as_few_jobs_as_nodes_need() -> None:
    assert [*mapped(same, (number for number in range(100)), chunk=5)] == [*range(100)]
    assert JOBS == [[5] * 4, [5] * 4, [5] * 12]


@pytest.fixture
def taking_turns() -> Iterator[None]:
    """Threads, after hardly anything."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("taking_turns")
def test_threads_are_given_each_result_once_and_errors_with_their_items() -> None:
    def some(number: int) -> int:
        if number % 7 == 3:
            raise LookupError(number)
        return number

    results = mapped(some, range(2000), goes_on=True, chunk=50)
    with ThreadPoolExecutor(4) as pool:
        taken = [one for found in pool.map(lambda _: [*results], range(4)) for one in found]
    errors = {one.args[0]: one.__notes__ for one in taken if isinstance(one, LookupError)}
    assert errors == {number: [f"item {number}"] for number in range(3, 2000, 7)}
    numbers = sorted(one for one in taken if isinstance(one, int))
    assert numbers == [number for number in range(2000) if number % 7 != 3]
    assert len(taken) == 2000
