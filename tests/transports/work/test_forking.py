"""Functions that fork: a child that comes back fails its piece, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.transports.work.working import FIRST, bounded, do
from transports.work.forking import came_back_line

ENDING = (
    "pid = os.fork()\nif not pid: {}\noutput = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"
)


@pytest.mark.parametrize(
    "comes_back", ["os.fork()", "if not os.fork(): 1 / 0", "os.fork() and os.wait()"]
)
async def test_a_child_that_comes_back_fails_its_piece_alone(
    tmp_path: Path, comes_back: str
) -> None:
    async with bounded(tmp_path) as one:
        one.compute(1, 5, do(f"{comes_back}\noutput = 6"), do("output = os.getpid()"))
        told = await one.told()
        assert told == [(1, "raised", "0-2", 1, came_back_line(f"partition {FIRST + 1}"))]
        one.compute(1, do("output = os.getpid()"))
        one.compute(2, do("output = os.getpid()"))
        pids = [_outputs(outcome) for outcome in await one.told(2)]
        assert pids[0] == pids[1]  # by one process, which goes on


@pytest.mark.parametrize(("end", "code"), [("os._exit(3)", 3), ("sys.exit(4)", 4), ("exit()", 0)])
async def test_a_child_that_ends_is_nobodys_business(tmp_path: Path, end: str, code: int) -> None:
    async with bounded(tmp_path) as one:
        one.compute(1, do(ENDING.format(end)))
        assert _outputs((await one.told())[0]) == [code]


def _outputs(outcome: tuple[Any, ...]) -> Any:
    assert outcome[1] == "computed", outcome
    return outcome[4]
