"""Jobs computed at the same time in one process: how many compute, and whose turn it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio

from tests.transports.work.working import FIRST, SECONDS_MAX, Desk, Gate, desk, do, gate
from transports.work.cores import Cores, Weight

NODES = 10


@asynccontextmanager
async def jobs(folder: Path, cores: Cores, count: int = 2) -> AsyncIterator[list[Desk]]:
    """So many, numbered from 1, which share these cores."""
    with trio.fail_after(SECONDS_MAX):
        async with AsyncExitStack() as stack:
            desks = []
            for number in range(1, count + 1):
                home = folder / str(number)
                home.mkdir()
                desks.append(await stack.enter_async_context(desk(home, cores.part(number))))
            yield desks


def ask(one: Desk, door: Gate, job: int, pieces: int = NODES) -> None:
    """For pieces that wait; their numbers tell whose they are."""
    for node in range(pieces):
        one.compute(node, ["wait", door.port], slot=1000 * job + node)


async def begun(door: Gate) -> tuple[int, trio.SocketStream]:
    """The job of the next piece that begins, and what lets it go."""
    partition, stream = await door.begun()
    return (partition - FIRST) // 1000, stream


async def alone(one: Desk) -> None:
    """Wait until nothing is given ahead of what has begun, as that takes long."""
    while any(len(computer.calls) > 1 for computer in one.work._crew._computers):
        await trio.lowlevel.checkpoint()


async def test_all_jobs_together_compute_on_as_many_cores_as_there_are(tmp_path: Path) -> None:
    async with gate() as door, jobs(tmp_path, Cores(2), 3) as desks:
        for job, one in enumerate(desks):
            ask(one, door, job)
        at_work = [await begun(door) for _ in range(2)]
        counts = Counter(job for job, _ in at_work)
        for _ in range(12):
            await at_work.pop(0)[1].send_all(b"!")
            at_work.append(await begun(door))
            counts[at_work[-1][0]] += 1
            crews = [one.work._crew for one in desks]
            assert sum(bool(c.calls) for crew in crews for c in crew._computers) == 2
        assert min(counts.values()) >= 2  # each has its turn
        for _, stream in at_work:
            await stream.send_all(b"!")


async def test_a_higher_priority_is_next_and_a_change_counts_at_once(tmp_path: Path) -> None:
    cores = Cores(1)
    cores.weigh({2: Weight(5)})
    async with gate() as door, jobs(tmp_path, cores) as desks:
        ask(desks[0], door, 1)
        job, stream = await begun(door)
        assert job == 1
        ask(desks[1], door, 2)
        await alone(desks[0])
        for _ in range(3):
            await stream.send_all(b"!")
            job, stream = await begun(door)
            assert job == 2
        await alone(desks[1])
        cores.weigh({1: Weight(7), 2: Weight(5)})
        for _ in range(3):
            await stream.send_all(b"!")
            job, stream = await begun(door)
            assert job == 1
        await stream.send_all(b"!")


async def test_short_pieces_of_one_do_not_hold_up_another(tmp_path: Path) -> None:
    async with gate() as door, jobs(tmp_path, Cores(1)) as (one, other):
        for node in range(3000):
            one.compute(node, do("import time; time.sleep(0.002)"))
        await one.told(20)
        other.compute(0, 7)
        ((_, what, _, _, outputs, _),) = await other.told()
        assert (what, outputs) == ("computed", [7])
        crew = one.work._crew
        assert len(crew._queue) > 1000, "it had to wait for the others"
        ask(other, door, 2, 1)
        _, stream = await begun(door)
        assert crew._waiting()
        assert not any(computer.calls for computer in crew._computers)  # the core is taken
        await stream.send_all(b"!")
        await other.told()
        one.outcomes.clear()
        await one.told()


async def test_the_cores_of_a_job_that_ends_are_there_for_the_others(tmp_path: Path) -> None:
    cores = Cores(1)
    async with gate() as door, jobs(tmp_path, cores, 1) as (one,):
        (tmp_path / "other").mkdir()
        async with desk(tmp_path / "other", cores.part(2)) as other:
            ask(other, door, 2)
            await begun(door)
            one.compute(0, 7)
            await trio.testing.wait_all_tasks_blocked()
        ((_, _, _, _, outputs, _),) = await one.told()
        assert outputs == [7]


async def test_a_process_that_dies_gives_its_core_back(tmp_path: Path) -> None:
    async with jobs(tmp_path, Cores(1)) as (one, other):
        for node in range(5):
            one.compute(node, do("os._exit(3)"), slot=node)
        other.compute(0, 7)
        assert (await other.told())[0][1] == "computed"
        assert {what for _, what, *_ in await one.told(5)} == {"raised"}


async def test_a_piece_that_is_given_back_is_computed_later_and_has_not_failed(
    tmp_path: Path,
) -> None:
    cores = Cores(1)
    cores.weigh({2: Weight(1)}, preempt_after=0.1)
    async with gate() as door, jobs(tmp_path, cores, 3) as (one, high, equal):
        ask(one, door, 1, 1)
        await begun(door)
        equal.compute(0, 8)  # for which nothing is given back
        high.compute(0, 7)
        assert (await high.told())[0][4] == [7]
        cores.weigh({1: Weight(1)})
        job, stream = await begun(door)
        assert job == 1
        await stream.send_all(b"!")
        ((_, what, _, _, outputs, _),) = await one.told()
        assert (what, outputs) == ("computed", ["!"])
        assert (await equal.told())[0][4] == [8]
