"""What a process has needed, whoever started it."""

from __future__ import annotations

import subprocess
import sys

from plugins.console.memory import memory_bytes, peak_rss_bytes
from tests import TOP

MIB = 2**20
CHILD = "from plugins.console.memory import peak_rss_bytes; {}; print(peak_rss_bytes())"


def peak_of_a_child(statement: str) -> int:
    command = [sys.executable, "-c", CHILD.format(statement)]
    return int(subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, check=True).stdout)


def test_what_whoever_started_it_has_needed_does_not_count() -> None:
    needed = b"x" * (300 * MIB)
    assert peak_rss_bytes() > len(needed)
    assert peak_of_a_child("pass") < 100 * MIB


def test_what_it_has_given_back_counts() -> None:
    assert peak_of_a_child(f"b'x' * ({200 * MIB})") > 200 * MIB


def test_what_a_process_may_have_is_what_limits_leave_of_it() -> None:
    limit = 1000 * MIB
    code = f"import resource as r; r.setrlimit(r.RLIMIT_AS, ({limit}, {limit}))"
    code += "; from plugins.console.memory import memory_bytes; print(memory_bytes())"
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, check=True).stdout
    assert int(told) == min(limit, memory_bytes())
