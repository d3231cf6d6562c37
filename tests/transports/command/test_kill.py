"""Processes that are killed at any moment: the result is right, and the rest go on by themselves.

Each seed draws the moment and the victim. `python -m tests.benchmarks.tcp --only killing` does so
with many seeds.
"""

from __future__ import annotations

import json
from random import Random
from time import monotonic
from typing import Any

import pytest

from tests.processes import free_port, until
from tests.running import Program, Programs
from tests.transports.command.asking import status
from tests.transports.command.jobs_for_tests import LOGGING, WAITING

PARTITIONS, RESULT = 200, sum(range(200))
PROCESSES, NODES = 4, 25
MOST = 40  # partitions that each process does before it has to wait
WHOLE_SECONDS = 1.0  # until all wait, about


class Life:
    """A host and four processes with 25 nodes each; the tree has three levels.

    The job begins when all have come, and is not over before `finish`.
    """

    def __init__(self, run: Programs, seed: int, *options: object) -> None:
        self.run, self.random = run, Random(seed)
        self.where = f"127.0.0.1:{free_port()}"
        self.go, log = run.folder / "go", run.folder / "log"
        log.touch()
        value = {"log": str(log), "go": str(self.go), "most": MOST, "seconds": 0.02}
        self.options = ("--job", run.job(LOGGING), "--input", json.dumps(value), *options)
        self.options += ("--partitions", PARTITIONS, "--fanout", 8)
        self.options += ("--wait-nodes", PROCESSES * NODES)
        self.host = self.start()
        allow = ("--allow", run.folder / "job.py", "--cores", 2)
        self.joins = [run.join(self.where, "--nodes", NODES, *allow) for _ in range(PROCESSES)]
        for join in self.joins:
            join.says(f"{NODES} nodes for job.py")

    def start(self) -> Program:
        return self.run.host(*self.options, listen=self.where)

    def wait(self) -> None:
        """Some part of the time that the job takes."""
        end = monotonic() + self.random.uniform(0, WHOLE_SECONDS)
        until(lambda: monotonic() > end)

    def finish(self) -> dict[str, Any]:
        """The report, when all have ended that were not killed."""
        self.go.touch()
        found = self.host.report()
        for join in self.joins:
            if join.process.returncode is None:
                join.ended()
        return found


def test_a_process_is_killed(run: Programs) -> None:
    life = Life(run, seed=0)
    life.wait()
    life.random.choice(life.joins).kill()
    found = life.finish()
    assert found["result"] == RESULT
    assert found["arrived"] == PROCESSES * NODES
    assert found["lost_processes"] in (1, None)  # None: it cannot be known


def test_a_process_that_hosts_interior_sessions_is_killed(run: Programs) -> None:
    life = Life(run, seed=1)
    joins = {join.says("listening").partition("address=")[2]: join for join in life.joins}

    def hosting() -> list[str]:
        sessions = status(life.where)["sessions"]
        interior = [s["address"] for s in sessions if s["children"] and s["session"] != "0"]
        return sorted(joins.keys() & set(interior))

    hosts = until(hosting)
    life.wait()
    joins[life.random.choice(hosts)].kill()
    assert life.finish()["result"] == RESULT


def test_the_root_is_killed_and_begun_again(run: Programs) -> None:
    """The same command goes on; nodes come back to it by themselves."""
    life = Life(run, 2, "--store", run.folder / "store")
    life.wait()
    life.host.kill()
    life.host = life.start()
    found = life.finish()
    assert found["result"] == RESULT
    assert found["resumed"]


def test_the_root_is_killed_before_anybody_has_come(run: Programs) -> None:
    """Even while it is starting."""
    store, where = ("--store", run.folder / "store"), f"127.0.0.1:{free_port()}"
    first = run.host(*store, "--partitions", 30, listen=where)
    until((run.folder / "store").exists)
    first.kill()
    second = run.host(*store, "--partitions", 30, listen=where)
    run.join(where, "--nodes", 3).ended()
    assert second.report()["result"] == 30


# -- without the root ----------------------------------------------------------------------


HEARTBEAT_SECONDS, PATIENCE_SECONDS = 1.0, 3.0
MARGIN_SECONDS = 10.0  # for other processes on this machine


class WithoutRoot:
    """Three that are connected to each other and at work, when their host is killed."""

    def __init__(self, run: Programs, patience: float, *options: object) -> None:
        self.where, self.go = f"127.0.0.1:{free_port()}", run.folder / "go"
        value = json.dumps({"half": 0, "go": str(self.go)})
        alike = ("--heartbeat", HEARTBEAT_SECONDS)
        job = ("--job", run.job(WAITING), "--input", value, "--partitions", 200, "--fanout", 3)
        self.options = (*job, *options, *alike)
        host = run.host(*self.options, listen=self.where)
        wanted = ("--nodes", 6, "--cores", 1, "--allow", run.folder / "job.py", *alike)
        self.joins = [run.join(self.where, *wanted, "--patience", patience) for _ in range(3)]
        for join in self.joins:
            join.says("nodes=6")
        self.killed = monotonic()
        host.kill()


def test_those_who_join_end_when_the_root_is_gone_for_good(run: Programs) -> None:
    left = WithoutRoot(run, PATIENCE_SECONDS)
    for join in left.joins:
        join.ended(4)
        join.says(f"the host at {left.where} was not heard of for {PATIENCE_SECONDS:g} s")
    seconds = monotonic() - left.killed
    earliest = PATIENCE_SECONDS - HEARTBEAT_SECONDS  # some hear of it from others only
    assert earliest < seconds < PATIENCE_SECONDS + HEARTBEAT_SECONDS + MARGIN_SECONDS


@pytest.mark.parametrize("stored", [True, False])
def test_those_who_join_go_on_when_the_root_comes_back_in_time(run: Programs, stored: bool) -> None:
    """Without a store it has other keys than before, and those who join have sessions open."""
    store = ("--store", run.folder / "store") if stored else ()
    left = WithoutRoot(run, 60, *store)
    for join in left.joins:
        join.says("; trying for 60 s")
    host = run.host(*left.options, listen=left.where)
    left.go.touch()
    assert host.report(seconds=30)["result"] == sum(range(200))
    for join in left.joins:
        join.ended()
