"""A fleet as an executor of `concurrent.futures`."""

from __future__ import annotations

import asyncio
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Iterator
from concurrent.futures import Future, as_completed, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from core.losses import PIECES_MAX
from tests import TOP
from tests.processes import until
from transports.fleet.errors import FleetLost, JobCancelled, JobFailed
from transports.fleet.executor import CALLS_MAX, WAVE_BYTES, WAVES, FleetExecutor, Unreadable
from transports.fleet.face import Fleet

SECONDS = 120.0  # in which everything here has long come to its end


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet(nodes=4) as made:
        yield made


@pytest.fixture(scope="module")
def pool(fleet: Fleet) -> Iterator[FleetExecutor]:
    with fleet.executor() as made:
        yield made


def power(base: int, exponent: int = 2) -> int:
    return int(base**exponent)


def raising(number: int) -> None:
    raise LookupError(number)


def raising_or_waiting(number: int) -> None:
    if number:
        time.sleep(3600.0)
    raise LookupError(number)


def waiting(path: str) -> str:
    """Until somebody writes there what it is to return."""
    while not os.path.exists(path) or not (text := Path(path).read_text()):
        threading.Event().wait(0.02)
    return text


def meeting(place: str, number: int, count: int) -> int:
    """Once `count` calls are there at the same time."""
    Path(place, str(number)).touch()
    while len(os.listdir(place)) < count:
        threading.Event().wait(0.01)
    return number


def test_a_call_has_arguments_of_all_kinds(pool: FleetExecutor) -> None:
    assert pool.submit(power, 3).result(SECONDS) == 9
    assert pool.submit(power, 3, 3).result(SECONDS) == 27
    assert pool.submit(power, 2, exponent=10).result(SECONDS) == 1024
    assert pool.submit(lambda: power(5)).result(SECONDS) == 25


def test_many_calls_are_few_jobs(fleet: Fleet, pool: FleetExecutor) -> None:
    before = fleet.jobs()[-1]["number"]
    futures = [pool.submit(power, number) for number in range(3 * CALLS_MAX)]
    assert [future.result(SECONDS) for future in futures] == [
        number**2 for number in range(3 * CALLS_MAX)
    ]
    assert fleet.jobs()[-1]["number"] - before < 30


def test_as_many_calls_are_at_work_at_once_as_there_are_cores(
    pool: FleetExecutor, tmp_path: Path
) -> None:
    """In one job or in several: each waits for what is written when all others are at work."""
    cores = min(4, os.cpu_count() or 1)
    for number in range(3):
        place = tmp_path / str(number)
        place.mkdir()
        futures = [pool.submit(meeting, str(place), n, cores) for n in range(cores)]
        assert [future.result(SECONDS) for future in futures] == [*range(cores)]


def test_what_is_done_is_known_while_others_of_its_wave_are_not(
    pool: FleetExecutor, tmp_path: Path
) -> None:
    """They end in another order than they began."""
    path = [tmp_path / str(number) for number in range(2)]
    futures = [pool.submit(waiting, str(one)) for one in path]
    for number in (1, 0):
        path[number].write_text(f"{number} is done")
        assert futures[number].result(SECONDS) == f"{number} is done"
        assert futures[0].done() is (number == 0)


def test_an_exception_is_that_of_its_call(pool: FleetExecutor) -> None:
    futures = [pool.submit(raising, 7), pool.submit(power, 7)]
    with pytest.raises(LookupError, match="7") as raised:
        futures[0].result(SECONDS)
    assert "raise LookupError(number)" in str(raised.value.__cause__)
    assert futures[1].result(SECONDS) == 49


def test_many_calls_that_fail_for_good_leave_the_results_of_the_others_to_these(
    pool: FleetExecutor,
) -> None:
    """More than a session keeps the errors of."""
    futures = [pool.submit(os._exit if n % 2 else power, n) for n in range(2 * PIECES_MAX + 6)]
    for n, future in enumerate(futures):
        if n % 2:
            with pytest.raises(JobFailed):
                future.result(SECONDS)
        else:
            assert future.result(SECONDS) == n**2


def test_a_call_that_ends_its_process_costs_nobody_else_anything(pool: FleetExecutor) -> None:
    futures = [pool.submit(power, 2), pool.submit(os._exit, 3), pool.submit(power, 4)]
    with pytest.raises(JobFailed, match="exit code 3"):
        futures[1].result(SECONDS)
    assert [futures[0].result(SECONDS), futures[2].result(SECONDS)] == [4, 16]


def test_what_cannot_travel_is_the_outcome_of_its_call(pool: FleetExecutor) -> None:
    lock = threading.Lock()
    there = pool.submit(lambda: lock)
    assert isinstance(there.exception(SECONDS), TypeError)
    back, good = pool.submit(threading.Lock), pool.submit(power, 2)
    with pytest.raises(TypeError, match="cannot be pickled"):
        back.result(SECONDS)
    assert good.result(SECONDS) == 4


