"""Functions of a program, called for many items by a fleet of its own."""

from __future__ import annotations

import importlib
import itertools
import os
import pickle
import sys
import threading
import time
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from errno import ENOSPC
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.processes import until
from transports.fleet import calling
from transports.fleet.bulk import TooLarge
from transports.fleet.calling import Done, Raised, packed, packed_setup
from transports.fleet.errors import JobFailed
from transports.fleet.face import Fleet
from transports.fleet.mapping import (
    CHUNKS_A_NODE,
    FUNCTION_BYTES_MAX,
    WINDOWS,
    CallFailed,
    RemoteTraceback,
)
from transports.net.fields import TITLE_LENGTH_MAX
from transports.net.limits import FRAME_BYTES_MAX
from transports.values import files


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet(nodes=4) as made:
        yield made


def square(number: int) -> int:
    return number * number


class Odd(Exception):
    """One that cannot travel, whatever has been taught to the library that pickles."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")
        self.lock = threading.Lock()


def raising(number: int) -> int:
    if number % 10 == 7:
        raise KeyError(number)
    if number % 10 == 9:
        raise Odd(number, 1)
    return number


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is no computing process: it goes on with its path."""
    monkeypatch.setattr(sys, "path", [*sys.path])


# -- the job -------------------------------------------------------------------------------


def computed(chunk: list[tuple[Any, ...]], goes_on: bool) -> list[Any]:
    setup = packed_setup(raising, None, goes_on)
    (part,) = calling.prepare({"setup": setup, "chunks": [packed(chunk)]}, [1])
    data = calling.compute(part, 0)
    assert isinstance(data, bytes)
    (found,) = calling.collect([data])
    done: Done = pickle.loads(found)  # noqa: S301
    return done.results


def test_a_chunk_ends_with_the_first_call_that_raises_unless_it_is_to_go_on() -> None:
    chunk = [(number,) for number in (6, 7, 8, 9)]
    assert [type(one) for one in computed(chunk, False)] == [int, Raised]
    six, seven, eight, nine = computed(chunk, True)
    assert (six, eight) == (6, 8)
    assert isinstance(seven.error, KeyError)
    assert seven.error.args == (7,)
    assert nine.error is None  # it cannot be read again
    assert nine.text.rstrip().endswith("Odd: 9 and 1")


def called(function: Callable[..., Any], count: int, goes_on: bool) -> list[Any]:
    return calling.called(calling.Setup(function, None, goes_on, ()), [(n,) for n in range(count)])


@pytest.mark.parametrize("error", [MemoryError(), ModuleNotFoundError("x"), OSError(ENOSPC, "x")])
def test_what_may_be_better_elsewhere_is_raised_by_a_call_alone(error: Exception) -> None:
    def some(number: int) -> int:
        if number % 2 == 0:
            raise error
        return number

    with pytest.raises(type(error)):
        called(some, 1, False)
    assert called(some, 4, False) == []  # it is to be called alone
    assert [one for one in called(some, 4, True) if isinstance(one, int)] == [1, 3]
    assert called(some, 1, True)[0].error is error


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), CancelledError(), GeneratorExit()]
)
def test_what_would_end_whoever_takes_it_is_told_of_only(error: BaseException) -> None:
    def some(number: int) -> int:
        if number == 1:
            raise error
        return number

    one, ended, three = called(some, 3, True)
    assert (one, three) == (0, 2)
    assert ended.error is None
    assert type(error).__name__ in ended.text
    assert [type(one) for one in called(some, 3, False)] == [int, Raised]


def test_an_exception_that_cannot_be_shown_is_one() -> None:
    class Unshown(Exception):
        @property
        def __notes__(self) -> Any:
            raise KeyError

    def some(number: int) -> int:
        raise Unshown

    assert isinstance(called(some, 1, True)[0].error, Unshown)


def test_a_child_of_a_call_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pids = itertools.count()
    monkeypatch.setattr(calling.os, "getpid", lambda: next(pids))
    with pytest.raises(SystemExit):
        called(sys.exit, 2, True)


@pytest.mark.parametrize("sizes", [[1], [2, 1], [1, 1, 1], [3, 0, 2]])
def test_chunks_are_cut_as_the_slots_are(sizes: list[int]) -> None:
    chunks = [bytes([number]) for number in range(sum(sizes))]
    parts = calling.prepare({"setup": b"", "chunks": chunks}, sizes)
    assert [len(part["chunks"]) for part in parts] == sizes
    assert [chunk for part in parts for chunk in part["chunks"]] == chunks


# -- a fleet -------------------------------------------------------------------------------


def test_results_come_in_order(fleet: Fleet) -> None:
    assert list(fleet.map(square, range(5_000))) == [square(number) for number in range(5_000)]
    assert list(fleet.map(lambda a, b: a + b, "abc", "defg")) == ["ad", "be", "cf"]
    assert list(fleet.map(square, [])) == []


def test_of_an_endless_iterable_only_so_much_is_taken(fleet: Fleet) -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    results = fleet.map(square, numbers(), chunk=3)
    assert list(itertools.islice(results, 40)) == [square(number) for number in range(40)]
    assert len(taken) <= 40 + (WINDOWS + 1) * CHUNKS_A_NODE * 4 * 3
    results.close()
    assert list(results) == []


