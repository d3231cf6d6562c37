"""`kill -9` of any process of a fleet while three jobs run: each result is right.

A root with a store and three processes that join it. Each time three jobs are submitted, and one
process is killed when all three have begun: the root, or one that joined, which are then started
again with the same command, or one that computes. Which one and when is drawn from the seed.
Who submits has one connection all the while, which finds the root again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

import attrs

from tests.benchmarks.tcp import shares
from tests.benchmarks.tcp.clients import told
from tests.benchmarks.tcp.measuring import Outcome
from tests.benchmarks.tcp.processes import Started, free_address, wait_for
from tests.processes import SECONDS_MAX, children, until
from transports import Fleet

SEED, TIMES = 1, 7  # each
JOBS, PARTITIONS, PIECE_SECONDS = 3, 60, 0.02
PROCESSES, NODES = 3, 12
MOMENT_SECONDS = 0.4  # at most, from when all have begun; they take about 0.6
JOB = f"""
import time
from tests.benchmarks.tcp.shares import collect, prepare, compute as share

def compute(input, index):
    time.sleep({PIECE_SECONDS})
    return share(input, index)
"""


VICTIMS = ("nobody", "a computing process", "one that joined", "the root")


@attrs.define(eq=False)
class Scene:
    """A fleet, all of whose processes can be killed."""

    address: str
    job: Path
    root: Started
    joins: list[Started]

    def kill(self, victim: str, random: Random) -> None:
        """One process of that kind, which is started again where nobody else does so."""
        number = random.randrange(PROCESSES)
        match victim:
            case "the root":
                self.root = _again(self.root)
            case "one that joined":
                self.joins[number] = _again(self.joins[number])
            case "a computing process":
                computing = [pid for join in self.joins for pid in children(join.pid)]
                os.kill(random.choice(computing), signal.SIGKILL)

    def wait_for_all(self) -> None:
        """Until all nodes are there."""
        until(lambda: (told(self.address) or {}).get("nodes") == NODES, "all nodes are there")

    def close(self) -> None:
        """Nothing is left of it."""
        for one in (self.root, *self.joins):
            one.close()


def _again(killed: Started) -> Started:
    """The same command, when it has been killed."""
    killed.kill()
    killed.close()
    return Started.tcp(*killed.options)


@contextmanager
def scene() -> Iterator[Scene]:
    """A fleet for as long as this lasts, with all its nodes."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        address, job = free_address(), Path(folder) / "job.py"
        job.write_text(JOB)
        allow = ("--allow", str(job))
        store = ("--store", f"{folder}/fleet.store", "--at-once", str(JOBS))
        root = Started.tcp("serve", "--listen", address, *store, *allow)
        found = Scene(address, job, root, [])
        stack.callback(found.close)
        wait_for(root, address)
        join = ("join", address, "--nodes", str(NODES // PROCESSES), *allow)
        found.joins += [Started.tcp(*join, "--listen", "127.0.0.1:0") for _ in range(PROCESSES)]
        found.wait_for_all()
        yield found


@attrs.frozen
class Ran:
    """What came of the jobs of one time."""

    right: bool
    seconds: float  # from when all had begun until all were done


def run(found: Scene, victim: str, random: Random) -> Ran:
    """Three jobs, one process of that kind killed; or nobody."""
    with Fleet.connect(found.address) as fleet:
        jobs = [fleet.submit(found.job, partitions=PARTITIONS) for _ in range(JOBS)]
        until(lambda: all(job.progress().state != "queued" for job in jobs), "all have begun")
        began = time.monotonic()
        time.sleep(random.uniform(0, MOMENT_SECONDS))  # the moment is what is drawn
        found.kill(victim, random)
        results = [job.result(SECONDS_MAX) for job in jobs]
        seconds = time.monotonic() - began
    found.wait_for_all()
    return Ran(results == [shares.whole(PARTITIONS)] * JOBS, seconds)


def fleet_killing(scale: int, runs: int) -> Outcome:
    """Each kind of process so many times, one kind after the other."""
    outcome, random = Outcome(), Random(SEED)
    ran: dict[str, list[Ran]] = {victim: [] for victim in VICTIMS}
    with scene() as found:
        for _ in range(max(1, TIMES // scale)):
            for victim in VICTIMS:
                ran[victim].append(run(found, victim, random))
    for victim, times in ran.items():
        right = sum(one.right for one in times)
        says = outcome.insist(right == len(times), f"a job while {victim} was killed")
        figure = f"{median(one.seconds for one in times):.2f} s until all jobs were done"
        proof = f"{JOBS} results {says} in {right} of {len(times)} times, seed {SEED}"
        outcome.line("fleet_killing", victim, figure, "right every time", proof)
    return outcome
