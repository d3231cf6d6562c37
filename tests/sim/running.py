"""Runs of `python -m sim`, here and in processes of their own, and jobs for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sim.__main__ import main
from tests import TOP

RAISING = """
def prepare(input, sizes): return [None] * len(sizes)
def compute(input, index): return 1 // (index - 7)
def collect(outputs): return sum(outputs)
"""
ECHO = """
print("a job is loaded")
def prepare(input, sizes): return [input] * len(sizes)
def compute(input, index):
    print("a piece is computed")
    return input
def doubled(input, index): return [input, input]
def first(outputs): return outputs[0]
collect = first
"""


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A real run."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "sim", *arguments]
    return subprocess.run(command, **options, cwd=TOP, text=True, timeout=60, check=False)


def reported(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    """What --json says."""
    assert main([*arguments, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def written(folder: Path, source: str) -> str:
    path = folder / "job.py"
    path.write_text(source)
    return str(path)
