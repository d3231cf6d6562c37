"""Whatever a job's function does is the job's failure, told alike on both transports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.losses import PIECES_MAX
from core.messages import Failure
from plugins.console.telling import as_json
from plugins.jobs.failing import LINE_MAX, TEXT_MAX
from plugins.jobs.loading import load
from sim import World
from tests import TOP
from tests.running import programs
from transports.work.computing import COLLECT, COMPUTE, PAGE_BYTES, PREPARE, Computing

RAISING = """
import asyncio, os, sys

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")

class Quiet(BaseException):
    pass

def deep(n):
    return deep(n + 1)

def many(errors):
    raise BaseExceptionGroup("many", errors)

def noted(notes):
    error = KeyError(4)
    error.__notes__ = notes
    raise error

def what(input):
    if input["do"] == "raise KeyboardInterrupt":
        raise KeyboardInterrupt  # after one in exec() Python ends as if by Ctrl-C
    exec(input["do"], globals())

def prepare(input, sizes):
    if input["where"] == 1:
        return PREPARED if input["do"] == "" else what(input)
    return [input] * len(sizes)

def compute(input, index):
    if input["where"] == 0:
        what(input)
    return [input["where"], input["do"]]

def collect(outputs):
    where, do = outputs[0]
    if where == 2:
        what({"do": do})
    return len(outputs)

PREPARED = None
"""
DONE = {  # what is done, and how the last line begins
    "1 / 0": "ZeroDivisionError: division by zero",
    "raise SystemExit(0)": "SystemExit: 0",
    "raise asyncio.CancelledError": "asyncio.exceptions.CancelledError",
    "raise GeneratorExit": "GeneratorExit",
    "raise Quiet('x')": "Quiet: x",
    "raise Mute": "Mute, of which there is no text",
    "raise StopIteration(3)": "StopIteration: 3",
    "raise MemoryError": "MemoryError",
    "deep(0)": "RecursionError: maximum recursion depth exceeded",
    "raise ValueError('one\\n  two\\n\\nthree')": "ValueError: one two three",
    "raise ValueError('')": "ValueError",
    "raise ValueError('x' * 10**6)": "ValueError: xxx",
    "raise ValueError('\\udcf6')": "ValueError: \\udcf6",
    "many([ValueError(1)])": "ExceptionGroup: many (1 sub-exception): ValueError: 1",
    "many([KeyError(2), ExceptionGroup('in', [OSError(3)] * 9)])": (
        "ExceptionGroup: many (2 sub-exceptions): KeyError: 2; OSError: 3; OSError: 3; 7 more"
    ),
    "noted(['item 3', 'two\\nlines', 5])": "KeyError: 4 (item 3)",
    "noted(5)": "KeyError: 4",
    "a = = b": "SyntaxError: invalid syntax (<string>, line 1)",
    "import no_such": "ModuleNotFoundError: No module named 'no_such'",
}


@pytest.mark.parametrize("where", [COMPUTE, PREPARE, COLLECT])
@pytest.mark.parametrize("do", DONE)
def test_what_is_raised_is_told_alike(tmp_path: Path, do: str, where: int) -> None:
    job = tmp_path / "job.py"
    job.write_text(RAISING)
    given = {"do": do, "where": where}
    report = World(nodes=1, job=str(job), input=given, delay=1.0).run()
    failure = report.failure
    assert failure is not None
    assert (failure.session, failure.partition) == ("0", 0 if where == COMPUTE else None)
    page = memoryview(bytearray(PAGE_BYTES)).cast("Q")
    values = [[where, do]] if where == COLLECT else [given]
    numbers = [] if where == COLLECT else [0 if where == COMPUTE else 1]
    _, _, piece, text, _ = Computing(load(str(job)), tmp_path, page).run(
        (1, where, 0, numbers, values)
    )
    assert piece == 0
    assert text == failure.error or "repeated" in text
    assert "Traceback (most recent call last)" in text.splitlines()[0]
    assert len(text) <= TEXT_MAX
    assert "computing.py" not in text
    assert "work.py" not in text
    line = text.rstrip().splitlines()[-1]
    assert line.startswith(DONE[do])
    assert len(line) < LINE_MAX + 100


def simulated(folder: Path, text: str, where: int, **options: Any) -> Failure:
    """That of a job with this text, in the simulator."""
    job = folder / "job.py"
    job.write_text(text)
    report = World(nodes=1, job=str(job), input={"do": "", "where": where}, **options).run()
    assert report.failure is not None
    return report.failure


@pytest.mark.parametrize(
    ("prepared", "told"),
    [
        ("None", "TypeError: prepare returned NoneType, which is no sequence: return a list of 1"),
        ("5", "TypeError: prepare returned int, which is no sequence"),
        ("[]", "ValueError: prepare returned 0 inputs for 1 slots"),
        ("'ab'", "ValueError: prepare returned 2 inputs for 1 slots"),
        ("type('L', (), {'__iter__': lambda self: 1 / 0})()", "ZeroDivisionError"),
    ],
)
def test_what_prepare_returns_is_looked_at(tmp_path: Path, prepared: str, told: str) -> None:
    text = RAISING.replace("PREPARED = None", f"PREPARED = {prepared}")
    failure = simulated(tmp_path, text, PREPARE, delay=1.0)
    assert failure.error.rstrip().splitlines()[-1].startswith(told)


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("float('nan')", "ValueError: cost returned nan: return seconds, from 0 to 1e+09"),
        ("float('inf')", "ValueError: cost returned inf"),
        ("-1", "ValueError: cost returned -1"),
        ("'1'", "ValueError: cost returned '1'"),
        ("None", "ValueError: cost returned None"),
    ],
)
def test_a_cost_that_is_no_time_is_the_jobs_failure(tmp_path: Path, cost: str, told: str) -> None:
    text = f"{RAISING}\ndef cost(input, index):\n    return {cost}\n"
    failure = simulated(tmp_path, text, where=9)
    assert (failure.session, failure.partition) == ("0", 0)
    assert failure.error.rstrip().splitlines()[-1].startswith(told)


@pytest.mark.parametrize("do", ["raise KeyboardInterrupt", "os._exit(0)", "sys.exit(3)"])
def test_no_function_ends_the_program(tmp_path: Path, do: str) -> None:
    job = tmp_path / "job.py"
    job.write_text(RAISING)
    given = f'{{"do": "{do}", "where": 0}}'
    command = ["-m", "sim", "--nodes", "2", "--job", str(job), "--input", given]
    done = subprocess.run(
        [sys.executable, *command], cwd=TOP, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "partition" in done.stderr.splitlines()[-1]
    with programs(tmp_path) as run:
        told = run.run("--nodes", 2, "--job", job, "--input", given, code=1).stderr
    assert "partition" in told.splitlines()[-1]


LOSSY = """
def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    if index in input:
        raise ValueError(f"met {index}")
    return index