def test_the_standard_functions_work_with_it(pool: FleetExecutor) -> None:
    assert list(pool.map(power, range(6), [3] * 6)) == [number**3 for number in range(6)]
    futures = [pool.submit(power, number) for number in range(6)]
    assert {future.result() for future in as_completed(futures, SECONDS)} == {0, 1, 4, 9, 16, 25}
    with pytest.raises(TimeoutError):
        pool.submit(time.sleep, 0.5).result(0.01)


def test_map_stops_waiting_in_time(pool: FleetExecutor) -> None:
    found = pool.map(time.sleep, [2.0], timeout=0.2)
    with pytest.raises(TimeoutError):
        next(found)


def test_names_of_arguments_are_those_of_the_call(pool: FleetExecutor) -> None:
    assert pool.submit(dict, self=1, fn=2).result(SECONDS) == {"self": 1, "fn": 2}


def test_a_traceback_shows_where_a_call_has_raised(pool: FleetExecutor) -> None:
    error = pool.submit(raising, 7).exception(SECONDS)
    assert error is not None
    shown = "".join(traceback.format_exception(error))
    assert re.search(r"raise LookupError\(number\)(.|\n)*direct cause(.|\n)*LookupError: 7", shown)


class Thing:
    """Something of which it is known whether it is still there."""

    def itself(self) -> Thing:
        return self


def test_nothing_is_held_that_nobody_needs(pool: FleetExecutor) -> None:
    thing = Thing()
    there = weakref.ref(thing)
    future = pool.submit(thing.itself)
    del thing
    until(lambda: there() is None)
    there = weakref.ref(future.result(SECONDS))
    del future
    until(lambda: there() is None)
    for one in pool.map(Thing.itself, [Thing(), Thing()]):
        assert there() is None
        there = weakref.ref(one)
        del one


def test_what_is_large_goes_alone() -> None:
    """They wait together, as the one before them is on its way."""
    gate = threading.Event()

    def refuse(value: dict[str, Any], partitions: int, *more: object) -> Any:
        assert gate.wait(SECONDS)
        raise ValueError(partitions)

    pool = FleetExecutor(refuse)
    first = pool.submit(len, b"")
    until(first.running)
    futures = [pool.submit(len, one) for one in (b"1", b"12", bytes(WAVE_BYTES), b"123")]
    gate.set()
    assert [str(one.exception(SECONDS)) for one in futures] == ["2", "2", "1", "1"]
    pool.shutdown()


def test_a_pool_does_not_travel(pool: FleetExecutor) -> None:
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(pool)
    assert isinstance(pool.submit(lambda: pool).exception(SECONDS), TypeError)


def test_asyncio_runs_calls_in_it(pool: FleetExecutor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(pool, power, number) for number in range(5)]
        return list(await asyncio.gather(*calls))

    assert asyncio.run(main()) == [0, 1, 4, 9, 16]


# -- the end -------------------------------------------------------------------------------


def test_nothing_is_taken_after_the_end(fleet: Fleet) -> None:
    with fleet.executor() as pool:
        future = pool.submit(power, 3)
    assert future.done()  # whoever leaves the block has waited
    assert future.result() == 9
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(power, 3)
    pool.shutdown()
    assert fleet.map_reduce(power, [1, 2], reduce=sum) == 5  # the fleet goes on


