"""What the README shows is run: its commands, its jobs and its Python."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import TOP
from tests.processes import free_port

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (TOP / "README.md").read_text(), re.M | re.S)
COMMANDS = [
    line.removeprefix("$ ")
    for kind, text in BLOCKS
    if kind == "console" and not text.startswith("host$")
    for line in text.splitlines()
    if line.startswith("$ ")
]
PROGRAMS = [text for kind, text in BLOCKS if kind == "python"]
FILES = {name: text for _, text in BLOCKS for name in re.findall(r"\A# (\w+\.\w+):", text)}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with the README and the files that it tells to write."""
    (tmp_path / "README.md").write_text((TOP / "README.md").read_text())
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(here: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    return subprocess.run(
        command, cwd=here, env=environment, capture_output=True, text=True, timeout=120, check=True
    )


SLOW = "--delay 0.3"
# The same commands with other numbers, that they are over sooner.
SMALLER = {"--nodes 10000 ": "--nodes 2000 ", "--seeds 500": "--seeds 20"}
SHOWN = [text for kind, text in BLOCKS if kind == "console" and text.startswith("$")]


@pytest.mark.parametrize("text", SHOWN)
def test_the_commands_of_a_block_run(here: Path, text: str) -> None:
    """One after the other: a later one may need what an earlier one wrote."""
    for number, smaller in SMALLER.items():
        text = text.replace(number, smaller)
    for line in text.splitlines():
        if line.startswith("$ python "):
            assert run(here, sys.executable, *shlex.split(line)[2:]).stdout


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("make ")])
def test_a_target_is_there(line: str) -> None:
    target = line.removeprefix("make ")
    assert re.search(rf"^{target}:", (TOP / "Makefile").read_text(), re.M)


@pytest.mark.parametrize("text", [text for text in PROGRAMS if text not in FILES.values()])
def test_a_program_runs(here: Path, text: str) -> None:
    run(here, sys.executable, "-c", text)


def test_the_life_of_a_node_is_as_it_is_told(here: Path) -> None:
    (command,) = (line for line in COMMANDS if "--follow" in line)
    (told,) = (text for kind, text in BLOCKS if kind == "console" and "--follow" in text)
    told_lines = told.splitlines()[1:-1]
    shown = run(here, sys.executable, *shlex.split(command)[1:]).stdout.splitlines()
    assert shown[: len(told_lines)] == told_lines


def test_every_fault_of_the_script_concerns_somebody(here: Path) -> None:
    (command,) = (line for line in COMMANDS if line.endswith("--faults storm.txt"))
    report = json.loads(run(here, sys.executable, *shlex.split(command)[1:], "--json").stdout)
    assert report["faults"] == FILES["storm.txt"].count("\nat ")
    assert report["faults_in_vain"] == []


def test_the_terminals_work_together(here: Path) -> None:
    """As it is told, but for the port, and slower, so that it is not over before all is done.

    One is killed, one interrupted, and the result is right.
    """
    where = f"127.0.0.1:{free_port()}"
    (block,) = (text for kind, text in BLOCKS if kind == "console" and text.startswith("host$"))
    block = block.replace("127.0.0.1:7411", where)
    block = block.replace("--delay 0.05", f"--listen {where} {SLOW}")
    assert block.count(where) > 4
    assert SLOW in block
    lines = [line.partition("$ ")[::2] for line in block.splitlines() if "$ " in line]
    lines.append(("four", f"python -m transports.tcp join {where} --nodes 300"))  # all is done
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    with ExitStack() as stack:
        running: dict[str, subprocess.Popen[str]] = {}
        for terminal, line in lines:
            if line == "kill -9":
                running[terminal].kill()
            elif line == "Ctrl-C":
                running[terminal].send_signal(signal.SIGINT)
                assert running[terminal].wait(30) == 130
            elif not terminal:
                status = [sys.executable, *shlex.split(line)[1:]]
                wait_until_some_is_done(here, status)
            else:
                started = subprocess.Popen(
                    [sys.executable, *shlex.split(line)[1:]],
                    cwd=here, env=environment, text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                )  # fmt: skip
                running[terminal] = stack.enter_context(started)
                stack.callback(started.kill)
        output, _ = running["host"].communicate(timeout=60)
        assert running["three"].wait(30) == running["four"].wait(30) == 0
    assert output.startswith("result            2,000\n")


def wait_until_some_is_done(here: Path, status: list[str]) -> None:
    """When all are there; the host may not listen yet."""
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    for _ in range(100):
        asked = subprocess.run(
            [*status, "--json"], cwd=here, env=environment, capture_output=True, timeout=30,
            check=False,
        )  # fmt: skip
        if asked.returncode == 0:
            told = json.loads(asked.stdout)
            accepted = sum(session["accepted"] for session in told["sessions"])
            if told["nodes"] == 30 and accepted >= 100:
                return
    pytest.fail("nothing was done")


def test_nothing_is_left_out() -> None:
    assert len(COMMANDS) >= 8
    assert FILES
    assert len(PROGRAMS) > len(FILES)
    assert all(any(number in text for text in SHOWN) for number in SMALLER)
