"""Help, and what is wrong with an option, are told before what runs is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import TOP

NOTING = """
import atexit, pathlib, sys
modules = pathlib.Path(__file__).with_name("modules")
atexit.register(lambda: modules.write_text(" ".join(sys.modules)))
"""
RUNNING = {"asyncio", "core", "email", "logging", "msgspec", "multiprocessing", "polars"}
RUNNING |= {"simpy", "sqlite3", "ssl", "trio", "sim.world", "transports.process"}
COMMANDS = (
    "sim", "sim.report", "sim.search", "sim.sweep",
    "transports.tcp", "transports.tcp host", "transports.tcp join", "transports.tcp status",
)  # fmt: skip


def loaded(folder: Path, *words: str) -> tuple[int, set[str]]:
    """The exit code of a command, and which modules it had at its end."""
    (folder / "sitecustomize.py").write_text(NOTING)
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        check=False,
    )
    return done.returncode, set((folder / "modules").read_text().split())


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("option", "code"), [("--help", 0), ("--no-such-option", 2)])
def test_nothing_is_loaded_that_only_a_run_needs(
    tmp_path: Path, command: str, option: str, code: int
) -> None:
    ended, modules = loaded(tmp_path, *command.split(), option)
    assert ended == code
    assert "argparse" in modules
    assert not RUNNING & modules


def test_a_run_loads_it(tmp_path: Path) -> None:
    code, modules = loaded(tmp_path, "sim", "--nodes", "3")
    assert code == 0
    assert {"core", "simpy", "sim.world"} <= modules
