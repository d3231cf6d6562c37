"""Many small jobs on one fleet, one after the other: what its processes take does not grow.

A root with a store and two processes that join, each with computing processes of its own; then a
fleet of one's own, for what is done there alone. The jobs are of all kinds that end: right ones,
with values that go by files, that fail, that are cancelled, a map. Looked at is what each process
takes at most after the first so many, and at least at the end: memory, descriptors, threads, and
how many there are of a kind. Until then caches fill, and the root keeps what came of the last
hundred jobs.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from tests.benchmarks.tcp.clients import told
from tests.benchmarks.tcp.measuring import Outcome
from tests.benchmarks.tcp.processes import Started, all_ended, free_address, wait_for
from tests.processes import SECONDS_MAX, children, until
from transports import Fleet, JobCancelled, JobFailed

JOBS, WARM = 1000, 300
KINDS = 5  # of jobs
GROWN_BYTES_MAX = 4 * 2**20  # of one process: allocators keep a little more or less
PROCESSES, NODES, PARTITIONS = 2, 4, 8
WHO = {"submitter", "root", "join", "computing"}
LARGE = 50_000  # bytes of a value that goes by a file

JOB = f"""
import time

LARGE = {LARGE}

def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    if input == "fails" and index == 3:
        raise ValueError("as it should")
    while input == "waits":
        time.sleep(0.01)
    return bytes(LARGE) if input == "large" else index

def collect(outputs):
    return outputs[0] if isinstance(outputs[0], bytes) else sum(outputs)
