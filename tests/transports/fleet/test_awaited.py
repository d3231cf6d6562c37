"""A fleet that is awaited: everything here on Trio and on asyncio."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import sniffio
import trio

from tests.processes import until
from transports import Fleet, FleetLost, JobCancelled, JobFailed, JobUnknown
from transports.fleet import own
from transports.fleet.awaited import AsyncFleet
from transports.fleet.loops import Bell, done, in_thread, is_in_loop
from transports.fleet.opened import Opened

PRIMES = "plugins.primes"
SECONDS = 60.0
GATED = """
import os, time

def prepare(input, sizes):
    return [input for _ in sizes]

def compute(input, index):
    while not os.path.exists(input):
        time.sleep(0.01)
    return index

def collect(outputs):
    return outputs
"""

Main = Callable[[], Awaitable[Any]]
Run = Callable[[Main], Any]


def on_trio(main: Main) -> Any:
    async def timed() -> Any:
        with trio.fail_after(SECONDS):
            return await main()

    return trio.run(timed)


def on_asyncio(main: Main) -> Any:
    async def timed() -> Any:
        async with asyncio.timeout(SECONDS):
            return await main()

    return asyncio.run(timed())


@pytest.fixture(params=[on_trio, on_asyncio])
def run(request: pytest.FixtureRequest) -> Run:
    found: Run = request.param
    return found


def is_trio() -> bool:
    return sniffio.current_async_library() == "trio"


async def together(*calls: Main) -> None:
    """All of them at the same time."""
    if not is_trio():
        await asyncio.gather(*(call() for call in calls))
        return
    async with trio.open_nursery() as nursery:
        for call in calls:
            nursery.start_soon(call)


async def given_up(call: Main) -> None:
    """It is cancelled while it waits."""
    if is_trio():
        with trio.move_on_after(0.05) as scope:
            await call()
        assert scope.cancelled_caught
    else:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await call()


async def tick() -> None:
    if is_trio():
        await trio.sleep(0.001)
    else:
        await asyncio.sleep(0.001)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet(nodes=4, processes=1) as made:
        yield made


@pytest.fixture
def there(fleet: Fleet) -> AsyncFleet:
    """The same, awaited, which goes on after the test."""
    return AsyncFleet(fleet, fleet._there())


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job that waits until the file is there that its input names."""
    path = tmp_path_factory.mktemp("job") / "gated.py"
    path.write_text(GATED)
    return path


# -- jobs ----------------------------------------------------------------------------------


def test_all_of_a_job_is_awaited(run: Run, there: AsyncFleet) -> None:
    async def main() -> None:
        job = await there.submit(PRIMES, 100)
        assert await job == await job == 25
        assert job.progress().state == "done"
        assert not await job.cancel()
        assert await job.failures() == []
        assert await (await there.job(job.number)) == 25
        assert await there.run(PRIMES, 10, partitions=2) == 4
        assert [row["state"] for row in await there.jobs()][-1] == "done"

    run(main)


def test_a_job_says_why_there_is_no_result(run: Run, there: AsyncFleet, gated: Path) -> None:
    async def main() -> None:
        failing = await there.submit(gated, 0.5)
        with pytest.raises(JobFailed, match="TypeError"):
            await failing
        assert len(await failing.failures()) == 1
        with pytest.raises(JobUnknown, match="there is no job 999"):
            await there.job(999)
        with pytest.raises(ValueError, match="partitions must be a whole number"):
            await there.submit(PRIMES, partitions=0)

    run(main)


def test_jobs_come_as_they_end_and_the_loop_goes_on(
    run: Run, there: AsyncFleet, gated: Path, tmp_path: Path
) -> None:
    """The next one ends only when the loop has something done about it."""

    async def main() -> list[str]:
        gates = [tmp_path / f"{run.__name__}{number}" for number in range(2)]
        jobs = {await there.submit(gated, str(gate), partitions=1): gate for gate in gates}
        order = [gates[1], gates[0]]
        told: list[str] = []

        async def open_next() -> None:
            for number, gate in enumerate(order):
                while len(told) < number:
                    await tick()
                gate.touch()

        async def listen() -> None:
            async for job in there.as_completed(jobs):
                assert await job == [0]
                told.append(jobs[job].name)

        await together(listen, open_next)
        return [name == gate.name for name, gate in zip(told, order, strict=True)]

    assert run(main) == 2 * [True]


