"""The functions of a job in real computing processes: what comes of their calls."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plugins.jobs.failing import TEXT_MAX, shortened
from tests.transports.work.working import SECONDS_MAX, SESSION, bounded, do


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
