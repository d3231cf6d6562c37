"""Hosts and bots as a user would start them, each in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from tests.benchmarks.tcp.measuring import LAST_WORDS, TCP, TOP, Report
from tests.processes import free_port

STARTING_SECONDS = 30.0
FILES = 20_000  # that a process may have open: connections are files

Popen = subprocess.Popen[bytes]


def free_address() -> str:
    """Of loopback, with a port that nobody has at the moment."""
    return f"127.0.0.1:{free_port()}"


def allow_many_files() -> None:
    """This process, and those that it starts, may have many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@attrs.define(eq=False)
class Started:
    """One process, and what it says."""

    command: list[str]
    process: Popen
    folder: TemporaryDirectory[str]  # of the two files into which it writes

    @classmethod
    def tcp(cls, *options: str) -> Started:
        """`python -m transports.tcp` with these options."""
        return cls.python(*TCP, *options)

    @property
    def options(self) -> list[str]:
        """Those of `tcp`, to start it again."""
        return self.command[1 + len(TCP) :]

    @classmethod
    def python(cls, *arguments: str) -> Started:
        command = [sys.executable, *arguments]
        folder = TemporaryDirectory()
        with (
            open(f"{folder.name}/output", "wb") as output,
            open(f"{folder.name}/errors", "wb") as errors,
        ):
            process = subprocess.Popen(
                command,
                cwd=TOP,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,  # so that what it leaves behind can be found
            )
        return cls(command, process, folder)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()
        self.process.wait()

    def vanished(self, seconds: float) -> bool:
        """Whether it, and all that it started, end within so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.process.poll()
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.01)
        return False

    def close(self) -> None:
        """Nothing of it is left, nor of what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        self.folder.cleanup()

    def end(self) -> None:
        """Interrupt it as Ctrl-C does; kill it where that does not help."""
        if self.running:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def report(self, seconds: float) -> Report:
        """What it prints, when it ends by itself. Raises SystemExit with its last words."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"{self.line}: not ended after {seconds:g} s\n{self.words}") from None
        lines = self._written("output").strip().splitlines()
        try:
            report: Report = json.loads(lines[-1])
        except (ValueError, IndexError):
            raise SystemExit(f"{self.line}: exit code {code}, no result\n{self.words}") from None
        return report

    def first(self, seconds: float) -> Report:
        """The first line that it prints, while it goes on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.running:
            line, end_of_line, _ = self._written("output").partition("\n")
            if end_of_line:
                report: Report = json.loads(line)
                return report
            time.sleep(0.005)
        raise SystemExit(f"{self.line}: said nothing\n{self.words}")

    @property
    def line(self) -> str:
        return " ".join(self.command)

    @property
    def words(self) -> str:
        """The last of what it said beside its result."""
        return self._written("errors")[-LAST_WORDS:]

    def _written(self, what: str) -> str:
        return Path(self.folder.name, what).read_text(errors="replace")

    def rss_bytes(self) -> int:
        """The memory that it has now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise SystemExit(f"{self.line}: has ended\n{self.words}")


@contextmanager
def host(*options: str) -> Iterator[tuple[Started, str]]:
    """A host that listens, and its address."""
    address = free_address()
    started = Started.tcp("host", "--listen", address, *options)
    try:
        wait_for(started, address)
        yield started, address
    finally:
        started.end()
        started.close()


def wait_for(started: Started, address: str) -> None:
    """Until somebody listens there."""
    name, _, port = address.rpartition(":")
    end = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < end and started.running:
        try:
            socket.create_connection((name, int(port)), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"{started.line}: does not listen\n{started.words}")


@contextmanager
def all_ended(processes: Sequence[Started]) -> Iterator[None]:
    """Whatever happens, none of these is left."""
    try:
        yield
    finally:
        for started in processes:
            started.close()