def test_who_is_cancelled_only_stops_waiting(
    run: Run, there: AsyncFleet, gated: Path, tmp_path: Path
) -> None:
    async def main() -> None:
        job = await there.submit(gated, str(gate := tmp_path / "gate"), partitions=1)
        await given_up(lambda: job)
        await given_up(lambda: anext(aiter(there.as_completed([job]))))
        assert not job._watched._bells  # nothing is left of them
        gate.touch()
        assert await job == [0]

    run(main)


def test_a_run_that_is_cancelled_is_ended(
    run: Run, there: AsyncFleet, gated: Path, tmp_path: Path
) -> None:
    async def main() -> None:
        number = (await there.submit(PRIMES, 10)).number + 1
        await given_up(lambda: there.run(gated, str(tmp_path / "never"), partitions=1))
        with pytest.raises(JobCancelled):
            await (await there.job(number))

    run(main)


def test_a_job_is_cancelled(run: Run, there: AsyncFleet, gated: Path, tmp_path: Path) -> None:
    async def main() -> None:
        job = await there.submit(gated, str(tmp_path / "never"))
        assert await job.cancel()
        assert not await job.cancel()  # it was over before
        with pytest.raises(JobCancelled):
            await job

    run(main)


def test_the_jobs_of_a_fleet_that_is_not_awaited_can_be(run: Run, fleet: Fleet) -> None:
    """As in a notebook, where cells run in a loop."""
    jobs = [fleet.submit(PRIMES, 10 * n, partitions=1) for n in (1, 2, 3)]

    async def main() -> list[int]:
        assert is_in_loop()
        return [await job async for job in fleet.as_completed(jobs)]

    assert sorted(run(main)) == [4, 8, 10]


# -- functions -----------------------------------------------------------------------------


def square(number: int) -> int:
    return number * number


def test_a_function_is_called_for_many_items(run: Run, there: AsyncFleet) -> None:
    async def main() -> None:
        found = [one async for one in there.map(square, range(500))]
        assert found == [number * number for number in range(500)]
        assert [one async for one in there.map(square, [])] == []
        assert await there.map_reduce(square, range(10), reduce=sum) == 285

    run(main)


