"""Computing processes that end, and that none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests import TOP
from tests.transports.work.working import FIRST, SECONDS_MAX, SESSION, bounded, desk, do, gate

ENDED = "the computing process ended"


# -- it ends by itself ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "how"),
    [
        ("os._exit(3)", "exit code 3"),
        ("os._exit(0)", "exit code 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "exit code -9, SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "exit code -11, SIGSEGV"),
        # Somebody is left who has the connection open.
        ("os.fork() or signal.pause(); os._exit(3)", "exit code 3"),
    ],
)
async def test_only_the_call_that_a_process_dies_of_has_failed(
    tmp_path: Path, statements: str, how: str
) -> None:
    if "fork" in statements:
        statements = "signal.alarm(20); " + statements.replace("signal.pause()", LINGER)
    async with bounded(tmp_path) as one:
        one.compute(9, 0)
        await one.told()  # it is quick: many calls are handed out together
        for node in range(5):
            one.compute(node, node, slot=node)
        one.compute(5, 1, 2, do(statements), 3, slot=5)
        for node in range(6, 200):  # more than are handed out together
            one.compute(node, node, slot=node)
        outcomes = await one.told(200)
        told = {node: (what, *more) for node, what, _, *more in outcomes}
        assert told.pop(5) == ("raised", 7, f"{ENDED} ({how}) in partition {FIRST + 7}")
        assert [node for node, *_ in outcomes if node != 5] == list(told) == sorted(told)
        assert {node: (one[0], one[2]) for node, one in told.items()} == {
            node: ("computed", [node]) for node in told
        }


LINGER = "(os.setsid(), signal.alarm(10), signal.pause())"


async def test_an_interruption_is_not_for_a_computing_process(tmp_path: Path) -> None:
    async with bounded(tmp_path) as one:
        one.compute(1, do("output = os.getpid()"))
        [(*_, [pid], _)] = await one.told()
        os.kill(pid, signal.SIGINT)
        one.compute(1, do("output = [os.getpid(), list(signal.pthread_sigmask(0, []))]"))
        [(*_, [[same, blocked]], _)] = await one.told()
        assert same == pid
        assert blocked == []  # nor for what the job starts, unless it says so


async def test_prepare_and_collect_may_end_it_as_well(tmp_path: Path) -> None:
    async with bounded(tmp_path) as one:
        one.work.prepare(one.asker(1), SESSION, do("os._exit(3)"), [1])
        text = f"{ENDED} (exit code 3) in prepare"
        assert await one.told() == [(1, "raised", SESSION, None, text)]
        one.work.collect(one.asker(1), SESSION, [do("os._exit(4)")])
        text = f"{ENDED} (exit code 4) in collect"
        assert await one.told() == [(1, "raised", SESSION, None, text)]
        one.compute(1, 5)
        assert (await one.told())[0][1] == "computed"


async def test_an_idle_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    async with bounded(tmp_path) as one:
        one.compute(1, do("output = os.getpid()"))
        [(*_, [pid], _)] = await one.told()
        os.kill(pid, signal.SIGKILL)
        one.compute(1, do("output = os.getpid()"))
        [(_, what, *_, [other], _)] = await one.told()
        assert what == "computed"
        assert other != pid


async def test_a_job_that_ends_every_process_fails_each_call(tmp_path: Path) -> None:
    source = f"import os\nif os.getpid() != {os.getpid()}: os._exit(3)\n"
    async with bounded(tmp_path, source=source + "compute = prepare = collect = print") as one:
        for node in range(3):
            one.compute(node, 0, slot=node)
        text = f"{ENDED} (exit code 3) in partition %d, before the job was loaded"
        told = sorted(await one.told(3))
        assert told == [(n, "raised", SESSION, n, text % (FIRST + n)) for n in range(3)]


async def test_where_no_process_can_be_started_each_call_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    async with bounded(tmp_path) as one:
        one.compute(1, 5)
        [(_, what, _, slot, text, whose)] = await one.told()
        assert (what, slot, whose) == ("raised", 0, "local")
        assert text.startswith("the computing process could not be started ([Errno 2]")
        monkeypatch.undo()
        one.compute(1, 5)
        assert (await one.told())[0][1] == "computed"


# -- its own process ends ------------------------------------------------------------------


async def test_no_computing_process_is_left_when_it_is_cancelled(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with gate() as door:
            async with desk(tmp_path) as one:
                one.compute(1, ["hold", door.port])
                _, held = await door.begun()
            assert await _all_from(held) == b""  # its end of the connection is closed


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
async def test_no_computing_process_is_left_when_its_process_ends(
    tmp_path: Path, ctrl_c: None, sent: signal.Signals
) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with gate() as door:
            command = [sys.executable, "-m", "tests.transports.work.working"]
            process = subprocess.Popen(  # noqa: ASYNC220 - it takes a moment
                [*command, str(tmp_path), str(door.port), "2"],
                cwd=TOP,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                held = [(await door.begun())[1] for _ in range(2)]
                if sent is signal.SIGINT:  # to all of them, as a terminal does
                    os.killpg(process.pid, sent)
                else:
                    process.kill()
                for stream in held:
                    assert await _all_from(stream) == b""
                printed, _ = await trio.to_thread.run_sync(process.communicate)
            finally:
                process.kill()
                process.wait()
        assert process.returncode == (130 if sent is signal.SIGINT else -9)
        assert printed == b""


async def _all_from(stream: trio.SocketStream) -> bytes:
    try:
        return b"".join([data async for data in stream])
    except trio.BrokenResourceError:
        return b""
