"""A fleet as a backend of joblib."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from multiprocessing import TimeoutError as Late
from typing import Any

import pytest

joblib = pytest.importorskip("joblib")

from tests.processes import until  # noqa: E402
from transports import Fleet  # noqa: E402
from transports.fleet.executor import Called  # noqa: E402

Parallel, delayed = joblib.Parallel, joblib.delayed


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet(nodes=4, processes=1) as made:
        yield made


@pytest.fixture(autouse=True)
def used(fleet: Fleet) -> Iterator[None]:
    with fleet.joblib():
        yield


def square(number: int) -> int:
    return number * number


def raising(number: int) -> int:
    if number == 7:
        raise LookupError(number)
    return number


def nested(number: int) -> tuple[list[int], str]:
    inner = Parallel()
    return inner(delayed(square)(n) for n in range(number)), type(inner._backend).__name__


def going(fleet: Fleet) -> list[dict[str, Any]]:
    return [row for row in fleet.jobs() if row["state"] in ("queued", "running")]


def test_many_short_calls_are_few_batches(fleet: Fleet) -> None:
    before = fleet.jobs()[-1]["number"] if fleet.jobs() else 0
    found = Parallel()(delayed(square)(n) for n in range(4_000))
    assert found == [n * n for n in range(4_000)]
    assert fleet.jobs()[-1]["number"] - before < 200


def test_all_nodes_are_used_unless_other_numbers_are_wanted() -> None:
    assert [joblib.effective_n_jobs(n) for n in (-1, -2, -9, 3, 1)] == [4, 3, 1, 3, 1]
    with pytest.raises(ValueError, match="not 0"):
        joblib.effective_n_jobs(0)
    with Parallel(n_jobs=1) as one:
        assert type(one._backend).__name__ == "SequentialBackend"


def test_an_exception_ends_all(fleet: Fleet) -> None:
    with pytest.raises(LookupError, match="7") as raised:
        Parallel(batch_size=1)(delayed(raising)(n) for n in range(1_000))
    assert "raise LookupError(number)" in str(raised.value.__cause__)
    until(lambda: not going(fleet))


def test_what_calls_have_computed_is_computed_there() -> None:
    found = Parallel()(delayed(nested)(n) for n in (1, 2))
    assert found == [([0], "SequentialBackend"), ([0, 1], "SequentialBackend")]


@pytest.mark.parametrize("how", ["generator", "generator_unordered"])
def test_results_come_as_they_are_wanted(how: str) -> None:
    found = Parallel(return_as=how)(delayed(square)(n) for n in range(10))
    assert next(found) in {n * n for n in range(10)}
    assert len(list(found)) == 9


def test_what_takes_too_long_is_ended(fleet: Fleet) -> None:
    with pytest.raises(Late):
        Parallel(timeout=0.2)(delayed(time.sleep)(3600) for _ in range(2))
    until(lambda: not going(fleet))
    with Parallel() as many:  # one after the other
        assert [many([delayed(square)(3)]) for _ in range(2)] == [[9], [9]]


def test_it_is_known_by_its_name(fleet: Fleet) -> None:
    with joblib.parallel_config(backend="million", fleet=fleet):
        assert Parallel(n_jobs=2)([delayed(square)(3)]) == [9]


def test_the_way_there_does_not_count_for_the_size_of_batches(fleet: Fleet) -> None:
    from transports.fleet.backend import FleetBackend

    backend, call = FleetBackend(fleet), Called()
    backend.parallel = Parallel()
    call.seconds = 1e-5
    call.set_result([1])
    backend.retrieve_result_callback(call)
    backend.batch_completed(1, 5.0)
    assert backend.compute_batch_size() == 2


def test_no_thread_is_left() -> None:
    Parallel()([delayed(square)(3)])
    until(lambda: "fleet executor" not in {thread.name for thread in threading.enumerate()})