def test_an_exception_is_raised_where_its_result_is_taken(fleet: Fleet) -> None:
    results = fleet.map(raising, range(20), chunk=4)
    assert list(itertools.islice(results, 7)) == list(range(7))
    with pytest.raises(KeyError, match="7") as raised:
        next(results)
    assert isinstance(raised.value.__cause__, RemoteTraceback)
    assert "raise KeyError(number)" in str(raised.value.__cause__)
    assert raised.value.__notes__ == ["item 7"]
    assert next(results, None) is None


def test_what_an_iterable_raises_comes_behind_the_results_before_it(fleet: Fleet) -> None:
    def some() -> Iterator[int]:
        yield from range(20)
        raise KeyError("no more")

    mapped = fleet.map(square, some())
    assert list(itertools.islice(mapped, 20)) == [number * number for number in range(20)]
    with pytest.raises(KeyError, match="no more"):
        next(mapped)
    assert next(mapped, None) is None


def test_what_does_not_fit_leaves_nothing_behind(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BLOB_BYTES_MAX", 2**21)
    with pytest.raises(TooLarge):
        fleet.map(len, ["x", *["x" * 2**22] * 9])
    assert not [row for row in fleet.jobs() if row["state"] in ("queued", "running")]


def test_exceptions_may_be_results(fleet: Fleet) -> None:
    found = list(fleet.map(raising, range(20), return_exceptions=True))
    assert [type(one).__name__ for one in found if not isinstance(one, int)] == [
        "KeyError",
        "CallFailed",
        "KeyError",
        "CallFailed",
    ]
    assert found[8] == 8


class Unreadable:
    def __reduce__(self) -> Any:
        return int, ("no number",)


def without_room(number: int) -> int:
    raise MemoryError("no room")


def without_module(number: int) -> Any:
    import no_such_module  # type: ignore[import-not-found]

    return no_such_module


def cancelling(number: int) -> None:
    raise CancelledError


def first_of_none(number: int) -> Any:
    return next(iter(()))


def unreadable(number: int) -> Unreadable:
    return Unreadable()


FAILING = {
    without_room: ("MemoryError", JobFailed),
    without_module: ("ModuleNotFoundError", JobFailed),
    sys.exit: ("CallFailed", CallFailed),
    cancelling: ("CallFailed", CallFailed),
    first_of_none: ("RuntimeError", RuntimeError),
    unreadable: ("ValueError", ValueError),
}


@pytest.mark.parametrize(("function", "kinds"), FAILING.items())
def test_whatever_a_call_raises_the_others_go_on(
    fleet: Fleet, function: Callable[..., Any], kinds: tuple[str, type[Exception]]
) -> None:
    def some(number: int) -> Any:
        return function(number) if number == 50 else number

    found = [*fleet.map(some, range(100), return_exceptions=True)]
    error = found.pop(50)
    assert found == [*range(50), *range(51, 100)]
    assert type(error).__name__ == kinds[0]
    assert error.__notes__ == ["item 50"]


@pytest.mark.parametrize(("function", "kinds"), FAILING.items())
def test_or_it_is_known_which_one_it_was(
    fleet: Fleet, function: Callable[..., Any], kinds: tuple[str, type[Exception]]
) -> None:
    def some(number: int) -> Any:
        return function(number) if number == 25 else number

    results = fleet.map(some, range(100), chunk=10)
    assert [*itertools.islice(results, 25)] == [*range(25)]
    with pytest.raises(kinds[1]) as raised:
        list(results)
    assert "item 25" in raised.value.__notes__


def test_a_call_that_ends_its_process_is_an_error_among_results(fleet: Fleet) -> None:
    def some(number: int) -> int:
        return os._exit(3) if number == 25 else number

    found = [*fleet.map(some, range(100), chunk=10, return_exceptions=True)]
    error = found.pop(25)
    assert found == [*range(25), *range(26, 100)]
    assert isinstance(error, CallFailed)
    assert "exit code 3" in str(error)
    assert error.__notes__ == ["item 25"]


def test_results_are_reduced_where_they_are(fleet: Fleet) -> None:
    assert fleet.map_reduce(square, range(1_000), reduce=sum) == sum(map(square, range(1_000)))
    words = ["a", "b", "c"] * 7
    assert fleet.map_reduce(str.upper, words, reduce="".join) == "ABC" * 7
    with pytest.raises(ValueError, match="no items"):
        fleet.map_reduce(square, [], reduce=sum)


def test_what_a_call_raises_says_which_item_it_was_and_in_which_line(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Also of a function of which nobody else knows where it is from."""
    file, names = tmp_path / "strange.py", dict[str, Any]()
    file.write_text("\ndef f(x):\n    return 1 // (x - 37)\n")
    exec(compile(file.read_text(), str(file), "exec"), names)  # noqa: S102
    line = f'File "{file}", line 3, in f\n    return 1 // (x - 37)'
    with pytest.raises(JobFailed, match=r"ZeroDivisionError: .* [(]item 37[)]$") as failed:
        fleet.map_reduce(names["f"], range(100), reduce=sum)
    assert line in failed.value.failure.error
    with pytest.raises(ZeroDivisionError) as raised:
        list(fleet.map(names["f"], range(100)))
    assert line in str(raised.value.__cause__)
    assert raised.value.__notes__ == ["item 37"]


def test_a_module_of_the_program_is_found(fleet: Fleet, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "helper_of_a_program.py").write_text("def twice(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import helper_of_a_program  # type: ignore[import-not-found]

    assert list(fleet.map(helper_of_a_program.twice, [1, 2])) == [2, 4]


def test_a_module_that_was_edited_is_loaded_anew(
    fleet: Fleet, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "edited_for_tests.py"
    path.write_text("def f(x): return 1\n")
    module = importlib.import_module("edited_for_tests")
    assert [*fleet.map(module.f, range(9))] == [1] * 9
    path.write_text("def f(x): return 22\n")
    assert [*fleet.map(importlib.reload(module).f, range(9))] == [22] * 9


def test_a_module_that_can_be_loaded_once_only_is(
    fleet: Fleet, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    text = "import sys\nassert not hasattr(sys, 'once')\nsys.once = 1\ndef f(x): return x\n"
    (tmp_path / "once_for_tests.py").write_text(text)
    module = importlib.import_module("once_for_tests")
    monkeypatch.delattr(sys, "once")
    for _ in range(3):
        assert [*fleet.map(module.f, range(9))] == [*range(9)]


def test_very_many_calls_are_few_jobs(fleet: Fleet) -> None:
    assert list(fleet.map(square, range(3))) == [0, 1, 4]
    before = fleet.jobs()[-1]["number"]
    assert sum(fleet.map(bool, range(300_000))) == 299_999
    assert fleet.jobs()[-1]["number"] - before <= 5


def test_what_is_large_travels_a_little_at_a_time(fleet: Fleet) -> None:
    """All arguments, or all results, would be more than one job may have."""
    size, count = 2**19, FRAME_BYTES_MAX // 2**19 + 8
    arguments = (bytes(size) for _ in range(count))
    assert list(fleet.map(len, arguments)) == [size] * count
    results = fleet.map(bytes, (size for _ in range(count)))
    assert [len(result) for result in results] == [size] * count


def waiting_from_the_eighth(number: int) -> int:
    if number >= 8:
        time.sleep(3600)
    return number


def test_what_nobody_takes_results_of_any_more_is_ended(fleet: Fleet) -> None:
    for _ in fleet.map(waiting_from_the_eighth, range(40), chunk=1):
        break
    until(lambda: not any(row["state"] in ("queued", "running") for row in fleet.jobs()))


def test_threads_share_the_results_of_a_map(fleet: Fleet) -> None:
    found = fleet.map(square, range(3000))
    with ThreadPoolExecutor(4) as pool:
        taken = [*pool.map(lambda _: [*found], range(4))]
    assert sorted(number for some in taken for number in some) == [n**2 for n in range(3000)]


@pytest.mark.parametrize("chunk", [0, 1.5, True, "2"])
def test_a_chunk_is_a_whole_number(chunk: Any, fleet: Fleet) -> None:
    with pytest.raises(ValueError, match="chunk must be a whole number, 1 or more, not "):
        fleet.map(square, range(9), chunk=chunk)


def test_there_is_something_to_call_it_for(fleet: Fleet) -> None:
    with pytest.raises(TypeError, match="there is nothing to call it for: give an iterable"):
        fleet.map(square)


def test_what_cannot_travel_is_said_at_once(fleet: Fleet) -> None:
    lock = threading.Lock()
    with pytest.raises(TypeError, match="cannot travel"):
        fleet.map(lambda _: lock, [1])
    large = bytes(FUNCTION_BYTES_MAX)
    with pytest.raises(TypeError, match="at most"):
        fleet.map(lambda _: large, [1])


def test_jobs_are_told_as_they_end(fleet: Fleet) -> None:
    jobs = [fleet.submit("plugins.primes", input=number, partitions=3) for number in (10, 100)]
    ended = list(fleet.as_completed(jobs, timeout=60))
    assert {*ended} == {*jobs}
    assert [job.result() for job in jobs] == [4, 25]


class Named:
    """A function that is an object."""

    def __call__(self, number: int) -> int:
        return number


def test_jobs_of_calls_have_the_name_of_what_is_called(fleet: Fleet) -> None:
    (odd := Named()).__dict__["__name__"] = "\ud800" + "x" * 1000
    for function, name in (
        (square, "square"),
        (partial(partial(square)), "square"),
        (Named(), "Named"),
        (odd, "\\ud800" + "x" * TITLE_LENGTH_MAX),
    ):
        assert list(fleet.map(function, [1])) == [1]
        assert fleet.map_reduce(function, [1], reduce=sum) == 1
        with fleet.executor() as pool:
            assert pool.submit(function, 1).result() == 1
        assert [row["job"] for row in fleet.jobs()[-3:]] == 3 * [name[:TITLE_LENGTH_MAX]]
