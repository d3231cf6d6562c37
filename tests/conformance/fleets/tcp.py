"""A fleet on real sockets: its root, processes that join it, and this one as a client."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests import TOP, processes
from tests.conformance.fleets.fleet import AT_ONCE, PARTITIONS, FleetThere
from transports import Fleet, Job

SECONDS_MAX = 60.0  # for any condition
JOB = """
import os, time

def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    value, folder = input
    open(os.path.join(folder, f"begun-{value}-{os.getpid()}"), "w").close()
    while not os.path.exists(os.path.join(folder, f"go-{value}")):
        time.sleep(0.01)
    return [[value, index]]

def collect(outputs):
    return [one for output in outputs for one in output]
"""


@contextmanager
def tcp(folder: Path) -> Iterator[FleetThere]:
    job = folder / "held.py"
    job.write_text(JOB)
    with ExitStack() as stack:
        yield Tcp(folder, job, stack)


class Tcp(FleetThere):
    def __init__(self, folder: Path, job: Path, stack: ExitStack) -> None:
        self._folder, self._job, self._stack = folder, job, stack
        serve = self._start("serve", "--listen", "127.0.0.1:0", "--json", "--at-once", str(AT_ONCE))
        assert serve.stdout is not None
        self._address = json.loads(serve.stdout.readline())["address"]
        self.come()
        self._fleet = stack.enter_context(Fleet.connect(self._address))

    def _start(self, *words: str) -> subprocess.Popen[str]:
        """A process that ends with this one."""
        command = [sys.executable, "-m", "transports.tcp", *words]
        command += ["--allow", str(self._job), "--while-stdin"]
        process = subprocess.Popen(
            command, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._stack.enter_context(process)  # which closes its pipes and waits for its end
        return process

    def submit(self, value: str, priority: int = 0) -> Job:
        given = [value, str(self._folder)]
        return self._fleet.submit(self._job, given, partitions=PARTITIONS, priority=priority)

    def let_go(self, value: str) -> None:
        (self._folder / f"go-{value}").touch()

    def cancel(self, job: Job) -> None:
        job.cancel()

    def state(self, job: Job) -> str:
        return job.progress().state

    def result(self, job: Job) -> Any:
        return job.result(SECONDS_MAX)

    def workers(self, value: str) -> int:
        return len(list(self._folder.glob(f"begun-{value}-*")))

    def come(self) -> None:
        cores = str(AT_ONCE)  # which the jobs that run share, as each has a piece that is held
        self._start("join", self._address, "--nodes", "1", "--cores", cores)

    def until(self, condition: Callable[[], bool]) -> None:
        processes.until(condition, seconds=SECONDS_MAX)
