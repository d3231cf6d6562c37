"""Real processes on real sockets. Each test ends by itself, or its time limit fails it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_rooms import TOP

SECONDS_MAX = 60
PRIMES_BELOW_A_MILLION = 78498


def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "transports.tcp", *arguments]
    done = subprocess.run(
        command, cwd=TOP, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert done.returncode == code, done.stderr
    return done


def report(*arguments: str, code: int = 0) -> dict[str, Any]:
    done = run(*arguments, "--json", code=code)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "options",
    [
        ("--nodes", "20", "--partitions", "1000"),
        ("--nodes", "100", "--partitions", "100", "--fanout", "5"),
        ("--nodes", "3", "--partitions", "50", "--fanout", "3"),
        ("--nodes", "1", "--partitions", "1"),
    ],
    ids=" ".join,
)
def test_two_processes_find_the_result(options: tuple[str, ...]) -> None:
    found = report("--processes", "2", *options)
    assert found["result"] == PRIMES_BELOW_A_MILLION
    assert found["lost_processes"] == 0


def test_the_summary_is_for_people_unless_told_otherwise() -> None:
    done = run("--nodes", "4", "--processes", "2")
    assert done.stdout.startswith(f"result      {PRIMES_BELOW_A_MILLION}\n")
    assert done.stderr == ""


SUICIDE = """
import os, signal

def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    if index == input["victim"]:
        try:
            os.close(os.open(input["flag"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return index
        os.kill(os.getpid(), signal.SIGKILL)
    return index

def collect(outputs):
    return sum(outputs)
"""


@pytest.mark.parametrize("fanout", ["4", "40", "200"])
def test_the_death_of_a_process_costs_no_result(tmp_path: Path, fanout: str) -> None:
    """The process that comes to one of the later partitions first kills itself, once."""
    job, flag = tmp_path / "job.py", tmp_path / "flag"
    job.write_text(SUICIDE)
    value = json.dumps({"victim": 120, "flag": str(flag)})
    options = ["--nodes", "20", "--partitions", "200", "--fanout", fanout]
    found = report("--processes", "2", "--job", str(job), "--input", value, *options)
    assert flag.exists()
    assert found["result"] == sum(range(200))
    assert found["lost_processes"] == 1


FAULTY = """
def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    return {1, 2} if index == input else index

def collect(outputs):
    return 0
"""


def test_an_output_that_is_not_plain_data_fails_the_job(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(FAULTY)
    options = ["--nodes", "6", "--partitions", "12", "--fanout", "4", "--processes", "2"]
    found = report("--job", str(job), "--input", "7", *options, code=1)
    assert found["failure"]["partition"] == 7
    assert "not plain data" in found["failure"]["error"]


def test_other_addresses_are_refused() -> None:
    done = run("--listen", "0.0.0.0", code=2)
    assert done.stderr.count("\n") == 1
    assert "0.0.0.0" in done.stderr
