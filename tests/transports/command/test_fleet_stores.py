"""A fleet with a store: its root is killed and started again, and no job that it took is lost."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from plugins.console.exits import Exit
from tests.processes import free_port, until
from tests.running import TOKEN, Program, Programs

WITH_TOKEN = {"env": {"MILLION_NODES_TOKEN": TOKEN}}

# It says in a file that it is computed, and waits for another one.
WAITING = """
import os, time

def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    with open(input + "/log", "a") as log:
        log.write(f"{index}\\n")
    while not os.path.exists(input + "/flag"):
        time.sleep(0.01)
    return index

def collect(outputs):
    return sum(outputs)
"""


class Stored:
    """A fleet with a store, whose root can be started again, and two processes of it."""

    def __init__(self, run: Programs, joined: int = 2) -> None:
        self.run, self.job = run, run.job(WAITING)
        self.address, self.path = f"127.0.0.1:{free_port()}", run.folder / "fleet.store"
        self.root = self.serve()
        self.members = [self.join() for _ in range(joined)]
        for member in self.members:
            member.says("in the fleet of")

    def serve(self, *more: object) -> Program:
        words = ("--listen", self.address, "--store", self.path, "--allow", self.job, *more)
        root = self.run.start("serve", "--at-once", 1, *words, **WITH_TOKEN)
        root.says("fleet at ")
        return root

    def join(self) -> Program:
        allow = ("--allow", self.job)
        return self.run.join(self.address, "--nodes", 2, "--cores", 2, *allow, **WITH_TOKEN)

    def start(self, command: str, *words: object) -> Program:
        return self.run.start(command, self.address, *words, **WITH_TOKEN)

    def submit(self, *words: object) -> Program:
        return self.start("submit", "--json", *words)

    def waiting(self, name: str) -> tuple[Path, tuple[object, ...]]:
        """A folder, and the words for a job that waits for a file there."""
        folder = self.run.folder / name
        folder.mkdir()
        return folder, ("--job", self.job, "--input", json.dumps(str(folder)), "--partitions", 4)

    def told(self, command: str, *words: object, code: int = 0) -> dict[str, Any]:
        return self.start(command, *words, "--json").report(code)

    def states(self) -> list[str]:
        return [row["state"] for row in self.told("jobs")["jobs"]]

    def stop(self) -> None:
        self.start("stop").ended()
        for program in (self.root, *self.members):
            program.ended()


def test_a_root_that_is_killed_has_all_its_jobs_when_it_is_started_again(run: Programs) -> None:
    """Also for those who wait for them, and for the processes that compute them."""
    fleet = Stored(run)
    (first, one), (second, two) = fleet.waiting("one"), fleet.waiting("two")
    assert fleet.submit("--job", "plugins.primes", "--input", 1000).report()["result"] == 168
    runs = fleet.submit(*one)
    until((first / "log").exists, "it runs")
    waits = fleet.submit(*two)
    until(lambda: fleet.states() == ["done", "running", "queued"])
    fleet.root.kill()
    fleet.root = fleet.serve()
    (first / "flag").touch()
    (second / "flag").touch()
    assert runs.report()["result"] == waits.report()["result"] == 6
    assert fleet.told("result", 1)["result"] == 168
    assert fleet.states() == ["done", "done", "done"]
    assert fleet.submit("--job", "plugins.primes", "--input", 10).report()["number"] == 4
    fleet.stop()