def test_what_waits_is_cancelled_where_that_is_wanted(fleet: Fleet, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pool = fleet.executor()
    futures: list[Future[str]] = []
    while not futures or futures[-1].running() or len(futures) < 8:
        futures.append(pool.submit(waiting, str(gate)))
        running = futures[0].running()
    assert running or not futures[0].done()
    pool.shutdown(wait=False, cancel_futures=True)
    gate.write_text("open")
    done, left = wait(futures, SECONDS)
    assert not left
    assert all(future.cancelled() or future.result() == "open" for future in done)
    assert futures[-1].cancelled()


def test_what_waits_can_be_cancelled_and_what_is_under_way_cannot(
    fleet: Fleet, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with fleet.executor() as pool:
        for _ in range(WAVES):
            first = pool.submit(waiting, str(gate))
            until(first.running)  # in a wave of its own
        last = pool.submit(power, 3)
        assert last.cancel()
        assert not first.cancel()
        gate.write_text("open")
    assert last.cancelled()
    assert first.result() == "open"


def test_all_that_is_under_way_can_be_ended(fleet: Fleet) -> None:
    pool = fleet.executor()
    futures = [pool.submit(time.sleep, 3600.0) for _ in range(2)]
    until(futures[0].running)
    pool.abort()
    done, left = wait(futures, SECONDS)
    assert not left
    assert all(one.cancelled() or isinstance(one.exception(), JobCancelled) for one in done)
    pool.shutdown()


def test_what_a_map_has_not_given_is_ended_when_that_is_left(fleet: Fleet) -> None:
    """By what a call has raised; nobody waits for the others, which take an hour."""
    with pytest.raises(LookupError), fleet.executor() as pool:
        list(pool.map(raising_or_waiting, range(6)))


def test_all_is_ended_where_ctrl_c_leaves_the_block(fleet: Fleet) -> None:
    futures: list[Future[None]] = []

    def interrupted() -> None:
        with fleet.executor() as pool:
            futures.append(pool.submit(time.sleep, 3600.0))
            until(futures[0].running)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert isinstance(futures[0].exception(0), JobCancelled)


def test_a_map_ends_when_its_time_is_over(fleet: Fleet) -> None:
    pool = fleet.executor()
    found = pool.map(time.sleep, [0.0, 3600.0], timeout=2.0)
    assert next(found) is None
    with pytest.raises(TimeoutError):
        next(found)
    pool.shutdown()


# -- whatever the program's own classes do -------------------------------------------------


@attrs.frozen
class Frozen(Exception):
    number: int


class Stubborn(Exception):
    """Nothing can be set."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


class Noted(Exception):
    """With notes that are no list."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.__notes__ = ("one",)


class Leaving:
    """Ends whatever reads it, but where it was made."""

    def __init__(self) -> None:
        self.pid = os.getpid()

    def __setstate__(self, state: dict[str, int]) -> None:
        if os.getpid() != state["pid"]:
            sys.exit(3)


def raising_a(kind: type[Exception]) -> None:
    raise kind(7)


@pytest.mark.parametrize("kind", [Frozen, Stubborn, Noted])
def test_an_exception_of_an_odd_class_is_that_of_its_call(
    kind: type[Exception], fleet: Fleet
) -> None:
    with fleet.executor() as pool:
        error = pool.submit(raising_a, kind).exception(SECONDS)
        assert type(error) is kind
        assert "raise kind(7)" in str(error.__cause__)
        assert pool.submit(power, 3).result(SECONDS) == 9


def test_a_result_that_exits_when_it_is_read_ends_nothing_else(fleet: Fleet) -> None:
    with fleet.executor() as pool:
        futures = [pool.submit(Leaving), pool.submit(power, 3)]
        with pytest.raises(Unreadable, match="SystemExit"):
            futures[0].result(SECONDS)
        assert futures[1].result(SECONDS) == 9


def test_a_callback_that_exits_ends_nothing_else(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda told_of: told.append(told_of.exc_type))
    with fleet.executor() as pool:
        future = pool.submit(power, 2)
        future.add_done_callback(lambda _: sys.exit(3))
        assert future.result(SECONDS) == 4
        assert pool.submit(power, 3).result(SECONDS) == 9
    assert told == [SystemExit]


# -- its end -------------------------------------------------------------------------------


def test_a_pool_that_nobody_has_ends_when_its_calls_are_over(fleet: Fleet) -> None:
    pool = fleet.executor()
    thread, there = pool._thread, weakref.ref(pool)
    found, future = pool.map(power, range(3)), pool.submit(power, 3)
    del pool
    assert (list(found), future.result(SECONDS)) == ([0, 1, 4], 9)
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert there() is None


def test_a_call_that_is_over_may_end_its_pool(fleet: Fleet) -> None:
    pool = fleet.executor()
    future = pool.submit(power, 3)
    ended = threading.Event()
    future.add_done_callback(lambda _: (pool.shutdown(), ended.set()))
    assert ended.wait(SECONDS)
    pool.shutdown()


def test_threads_submit_while_it_is_shut_down(fleet: Fleet) -> None:
    pool = fleet.executor()
    taken: list[Future[int]] = []

    def submit() -> None:
        with suppress(RuntimeError):
            while True:
                taken.append(pool.submit(power, 2))

    threads = [threading.Thread(target=submit) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(taken) > 10)
    pool.shutdown()
    for thread in threads:
        thread.join(SECONDS)
    assert {future.result(0) for future in taken} == {4}


def test_a_process_that_was_forked_has_no_part_in_it(pool: FleetExecutor) -> None:
    pid = os.fork()
    if pid == 0:  # pragma: no cover
        with suppress(FleetLost):
            pool.submit(power, 3)
            os._exit(1)
        pool.shutdown()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert pool.submit(power, 3).result(SECONDS) == 9


def test_a_program_may_end_with_calls_under_way() -> None:
    program = (
        "import time, transports\n"
        "pool = transports.Fleet(nodes=1).executor()\n"
        "futures = [pool.submit(time.sleep, 3600) for _ in range(9)]\n"
        "while not futures[0].running(): time.sleep(0.01)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=TOP, capture_output=True, timeout=SECONDS, check=True
    )
    assert (ended.stdout, ended.stderr) == (b"", b"")


def test_a_fleet_that_is_lost_is_the_outcome_of_all_calls() -> None:
    fleet = Fleet(nodes=1)
    pool = fleet.executor()
    future = pool.submit(time.sleep, 3600.0)
    fleet.close()
    with pytest.raises(FleetLost):
        future.result(SECONDS)
    with pytest.raises(FleetLost):
        pool.submit(power, 2).result(SECONDS)
    pool.shutdown()
