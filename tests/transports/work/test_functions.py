"""The functions of a job in real computing processes: what comes of their calls."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from core.messages import Value
from plugins.jobs.failing import TEXT_MAX, shortened
from tests.transports.work.working import (
    ASYNC_JOB,
    FIRST,
    JOB,
    LONG,
    SECONDS_MAX,
    SESSION,
    bounded,
    do,
)
from transports.values.files import NoRoom, loaded, stored
from transports.values.handles import handle
from transports.work import crew, outcomes
from transports.work.calls import Call
from transports.work.computer import Computer
from transports.work.computing import OF_THE_JOB

# -- what comes of a call ------------------------------------------------------------------


async def test_each_function_runs_and_its_value_comes_back(tmp_path: Path) -> None:
    async with bounded(tmp_path) as one:
        one.compute(1, 5, None, "text", [1.5, {"a": b"b"}], True, 2**64 - 1, -(2**63), slot=3)
        [(node, what, session, slots, outputs, seconds)] = await one.told()
        assert (node, what, session, slots) == (1, "computed", SESSION, (3, 4, 5, 6, 7, 8, 9))
        assert outputs == [5, None, "text", [1.5, {"a": b"b"}], True, 2**64 - 1, -(2**63)]
        assert 0 < seconds < SECONDS_MAX
        one.work.prepare(one.asker(2), SESSION, "input", [3, 2])
        assert await one.told() == [(2, "prepared", SESSION, ["input", "input"])]
        one.work.collect(one.asker(3), SESSION, ["output", 8])
        assert await one.told() == [(3, "collected", SESSION, "output")]


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ("raise LookupError('not here')", "LookupError: not here"),
        ("raise SystemExit(2)", "SystemExit: 2"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("output = {1, 2}", "not plain data: set {1, 2}"),
        ("output = [object]", "not plain data: type"),
        ("output = {'\\0blob': 1}", "not plain data: the key '\\x00blob'"),
        ("output = 2**64", "not plain data"),
        ("output = '\\ud800'", "not plain data"),
        ("sys.stdin.read(1)[0]", "IndexError"),  # it is empty
        ("raise ValueError('\\ud800')", "ValueError: \\ud800"),
    ],
)
async def test_what_a_function_raises_is_its_result(
    tmp_path: Path, statements: str, said: str
) -> None:
    async with bounded(tmp_path) as one:
        one.compute(1, 5, do(statements), 6, slot=2)
        one.work.prepare(one.asker(2), SESSION, do(statements), [1])
        one.work.collect(one.asker(3), SESSION, [do(statements)])
        one.compute(4, 7)
        told = {node: (what, session, more) for node, what, session, *more in await one.told(4)}
        assert told[4][:2] == ("computed", SESSION)
        for node, slot in ((1, 3), (2, None), (3, None)):
            what, session, [failed, text] = told[node]
            assert (what, session, failed) == ("raised", SESSION, slot)
            assert said in text


async def test_a_traceback_is_that_of_the_job_alone(tmp_path: Path) -> None:
    async with bounded(tmp_path) as one:
        one.compute(1, do("1 / 0"))
        [(*_, text)] = await one.told()
    lines = text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].startswith(f'  File "{tmp_path / "job.py"}", line ')
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "computing.py" not in text


async def test_a_long_text_loses_its_middle(tmp_path: Path) -> None:
    async with bounded(tmp_path) as one:
        one.compute(1, do("raise ValueError('x' * 100_000 + 'end')"))
        [(*_, text)] = await one.told()
    assert TEXT_MAX - 2 <= len(text) <= TEXT_MAX
    assert text.startswith("Traceback")
    assert text.splitlines()[-2].endswith("xend")
    assert text.splitlines()[-1].startswith("ValueError: xxx")
    assert "characters in all" in text
    assert shortened("x" * TEXT_MAX) == "x" * TEXT_MAX


async def test_what_a_job_prints_goes_to_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with bounded(tmp_path) as one:
        one.compute(1, do("print('from the job'); os.write(1, b'and below'); output = 1"))
        [(_, what, *_)] = await one.told()
    out, err = capfd.readouterr()
    assert what == "computed"
    assert out == ""
    assert err == "from the job\nand below"


async def test_standard_input_is_empty(tmp_path: Path) -> None:
    ours, saved = os.pipe(), os.dup(0)
    os.dup2(ours[0], 0)  # one from which nothing ever comes
    try:
        async with bounded(tmp_path) as one:
            one.compute(1, do("output = sys.stdin.read()"))
            [(_, what, *_, outputs, _)] = await one.told()
            assert (what, outputs) == ("computed", [""])
    finally:
        os.dup2(saved, 0)
        for fd in (*ours, saved):
            os.close(fd)


async def test_a_job_may_close_its_standard_files(tmp_path: Path) -> None:
    async with bounded(tmp_path) as one:
        one.compute(1, do("sys.stdin.close(); os.closerange(0, 3); output = 1"), 2)
        [(_, what, _, _, outputs, _)] = await one.told()
        assert (what, outputs) == ("computed", [1, 2])


async def test_a_job_that_cannot_be_loaded_there_says_why(tmp_path: Path) -> None:
    source = f"import os\nif os.getpid() != {os.getpid()}: raise OSError('no licence')\n"
    async with bounded(tmp_path, source=source + "compute = prepare = collect = print") as one:
        one.compute(1, 0)
        [(_, what, _, slot, text)] = await one.told()
        assert (what, slot) == ("raised", 0)
        assert "it raises OSError: no licence" in text


# -- made to take some time ----------------------------------------------------------------


@attrs.define(eq=False)
class Quick(Computer):
    """A computing process that has done at once what it is given."""

    def __init__(self, setup: Any, answered: Any, *_: Any) -> None:
        self.calls, self.seconds, self.stuck, self.answered = {}, 0.0, False, answered

    def give(self, call: Call) -> None:
        self.answered(call, (0, 0.0, None, [0] * len(call.slots), OF_THE_JOB))

    async def run(self) -> None:
        await trio.sleep_forever()


async def test_all_is_made_to_take_as_long_as_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MockClock
) -> None:
    monkeypatch.setattr(crew, "Computer", Quick)
    draws = iter([3.0, 4.0, 5.0, 1.0, 2.0])
    async with bounded(tmp_path, seconds=LONG, delay=lambda: next(draws)) as one:
        one.compute(1, 0, 0, 0)
        one.work.prepare(one.asker(2), SESSION, None, [1, 1])
        one.work.collect(one.asker(3), SESSION, [0])
        began, seen = trio.current_time(), []
        for _ in range(3):
            told = await one.told()
            seen.append((trio.current_time() - began, [node for node, *_ in told]))
        assert seen == [(1.0, [2]), (2.0, [3]), (12.0, [1])]
        assert told[0][-1] == 12.0  # seconds, as the session is told


async def test_thousands_wait_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MockClock
) -> None:
    monkeypatch.setattr(crew, "Computer", Quick)
    async with bounded(tmp_path, seconds=LONG, delay=lambda: 60.0) as one:
        for node in range(5000):
            one.compute(node, 0)
        await trio.testing.wait_all_tasks_blocked()
        tasks = trio.lowlevel.current_statistics().tasks_living
        told = await one.told(5000)
        assert trio.current_time() == 60.0
        assert [node for node, *_ in told] == list(range(5000))
        assert tasks < 20  # not one each


async def test_a_failure_takes_as_long(tmp_path: Path, clock: MockClock) -> None:
    async with bounded(tmp_path, seconds=LONG, delay=lambda: 60.0, source=ASYNC_JOB) as one:
        one.compute(1, "1 / 0")
        [(_, what, *_)] = await one.told()
        assert (what, trio.current_time()) == ("raised", 60.0)


# -- large values --------------------------------------------------------------------------


@pytest.mark.parametrize("source", [JOB, ASYNC_JOB])
async def test_large_values_are_fetched_first_and_stay_in_the_folder(
    tmp_path: Path, source: str
) -> None:
    large = list(range(3000))
    elsewhere, here = tmp_path / "elsewhere", tmp_path / "blobs"
    elsewhere.mkdir()
    handle = stored(elsewhere, large)
    asked = []

    async def fetch(wanted: Value, session: str) -> Value:
        asked.append((wanted, session))
        assert stored(here, large) == wanted
        return wanted

    async with bounded(tmp_path, fetch=fetch, source=source) as one:
        one.compute(1, 0, handle)
        [(_, what, *_, outputs, _)] = await one.told()
        assert (what, outputs[1]) == ("computed", handle)
        assert loaded(here, handle) == large
    assert asked == [(handle, SESSION)]


async def test_large_values_of_prepare_and_collect(tmp_path: Path) -> None:
    large = "x" * 3000

    async def fetch(wanted: Value, session: str) -> Value:
        return wanted  # it is there

    async with bounded(tmp_path, fetch=fetch) as one:
        one_handle = stored(tmp_path / "blobs", large)
        one.work.prepare(one.asker(1), SESSION, one_handle, [1, 1])
        assert await one.told() == [(1, "prepared", SESSION, [one_handle, one_handle])]
        one.work.collect(one.asker(1), SESSION, [one_handle, 4])
        assert await one.told() == [(1, "collected", SESSION, one_handle)]


async def test_what_cannot_be_fetched_is_the_failure(tmp_path: Path) -> None:
    async def fetch(wanted: Value, session: str) -> Value:
        raise LookupError(f"nobody has {wanted['size']} bytes")

    async with bounded(tmp_path, fetch=fetch) as one:
        one.compute(1, 5, handle("0" * 64, 4000), handle("1" * 64, 3000), slot=3)
        assert await one.told() == [(1, "raised", SESSION, 4, "nobody has 4000 bytes", "local")]
        one.work.collect(one.asker(1), SESSION, [handle("0" * 64, 4000)])
        assert await one.told() == [(1, "raised", SESSION, None, "nobody has 4000 bytes", "local")]


@pytest.mark.parametrize("source", [JOB, ASYNC_JOB])
async def test_a_large_value_for_which_there_is_no_file_goes_with_the_call(
    tmp_path: Path, source: str
) -> None:
    async def fetch(wanted: Value, session: str) -> Value:
        return list(range(3000))

    async with bounded(tmp_path, fetch=fetch, source=source) as one:
        one.compute(1, 0, handle("0" * 64, 4000))
        [(_, what, *_, outputs, _)] = await one.told()
        assert what == "computed"
        assert loaded(tmp_path / "blobs", outputs[1]) == list(range(3000))


@pytest.mark.parametrize("step", ["compute", "prepare", "collect"])
async def test_what_takes_longer_than_a_piece_may_is_ended_and_has_failed(
    tmp_path: Path, step: str
) -> None:
    async with bounded(tmp_path, piece_timeout=0.3) as one:
        endless = do("signal.pause()")
        if step == "compute":
            one.compute(1, 5, endless, 7, slot=3)
        elif step == "prepare":
            one.work.prepare(one.asker(1), SESSION, endless, [1])
        else:
            one.work.collect(one.asker(1), SESSION, [endless])
        where, slot = (f"partition {FIRST + 4}", 4) if step == "compute" else (step, None)
        text = f"it took longer than the 0.3 s of --piece-timeout in {where}"
        assert await one.told() == [(1, "raised", SESSION, slot, text)]
        one.compute(1, 5)  # in another process
        assert (await one.told())[0][1] == "computed"


async def test_short_pieces_may_take_longer_together_than_one_may(tmp_path: Path) -> None:
    async with bounded(tmp_path, piece_timeout=0.5) as one:
        one.compute(1, *[do("__import__('time').sleep(0.1)")] * 10)
        assert (await one.told())[0][1] == "computed"


async def test_an_async_piece_may_not_take_longer_either(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bounded(tmp_path, seconds=LONG, source=ASYNC_JOB, piece_timeout=5.0) as one:
        one.compute(1, 4, 6, slot=0)
        text = f"it took longer than the 5 s of --piece-timeout in partition {FIRST + 1}"
        assert await one.told() == [(1, "raised", SESSION, 1, text)]


@pytest.mark.parametrize("where", ["computing", "loop", "fetch"])
async def test_what_there_is_no_room_for_is_done_when_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """An output does not fit, or an input: that is told as what it is, and fails nothing."""
    monkeypatch.setattr(outcomes, "ROOM_SECONDS", 0.05)
    full, lacks = tmp_path / "gone", list[NoRoom]()

    async def fetch(wanted: Value, session: str) -> Value:
        if not full.exists():
            raise NoRoom("no room")
        return 7

    def lacking(error: NoRoom) -> None:
        lacks.append(error)
        if len(lacks) == 2:
            full.mkdir()

    more = {"fetch": fetch} if where == "fetch" else {}
    source = ASYNC_JOB if where == "loop" else JOB
    async with bounded(tmp_path, source=source, lacks=lacking, **more) as one:
        given: Value = handle("0" * 64, 4000) if where == "fetch" else ["x" * 3000]
        if where != "fetch":
            one.work._in_loop._folder = full
            one.work._crew._setup["folder"] = str(full)
        one.compute(1, 5, given, slot=3)
        ((node, what, session, slots, _, _),) = await one.told()
    assert (node, what, session, slots) == (1, "computed", SESSION, (3, 4))
    why = "no room" if where == "fetch" else f"nothing can be written in {full}: "
    assert [str(error)[: len(why)] for error in lacks] == [why] * 2
