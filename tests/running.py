"""Real processes of the command line, for tests: started, watched, killed, and none left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests import TOP
from tests.processes import SECONDS_MAX, children, lives, pids, until

PROGRAM = "python -m transports.tcp"  # as it calls itself
TOKEN = "0123456789abcdef0123456789abcdef"
PROMPT_SECONDS = 10.0  # below the heartbeat, and above what a busy machine takes
LEFT_SECONDS = 10.0  # below the heartbeat, after which those who are left would end anyway
MARK = "MILLION_NODES_TEST"  # in the environment of all that a test starts, directly or not


class Program:
    """One run of `python -m transports.tcp`, in a process group of its own."""

    def __init__(
        self, folder: Path, mark: str, words: Sequence[str], prefix: Sequence[str], **popen: Any
    ) -> None:
        self.out, self.err = folder / "out", folder / "err"
        self.began = time.monotonic()
        self.seconds = 0.0  # from then to when it was seen to have ended
        environment = {**os.environ, MARK: mark, **popen.pop("env", {})}
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "transports.tcp", *words],
                cwd=TOP,
                stdin=subprocess.DEVNULL,
                stdout=out,
                env=environment,
                **{"stderr": err, "start_new_session": True, **popen},
            )

    @property
    def stdout(self) -> str:
        return self.out.read_text()

    @property
    def stderr(self) -> str:
        return self.err.read_text()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def says(self, text: str) -> str:
        """Wait until standard error has it; returns the line."""

        def line() -> str:
            found = [line for line in self.stderr.splitlines() if text in line]
            assert found or self.running, f"ended without {text!r}: {self.stderr}"
            return found[0] if found else ""

        return str(until(line, text))

    @property
    def address(self) -> str:
        """Of a host."""
        return self.says("host at ").partition("host at ")[2].partition(";")[0]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def interrupt(self) -> None:
        self.signal(signal.SIGINT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS_MAX)

    def ended(self, code: int | None = 0, seconds: float = SECONDS_MAX) -> Program:
        """Wait until it has ended, and see that it did so as it should."""
        try:
            found = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it has not ended: {self.stderr[-2000:]}") from None
        self.seconds = time.monotonic() - self.began
        assert code is None or found == code, f"exit code {found}: {self.stderr[-4000:]}"
        return self

    def report(self, code: int = 0, seconds: float = SECONDS_MAX) -> dict[str, Any]:
        """What was printed with --json, when it has ended."""
        found: dict[str, Any] = json.loads(self.ended(code, seconds).stdout)
        return found

    @property
    def children(self) -> list[int]:
        return children(self.process.pid)


class Programs:
    """Those of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid4().hex
        self.started: list[Program] = []

    def start(self, *words: object, prefix: Sequence[str] = (), **popen: Any) -> Program:
        """`python -m transports.tcp` with these words."""
        folder = self.folder / f"run{len(self.started)}"
        folder.mkdir()
        program = Program(folder, self.mark, [str(word) for word in words], prefix, **popen)
        self.started.append(program)
        return program

    def host(self, *words: object, listen: str = "127.0.0.1:0", **popen: Any) -> Program:
        return self.start("host", "--listen", listen, "--json", *words, **popen)

    def join(
        self, host: Program | str, *words: object, listen: str = "127.0.0.1:0", **popen: Any
    ) -> Program:
        """One that listens, so that it may host sessions."""
        address = host if isinstance(host, str) else host.address
        return self.start("join", address, "--listen", listen, "-v", *words, **popen)

    def run(self, *words: object, code: int = 0, **popen: Any) -> Program:
        """From its beginning to its end; nothing of it is left then."""
        done = self.start(*words, **popen).ended(code)
        self.see_that_none_is_left()
        return done

    def job(self, text: str, name: str = "job.py") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    @property
    def alive(self) -> list[int]:
        """The processes that were started here, and those that they started."""
        return [pid for pid in pids() if _has_mark(pid, self.mark)]

    def see_that_none_is_left(self, seconds: float = LEFT_SECONDS) -> None:
        until(lambda: not self.alive, "nothing is left behind", seconds)

    def end(self) -> None:
        """Whatever is left is killed."""
        for pid in self.alive:
            _signal(pid, signal.SIGCONT)
            _signal(pid, signal.SIGKILL)
        for program in self.started:
            program.process.wait(SECONDS_MAX)


@contextmanager
def programs(folder: Path) -> Iterator[Programs]:
    """For one test. Raises AssertionError if anything outlived it that it did not kill."""
    made = Programs(folder)
    try:
        yield made
        made.see_that_none_is_left()
    finally:
        made.end()


def _has_mark(pid: int, mark: str) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{MARK}={mark}".encode() in environment and lives(pid)


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
