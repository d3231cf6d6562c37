"""Computing processes: who waits for whom, and how they end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from core.messages import Place, Value
from tests import TOP
from tests.transports.work.working import (
    FIRST,
    SECONDS_MAX,
    SESSION,
    bounded,
    desk,
    do,
    gate,
)
from transports.work import computer, crew, starting

ENDED = "the computing process ended"


# -- computing processes that end ----------------------------------------------------------


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


# -- who waits for whom --------------------------------------------------------------------


async def test_the_loop_goes_on_while_a_piece_keeps_the_interpreter(tmp_path: Path) -> None:
    async with gate() as door, bounded(tmp_path, 2) as one:
        one.compute(1, ["hold", door.port])
        _, held = await door.begun()
        for number in range(100):  # one after the other, in the other process
            one.compute(2, number)
            [(node, what, *_, outputs, _)] = await one.told()
            assert (node, what, outputs) == (2, "computed", [number])
        await held.send_all(b"!")
        [(node, *_, outputs, _)] = await one.told()
        assert (node, outputs) == (1, ["held"])


async def test_what_came_first_begins_first_and_who_has_gone_is_dropped(tmp_path: Path) -> None:
    async with gate() as door, bounded(tmp_path) as one:
        askers = [one.compute(node, ["wait", door.port], slot=node) for node in range(8)]
        partition, first = await door.begun()
        assert partition == FIRST
        askers[3].leave()
        askers[5].place = Place("0-1", ("here", "there"))
        await first.send_all(b"!")
        begun = []
        for _ in range(5):
            partition, piece = await door.begun()
            begun.append(partition - FIRST)
            await piece.send_all(b"!")
        told = await one.told(6)
        assert begun == [1, 2, 4, 6, 7]
        assert [node for node, *_ in told] == [0, *begun]


async def test_all_cores_are_shared_by_all_nodes(tmp_path: Path) -> None:
    async with gate() as door, bounded(tmp_path, 3) as one:
        for node in range(50):
            one.compute(node, ["wait", door.port], slot=node)
        waiting = [await door.begun() for _ in range(3)]
        for left in range(47, 0, -1):
            await waiting.pop(0)[1].send_all(b"!")
            waiting.append(await door.begun())
            assert len(waiting) == 3, left
        for _, piece in waiting:
            await piece.send_all(b"!")
        told = await one.told(50)
        assert sorted(node for node, *_ in told) == list(range(50))
        assert all(what == "computed" for _, what, *_ in told)


async def test_prepare_and_collect_go_before_what_is_queued(tmp_path: Path) -> None:
    async with gate() as door, bounded(tmp_path) as one:
        wait: Value = ["wait", door.port]
        for node in range(6):
            one.compute(node, wait, slot=node)
        _, first = await door.begun()
        one.work.prepare(one.asker(10), SESSION, wait, [1])
        one.work.collect(one.asker(11), SESSION, [wait])
        await first.send_all(b"!")
        begun = []
        for _ in range(7):
            partition, piece = await door.begun()
            begun.append(partition)
            await piece.send_all(b"!")
        urgent = [begun.index(-1), begun.index(-2)]
        assert urgent in ([0, 1], [1, 2])  # one may have been handed out before
        assert len(await one.told(8)) == 8


async def test_what_is_behind_a_long_piece_is_taken_back(tmp_path: Path) -> None:
    async with gate() as door, bounded(tmp_path, 2) as one:
        for number in range(50):  # quick ones: it expects more of them
            one.compute(1, number)
            await one.told()
        one.compute(1, ["wait", door.port])
        for node in range(2, 40):
            one.compute(node, node, slot=1)
        told = await one.told(38)  # nobody has let the long one go
        assert [node for node, *_ in sorted(told)] == list(range(2, 40))
        _, piece = await door.begun()
        await piece.send_all(b"!")
        assert [node for node, *_ in await one.told()] == [1]
        one.compute(1, 5)
        assert len(await one.told()) == 1  # and nothing comes twice


async def test_a_process_has_its_next_call_before_it_has_done_with_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "LOOK_SECONDS", 1000.0)
    async with gate() as door, bounded(tmp_path) as one:
        for node in range(2):
            one.compute(node, ["wait", door.port], slot=node)
        _, first = await door.begun()
        os.write(first.socket.fileno(), b"!")
        coming, *_ = select.select([door], [], [], SECONDS_MAX)  # the loop stands still meanwhile
        assert coming
        _, second = await door.begun()
        await second.send_all(b"!")
        assert len(await one.told(2)) == 2


# -- the end -------------------------------------------------------------------------------


async def test_what_is_asked_before_it_serves_is_done_then(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        context = desk(tmp_path)
        one = await context.__aenter__()
        one.compute(1, 5)  # no task has run yet
        assert (await one.told())[0][1] == "computed"
        await context.__aexit__(None, None, None)


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


async def test_a_process_that_was_started_ahead_is_told_what_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = [starting.start()]

    def start() -> starting.Started:
        raise OSError("no other one is needed")

    monkeypatch.setattr(computer, "start", start)
    async with bounded(tmp_path, reserve=ahead) as one:
        one.work.collect(one.asker(3), SESSION, ["output", 8])
        assert await one.told() == [(3, "collected", SESSION, "output")]
    assert ahead == []
