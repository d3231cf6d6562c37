"""Computing processes that serve the next job with the same code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from tests.transports.work.working import JOB, bounded, do
from transports.work import computer, waiting
from transports.work import warm as rooms
from transports.work.computing import AT, COMPUTE, DROPPED, framed
from transports.work.warm import Warm

PID = "import os; output = os.getpid()"


async def served(folder: Path, warm: Warm, source: str = JOB) -> int:
    """The process that computes a piece of a job of its own."""
    async with bounded(folder, source=source, warm=warm) as one:
        one.compute(1, do(PID))
        ((_, what, _, _, (pid,), _),) = await one.told()
        assert what == "computed"
    return int(pid)


def lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def test_the_next_job_with_the_same_code_is_computed_by_the_same_process(
    tmp_path: Path,
) -> None:
    warm = Warm(2)
    first = await served(tmp_path, warm)
    assert (len(warm), lives(first)) == (1, True)
    assert [await served(tmp_path, warm) for _ in range(3)] == [first] * 3
    other = await served(tmp_path, warm, JOB + "\n# edited\n")
    assert other != first
    warm.end()
    assert (len(warm), lives(first), lives(other)) == (0, False, False)


async def test_no_job_leaves_anything_of_this_process_behind(tmp_path: Path) -> None:
    warm = Warm(2)
    await served(tmp_path, warm)
    before = threading.active_count(), len(os.listdir("/dev/fd"))
    for _ in range(4):
        await served(tmp_path, warm)
    assert threading.active_count() <= before[0]  # others may end meanwhile
    assert len(os.listdir("/dev/fd")) <= before[1]
    warm.end()


async def test_what_was_taken_back_is_none_of_the_next_job(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    warm = Warm(2)
    first = await served(tmp_path, warm)
    ((started, _),) = warm._waiting.items()
    os.kill(first, signal.SIGSTOP)  # it has not seen yet what was taken back
    last = started.page[DROPPED] = started.page[AT]
    orders = [(number, COMPUTE, 0, [0], [do("output = -1")]) for number in range(1, last + 1)]
    started.connection.sendall(framed(orders))

    async def go_on() -> None:
        while len(warm):
            await trio.lowlevel.checkpoint()
        os.kill(first, signal.SIGCONT)

    nursery.start_soon(go_on)
    assert await served(tmp_path, warm) == first
    warm.end()


async def test_what_another_job_took_back_lately_takes_nothing_from_this_one(
    tmp_path: Path,
) -> None:
    warm = Warm(2)
    first = await served(tmp_path, warm)
    ((started, _),) = warm._waiting.items()
    started.page[DROPPED] = next(computer._NUMBERS) + 1
    assert await served(tmp_path, warm) == first
    warm.end()


async def test_one_that_is_at_what_was_taken_back_is_not_kept(tmp_path: Path) -> None:
    warm = Warm(2)
    async with bounded(tmp_path, warm=warm) as one:
        one.compute(1, do(PID))
        await one.told()
        (process,) = one.work._crew._computers
        process._page[AT] += 1
    assert len(warm) == 0


async def test_its_large_values_are_in_the_folder_of_its_job(tmp_path: Path) -> None:
    warm = Warm(2)
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    large = "output = 'x' * 5000"
    job = (tmp_path / "job.py").write_text(JOB) and tmp_path
    for _ in range(2):
        async with bounded(job, warm=warm) as one:
            one.compute(1, do(large))
            ((*_, (handle,), _),) = await one.told()
            assert handle["size"] > 5000
    assert len(warm) == 1
    warm.end()


async def test_one_that_is_at_a_call_or_has_ended_is_not_kept(tmp_path: Path) -> None:
    warm = Warm(2)
    async with bounded(tmp_path, warm=warm) as one:
        one.compute(1, do(PID))
        await one.told()
        one.compute(1, do("import time; time.sleep(3600)"))
        await trio.testing.wait_all_tasks_blocked()
    assert len(warm) == 0
    first = await served(tmp_path, warm)
    os.kill(first, 9)
    assert await served(tmp_path, warm) != first
    warm.end()


async def test_there_are_few_and_they_wait_for_a_while_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm = Warm(1)
    first = await served(tmp_path, warm)
    other = await served(tmp_path, warm, JOB + "\n# edited\n")
    assert (lives(first), lives(other)) == (False, True)
    warm.tidy_up()
    assert len(warm) == 1
    monkeypatch.setattr(rooms, "WAITING_SECONDS", -1.0)
    warm.tidy_up()
    assert (len(warm), lives(other)) == (0, False)


async def test_the_next_job_finds_folder_and_environment_as_they_were(tmp_path: Path) -> None:
    warm = Warm(2)
    spoil = "import os; os.chdir('/'); os.environ['SPOILT'] = 'x'; output = os.getpid()"
    look = "import os; output = [os.getpid(), os.getcwd(), os.environ.get('SPOILT')]"
    outputs = []
    for statements in (spoil, look):
        async with bounded(tmp_path, warm=warm) as one:
            one.compute(1, do(statements))
            ((_, what, _, _, (output,), _),) = await one.told()
            assert what == "computed"
            outputs.append(output)
    assert outputs[1] == [outputs[0], os.getcwd(), None]
    warm.end()


async def test_it_keeps_the_descriptor_that_the_loop_knows(tmp_path: Path) -> None:
    """A copy would be another one for the loop, which then wakes whoever has the old number."""
    warm, numbers = Warm(2), set()
    for _ in range(3):
        await served(tmp_path, warm)
        (started,) = warm._waiting
        numbers.add(started.connection.fileno())
    assert len(numbers) == 1
    warm.end()


async def test_who_waits_for_the_end_holds_nobody_up_when_woken_too_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait_readable, woken = trio.lowlevel.wait_readable, trio.Event()

    async def early(fd: int) -> None:
        if woken.is_set():
            await wait_readable(fd)
        woken.set()

    monkeypatch.setattr(trio.lowlevel, "wait_readable", early)
    command = [sys.executable, "-c", "input()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: ASYNC220  as ours are
    assert process.stdin is not None
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiting.ended, process)
            await woken.wait()
            process.stdin.write(b"\n")
            process.stdin.close()
    assert process.returncode == 0