def collect(outputs):
    return sum(outputs)
"""


@pytest.mark.parametrize("lost", [[], [7], [0, 1, 2, 3], [2, 29, *range(12, 16)], [*range(30)]])
def test_what_is_lost_is_told_alike(tmp_path: Path, lost: list[int]) -> None:
    """Some pieces, all of a session, all that there are."""
    job = tmp_path / "job.py"
    job.write_text(LOSSY)
    world = World(
        nodes=12, partitions=30, fanout=4, job=str(job), input=lost, keep_going=True, delay=0.1
    ).run()
    code = (7 if len(lost) < 30 else 1) if lost else 0
    with programs(tmp_path) as run:
        options = ("--nodes", 12, "--processes", 3, "--partitions", 30, "--fanout", 4, "--job", job)
        told = run.start(*options, "--input", str(lost), "--keep-going", "--json").report(code, 60)
    one = json.loads(as_json(world))
    for found in (one, told):
        assert found["result"] == (sum({*range(30)} - {*lost}) if len(lost) < 30 else None)
        assert found["accepted"] == 30 - len(lost)
        assert (found["failure"] is None) is (len(lost) < 30)
    if not lost:
        assert one["lost"] is told["lost"] is None
        return
    assert one["lost"]["count"] == told["lost"]["count"] == len(lost)
    for piece in one["lost"]["pieces"] + told["lost"]["pieces"]:
        assert piece["partition"] in lost
        assert piece["error"].rstrip().endswith(f"ValueError: met {piece['partition']}")
    if len(lost) < PIECES_MAX:
        same = [(p["session"], p["partition"], p["error"]) for p in one["lost"]["pieces"]]
        assert [(p["session"], p["partition"], p["error"]) for p in told["lost"]["pieces"]] == same


ASYNCHRONOUS = """
import asyncio

def prepare(input, sizes):
    return [1] * len(sizes)

async def compute(input, index):
    if index == 3:
        raise asyncio.CancelledError
    return 1

def collect(outputs):
    return sum(outputs)
"""


def test_a_piece_in_the_loop_ends_no_process(tmp_path: Path) -> None:
    with programs(tmp_path) as run:
        host = run.run("--nodes", 4, "--job", run.job(ASYNCHRONOUS), "--partitions", 8, code=1)
    assert "partition 3: asyncio.exceptions.CancelledError" in host.stderr.splitlines()[-1]
