"""Pieces that run in the loop."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.transports.work.working import (
    ASYNC_JOB,
    FIRST,
    LONG,
    SESSION,
    bounded,
)


async def test_an_async_compute_runs_in_the_loop_one_command_a_node(
    tmp_path: Path, clock: MockClock
) -> None:
    async with bounded(tmp_path, seconds=LONG, source=ASYNC_JOB) as one:
        for node in range(300):
            one.compute(node, 10, 10, slot=node)
        one.compute(7, 10, slot=400)
        one.compute(8, 10, slot=500).leave()
        told = await one.told(300)
        assert trio.current_time() == 20.0
        assert {what for _, what, *_ in told} == {"computed"}
        assert {seconds for *_, seconds in told} == {20.0}
        [(*_, [first, second], _)] = [one for one in told if one[0] == 7]
        assert (first[:2], second[:2]) == ([FIRST + 7, 10.0], [FIRST + 8, 20.0])
        [(node, *_)] = await one.told()
        assert (node, trio.current_time()) == (7, 30.0)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(2)", "SystemExit: 2"),
        ("raise BaseExceptionGroup('both', [SystemExit(2), OSError()])", "both"),
        ("raise trio.Cancelled._create(source='nobody')", "Cancelled"),
        ("raise BaseExceptionGroup('', [trio.Cancelled._create(source='nobody')])", "Cancelled"),
        ("output = {1}", "not plain data"),
    ],
)
async def test_what_an_async_compute_raises(
    tmp_path: Path, clock: MockClock, statement: str, said: str
) -> None:
    async with bounded(tmp_path, seconds=LONG, source=ASYNC_JOB) as one:
        one.compute(1, 1, statement, 1, slot=4)
        one.compute(1, 1)
        [(_, what, _, slot, text)] = await one.told()
        assert (what, slot) == ("raised", 5)
        assert said in text
        assert (await one.told())[0][1] == "computed"


async def test_an_async_job_is_cut_and_combined_in_computing_processes(tmp_path: Path) -> None:
    async with bounded(tmp_path, source=ASYNC_JOB) as one:
        one.work.prepare(one.asker(1), SESSION, 7, [1, 1])
        assert await one.told() == [(1, "prepared", SESSION, [7, 7])]
