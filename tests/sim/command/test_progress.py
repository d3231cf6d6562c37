"""The line that tells of progress, on a terminal and nowhere else."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import time
from collections.abc import Sequence
from itertools import count

import pytest

from sim import World
from sim.command import progress
from tests.sim.running import process


def on_terminal(arguments: Sequence[str]) -> tuple[str, str]:
    """Standard output, a pipe, and standard error, a terminal."""
    terminal, end = pty.openpty()
    try:
        run = process(*arguments, stderr=end, env={**os.environ, "TERM": "xterm"})
        os.write(end, b"$")  # so that there is something to read
        assert run.returncode == 0
        return run.stdout, os.read(terminal, 65536).decode().removesuffix("$")
    finally:
        os.close(end)
        os.close(terminal)


def test_a_terminal_shows_progress() -> None:
    out, shown = on_terminal(["--nodes", "2000"])
    assert re.search(r"at [\d.]+ s.*\d nodes.*\d partitions.*messages", shown)
    assert "2,000" in out
    assert "\x1b" not in out


def test_json_is_quiet_on_a_terminal() -> None:
    out, shown = on_terminal(["--nodes", "20", "--json"])
    assert json.loads(out)["result"] == 20
    assert shown == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_five_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    hundredths = count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(hundredths) / 100)
    monkeypatch.setenv("TERM", "xterm")
    world, terminal = World(nodes=2000), Terminal()
    with progress.shown(world, terminal):
        report = world.run()
    seconds = next(hundredths) / 100
    refreshed = terminal.getvalue().count("nodes")
    assert seconds / 0.5 < refreshed <= 5 * seconds + 2
    assert "left" in terminal.getvalue()
    assert report.digest == World(nodes=2000).run().digest
    assert world.clock.after_tick == [world.record.flush]