def test_an_exception_comes_in_place_of_its_result(run: Run, there: AsyncFleet) -> None:
    async def main() -> None:
        results = there.map(lambda n: 1 // n, [1, 0, 1])
        assert await anext(results) == 1
        with pytest.raises(ZeroDivisionError) as raised:
            await anext(results)
        assert raised.value.__notes__ == ["item 1"]
        assert await anext(results, None) is None

    run(main)


def test_what_looks_like_an_end_is_none(run: Run, there: AsyncFleet) -> None:
    def some(number: int) -> int:
        if number == 3:
            raise StopAsyncIteration
        return number

    def ending() -> Iterator[int]:
        yield 1
        raise StopAsyncIteration

    async def main() -> None:
        found = [one async for one in there.map(some, range(6), return_exceptions=True)]
        assert [type(one) for one in found] == [int, int, int, RuntimeError, int, int]
        for results in (there.map(some, range(6)), there.map(square, ending())):
            with pytest.raises(RuntimeError):
                [one async for one in results]

    run(main)


def test_what_ends_its_process_is_told_with_its_items(run: Run, there: AsyncFleet) -> None:
    def some(number: int) -> int:
        return os._exit(3) if number == 5 else number

    async def main() -> None:
        results = there.map(some, range(40), chunk=4)
        with pytest.raises(JobFailed, match="exit code 3") as raised:
            [one async for one in results]
        assert "one of the items 4 to 7" in raised.value.__notes__

    run(main)


def test_nothing_is_missing_after_somebody_has_stopped_waiting(
    run: Run, there: AsyncFleet, tmp_path: Path
) -> None:
    def slow(gate: str, number: int) -> int:
        while not os.path.exists(gate):
            threading.Event().wait(0.01)
        return number

    async def main() -> None:
        gate = tmp_path / "gate"
        results = there.map(slow, 40 * [str(gate)], range(40))
        await given_up(lambda: anext(results))
        gate.touch()
        assert [one async for one in results] == [*range(40)]

    run(main)


# -- the fleet itself ----------------------------------------------------------------------


def test_a_fleet_is_there_for_a_block_and_opening_it_blocks_nothing(run: Run) -> None:
    async def main() -> Opened:
        ticks = 0
        entered = False

        async def use() -> None:
            nonlocal entered
            try:
                async with Fleet(nodes=1, processes=1) as fleet:
                    entered = True
                    assert await fleet.run(PRIMES, 100) == 25
                    opened.append(fleet._fleet._opened)  # type: ignore[attr-defined]
            finally:
                entered = True

        async def count() -> None:
            nonlocal ticks
            while not entered:
                ticks += 1
                await tick()

        opened: list[Opened] = []
        await together(use, count)
        assert ticks > 3
        return opened[0]

    opened = run(main)
    assert opened.own._root.returncode == 0
    with pytest.raises(FleetLost, match="the fleet is closed"):
        opened.line.status()


def test_a_fleet_that_others_have_is_reached(run: Run, fleet: Fleet, tmp_path: Path) -> None:
    assert fleet._own
    token = tmp_path / "token"
    token.write_bytes(fleet._own.token)
    token.chmod(0o600)
    address = fleet.address

    async def main() -> None:
        async with Fleet.connect(address, token) as other:
            assert await other.run(PRIMES, 100, partitions=1) == 25
        with Fleet.connect(address, token) as held_up:  # as one may, in a notebook
            assert await held_up.submit(PRIMES, 10, partitions=1) == 4
        with pytest.raises(FleetLost, match="nobody listens there"):
            async with Fleet.connect("127.0.0.1:1", token):
                pass

    run(main)
    assert fleet.run(PRIMES, 100) == 25  # it goes on


def test_a_fleet_that_is_not_opened_is_not_started(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "ANY_PORT", "nowhere")

    async def main() -> None:
        made = Fleet(nodes=1)
        assert repr(made) == "<fleet>"
        with pytest.raises(FleetLost, match="could not be started, exit code 2"):
            async with made:
                pass
        unused = Fleet(nodes=1)
        unused.close()
        with pytest.raises(FleetLost, match="the fleet is closed"):
            unused.jobs()

    run(main)


# -- waiting -------------------------------------------------------------------------------


def test_what_a_thread_has_begun_is_undone_where_nobody_waits_for_it(run: Run) -> None:
    gate, undone = threading.Event(), threading.Event()

    async def main() -> None:
        await given_up(lambda: in_thread(lambda: gate.wait(SECONDS), undone.set))
        assert not undone.is_set()
        gate.set()
        until(undone.is_set)

    run(main)


def test_what_ends_after_its_loop_harms_nobody(run: Run) -> None:
    future: Future[None] = Future()

    async def main() -> None:
        await given_up(lambda: done(future))

    run(main)
    future.set_result(None)


def test_another_loop_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sniffio, "current_async_library", lambda: "curio")
    with pytest.raises(RuntimeError, match="not awaited in curio: use Trio or asyncio"):
        Bell()


def test_one_task_at_a_time_takes_results_of_a_map(there: AsyncFleet) -> None:
    async def main() -> tuple[list[Any], list[int]]:
        found = there.map(square, range(30))
        first = await asyncio.gather(anext(found), anext(found), return_exceptions=True)
        return first, [number async for number in found]

    (first, refused), others = asyncio.run(main())
    assert [first, *others] == [number**2 for number in range(30)]
    assert isinstance(refused, RuntimeError)
    assert "another task takes results" in str(refused)
