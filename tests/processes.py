"""Other processes, as tests see them: what they print, whether they live, when something is so."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from typing import Any

from tests import TOP

SECONDS_MAX = 60.0  # before something is called hung, on a machine that is busy, too
LOOK_SECONDS = 0.01
PORT_MIN = 10_000
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
    """One that nobody has at this moment, nor is given who asks for any: neither another test, nor
    who is connected meanwhile from there, has it when it is listened at again."""
    while True:
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", SystemRandom().randrange(PORT_MIN, _given_from())))
            return int(found.getsockname()[1])


def _given_from() -> int:
    """The first port that the system gives by itself, where it is told and leaves some below."""
    with suppress(OSError):
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        if first > PORT_MIN:
            return first
    return 32768
