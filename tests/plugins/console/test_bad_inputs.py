"""What a person gives is looked at before anything starts: one line, exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sim import World
from tests import TOP

HUGE = "123456789012345678901234567890"
DEEP = json.dumps(eval("[" * 95 + "]" * 95))  # noqa: S307 - that many lists within each other
LATIN = os.fsdecode(b"d\xf6.txt")
SIM, TCP = ("sim", "--nodes", "4"), ("transports.tcp", "--nodes", "4")
JOB = """
def prepare(input, sizes):
    return [1] * len(sizes)

def compute(input, index):
    return 1

def collect(outputs):
    return sum(outputs)
"""


def told(folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    """How it ended, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TOP), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", [SIM, TCP], ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("--input", HUGE), "--input: not plain data: an int of more than 64 bits: use str"),
        (("--input", f"[[[[[[{DEEP}]]]]]]"), "lists and dicts within each other: flatten it"),
        (("--input", '"\\ud800"'), "in it, which no encoding has: use os.fsencode"),
        (("--input", '{"\\u0000blob": 1}'), "is not for jobs to use: rename it"),
        (("--input", LATIN), "has bytes that are no UTF-8 text: rename it"),
        (("--job", LATIN), "has bytes that are no UTF-8 text: rename it"),
        (
            ("--seed", HUGE),
            "--seed: '123456789012345678901234567890' is wrong, give a whole number",
        ),
        (("--seed", "1.5"), "--seed: '1.5' is wrong, give a whole number"),
    ],
)
def test_a_value_that_cannot_be_is_one_line(
    tmp_path: Path, command: tuple[str, ...], given: tuple[str, ...], named: str
) -> None:
    (tmp_path / "job.py").write_text(JOB)
    code, line = told(tmp_path, *command, "--job", "job.py", *given)
    assert code == 2
    assert line.startswith(f"python -m {command[0]}: ")
    assert line.count("\n") == 1
    assert named in line


@pytest.mark.parametrize("command", [SIM, TCP], ids=lambda command: command[0])
def test_a_folder_whose_name_cannot_be_told_is_one_line(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    folder = tmp_path / os.fsdecode(b"f\xf6")
    folder.mkdir()
    (folder / "job.py").write_text(JOB)
    code, line = told(folder, *command, "--job", "job.py")
    assert (code, line.count("\n")) == (2, 1)
    assert "is in a folder whose name is no UTF-8 text" in line


@pytest.mark.parametrize("command", [SIM, TCP], ids=lambda command: command[0])
def test_a_folder_that_is_gone_is_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    own = (sys.executable, "-m", *command, "--job", "./job.py")
    done = subprocess.run(
        ["bash", "-c", 'rmdir "$PWD"; exec "$@"', "bash", *own],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--job: './job.py' is in the present folder, which is not there any more" in done.stderr


def test_a_name_in_another_locale_is_one_line(tmp_path: Path) -> None:
    """In which the program cannot tell what was given."""
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    given = ("--job", "plugins.wordcount", "--input", "é.txt")
    code, line = told(tmp_path, *TCP, *given, **ascii_only)
    assert (code, line.count("\n")) == (2, 1)
    assert "have the locale be one of UTF-8" in line


@pytest.mark.parametrize("address", [f"{'a' * 64}.example:7411", "a..b:1", f"{'a.' * 127}a:1"])
def test_an_address_that_no_host_has_is_one_line(tmp_path: Path, address: str) -> None:
    code, line = told(tmp_path, "transports.tcp", "join", address, "--patience", "1")
    assert (code, line.count("\n")) == (2, 1)
    assert "names no host" in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nodes", "5"), ("nodes", True), ("nodes", 2.0), ("nodes", 0), ("partitions", int),
        ("fanout", "3"), ("seed", "x"), ("seed", 2**63), ("seed", 1.0), ("seed", True),
        ("latency", None), ("latency", [1]), ("delay", object()), ("lifetime", [1]),
        ("listening", "x"), ("listening", float("nan")), ("heartbeat", None), ("tick", "1"),
        ("arrival_rate", "1"), ("service_time", -1), ("replicas", []), ("sample", True),
        ("arrivals", 5), ("trace", 5), ("prepare", 5), ("compute", b"x"), ("job", 5), ("faults", 5),
        ("input", {1, 2}), ("input", 2**64), ("input", "\ud800"), ("input", object()),
    ],
)  # fmt: skip
def test_a_world_says_what_is_wrong_with_it(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        World(**{"nodes": 4, name: value})
    assert "\n" not in str(caught.value)
