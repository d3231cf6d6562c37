"""Other processes, as tests see them: what they print, whether they live, when something is so."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import TOP

SECONDS_MAX = 20.0
LOOK_SECONDS = 0.01
HEARING = (  # before a command: it hears all signals, though who began the tests may ignore some
    *(sys.executable, "-c"),
    "import os, signal, sys\n"
    "for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):\n"
    "    signal.signal(number, signal.SIG_DFL)\n"
    "os.execv(sys.argv[1], sys.argv[1:])",
)


def printed(code: str, *hash_seeds: str) -> set[str]:
    """What `code` prints, in a process for each of `hash_seeds`; Python's hashes are others."""
    return {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=TOP,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in hash_seeds
    }


def until(true: Callable[[], Any], what: str = "", seconds: float = SECONDS_MAX) -> Any:
    """Other processes tell nobody when something is so. Returns what was true."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what or true}"
        time.sleep(LOOK_SECONDS)
    return found


def pids() -> list[int]:
    """Of all processes there are."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def children(pid: int) -> list[int]:
    return [other for other in pids() if _stat(other)[1:2] == [str(pid)]]


def lives(pid: int) -> bool:
    """Whether it runs; one that ended and was not waited for does not."""
    if not Path("/proc/self").exists():
        return _is_there(pid)
    return _stat(pid)[:1] not in (["Z"], ["X"], [])


def _stat(pid: int) -> list[str]:
    """State, parent and so on; nothing of what is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    """One that nobody has at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