"""


@attrs.frozen
class Taken:
    """What one process takes. Several of one kind: the most of them, and how many there are."""

    bytes: int = 0
    descriptors: int = 0
    threads: int = 0
    processes: int = 0

    def with_one_more(self, other: Taken) -> Taken:
        return Taken(
            max(self.bytes, other.bytes),
            max(self.descriptors, other.descriptors),
            max(self.threads, other.threads),
            self.processes + other.processes,
        )


def double(number: int) -> int:
    """What is mapped."""
    return 2 * number


class Soak:
    """A fleet that is given jobs. The processes of it are started by this one."""

    def __init__(self, fleet: Fleet, job: Path, own: bool) -> None:
        self.fleet, self.job, self.own = fleet, job, own

    def give(self, number: int) -> bool:
        """One job, of a kind that its number tells; whether what came of it is right."""
        match number % KINDS:
            case 1:
                return self._fails()
            case 2:
                return self._is_cancelled()
            case 3:
                return bool(self._run("large") == bytes(LARGE))
            case 4 if self.own:
                return [*self.fleet.map(double, range(20))] == [*range(0, 40, 2)]
        return bool(self._run(number) == sum(range(PARTITIONS)))

    def _run(self, value: object) -> object:
        return self.fleet.run(self.job, value, partitions=PARTITIONS)

    def _fails(self) -> bool:
        try:
            self._run("fails")
        except JobFailed as error:
            return "as it should" in str(error)
        return False

    def _is_cancelled(self) -> bool:
        job = self.fleet.submit(self.job, "waits", partitions=PARTITIONS)
        job.cancel()
        try:
            job.result(SECONDS_MAX)
        except JobCancelled:
            return True
        return False


def taken_by_all() -> dict[str, Taken]:
    """What this process takes, and those that it started, directly or not, by kind."""
    gc.collect()
    found: dict[str, Taken] = {}
    for pid in _with_those_it_started(os.getpid()):
        kind = "submitter" if pid == os.getpid() else _kind(pid)
        found[kind] = found.get(kind, Taken()).with_one_more(taken(pid))
    return found


def _with_those_it_started(pid: int) -> Iterator[int]:
    yield pid
    for child in children(pid):
        yield from _with_those_it_started(child)


def _kind(pid: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return "root" if b"serve" in words else "join" if b"join" in words else "computing"
    return "gone"


def taken(pid: int) -> Taken:
    """By one process; nothing where it has just ended."""
    here = Path(f"/proc/{pid}")
    try:
        lines = (here / "status").read_text().splitlines()
        told = dict(line.split(":", 1) for line in lines)
        memory = int(told["VmRSS"].split()[0]) * 1024
        return Taken(memory, len(os.listdir(here / "fd")), int(told["Threads"]), 1)
    except (OSError, KeyError):
        return Taken()


@contextmanager
def served(folder: Path) -> Iterator[Soak]:
    """A fleet with a store, for as long as this lasts."""
    address, job = free_address(), _job(folder)
    words = ("--listen", address, "--store", str(folder / "fleet.store"), "--allow", str(job))
    with ExitStack() as stack:
        root = Started.tcp("serve", *words)
        stack.enter_context(all_ended([root]))
        wait_for(root, address)
        for _ in range(PROCESSES):
            join = ("join", address, "--nodes", str(NODES // PROCESSES), "--allow", str(job))
            stack.enter_context(all_ended([Started.tcp(*join)]))
        until(lambda: (told(address) or {}).get("nodes") == NODES, "all have come")
        yield Soak(stack.enter_context(Fleet.connect(address)), job, own=False)


@contextmanager
def own(folder: Path) -> Iterator[Soak]:
    """A fleet of this program alone, for as long as this lasts."""
    with Fleet(nodes=NODES, processes=PROCESSES) as fleet:
        yield Soak(fleet, _job(folder), own=True)


def _job(folder: Path) -> Path:
    job = folder / "job.py"
    job.write_text(JOB)
    return job


def soak(scale: int, runs: int) -> Outcome:
    """All those jobs on either fleet, and what each process takes before and after most of them."""
    outcome = Outcome()
    for name, fleet in (("served", served), ("of one's own", own)):
        with TemporaryDirectory() as folder, fleet(Path(folder)) as soaking:
            few = max(2 * KINDS, WARM // scale)
            soak_one(outcome, name, soaking, max(4 * KINDS, JOBS // scale), few)
    return outcome


def soak_one(outcome: Outcome, fleet: str, soaking: Soak, jobs: int, warm: int) -> None:
    """One fleet: a line of its jobs, and one for each kind of process."""
    began = time.monotonic()
    wrong = [number for number in range(warm) if not soaking.give(number)]
    early, late = list[dict[str, Taken]](), list[dict[str, Taken]]()
    for number in range(warm, jobs):
        wrong += [] if soaking.give(number) else [number]
        if number < warm + KINDS:  # one kind of job takes more than another
            early.append(taken_by_all())
        elif number >= jobs - KINDS:
            late.append(taken_by_all())
    seconds = time.monotonic() - began
    says = outcome.insist(not wrong, f"a job of the fleet {fleet}")
    title = f"{jobs:,} jobs, fleet {fleet}"
    outcome.line("soak", title, f"{seconds:.1f} s", "", f"every result {says}")
    for name in sorted(WHO):
        before, after = of_all(max, early, name), of_all(min, late, name)
        says = outcome.insist(not grown(before, after), f"what {name} takes, fleet {fleet}")
        outcome.line("soak", f"  {name}, from job {warm} on", _figure(before, after), "", says)


def of_all(
    choose: Callable[[Iterable[int]], int], looks: list[dict[str, Taken]], name: str
) -> Taken:
    """The most, or the least, of what that kind of process took."""
    found = [attrs.astuple(look.get(name, Taken())) for look in looks]
    return Taken(*map(choose, zip(*found, strict=True)))


def grown(before: Taken, after: Taken) -> bool:
    """Whether it takes more than it should."""
    return (
        after.bytes > before.bytes + GROWN_BYTES_MAX
        or after.descriptors > before.descriptors
        or after.threads > before.threads
        or after.processes > before.processes
    )


def _figure(before: Taken, after: Taken) -> str:
    memory = f"{before.bytes / 2**20:.1f} to {after.bytes / 2**20:.1f} MB"
    files = f"{before.descriptors} to {after.descriptors} descriptors"
    threads = f"{before.threads} to {after.threads} threads"
    return f"{memory}, {files}, {threads}, {before.processes} to {after.processes} processes"
