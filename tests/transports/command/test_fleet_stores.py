"""A fleet with a store: its root is killed and started again, and no job that it took is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plugins.console.exits import Exit
from tests.processes import SECONDS_MAX, free_port, until
from tests.running import PROGRAM, TOKEN, Program, Programs
from tests.transports.command import asking
from transports import Fleet, JobCancelled, JobFailed
from transports.process.store import SqliteStore

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
        self.run, self.job, self.token = run, run.job(WAITING), run.folder / "token"
        self.token.write_text(TOKEN)
        self.token.chmod(0o600)
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

    def waiting(self, name: str) -> tuple[Path, tuple[object, ...]]:
        """A folder, and the words for a job that waits for a file there."""
        folder = self.run.folder / name
        folder.mkdir()
        return folder, ("--job", self.job, "--input", json.dumps(str(folder)), "--partitions", 4)

    def states(self) -> list[str]:
        return [row["state"] for row in asking.rows(self.address, TOKEN)]

    def stop(self) -> None:
        """Who has not come back to a root that was started again would look for it for a while."""
        there = 2 * len(self.members)
        until(lambda: asking.nodes(self.address, TOKEN) >= there, "they are back")
        self.start("stop").ended()
        for program in (self.root, *self.members):
            program.ended()


def test_a_root_that_is_killed_has_all_its_jobs_when_it_is_started_again(run: Programs) -> None:
    """In whatever state they were; also for those who wait for them, and for the processes that
    compute them. Who submitted one, and was killed, may ask for it again."""
    fleet = Stored(run)
    (first, _), (second, two) = fleet.waiting("one"), fleet.waiting("two")
    with Fleet.connect(fleet.address, fleet.token) as face:
        assert face.run("plugins.primes", 1000) == 168
        with pytest.raises(JobFailed, match="No such file"):
            face.run(fleet.job, str(run.folder / "nowhere"), partitions=4)
        runs = face.submit(fleet.job, str(first), partitions=4)
        until((first / "log").exists, "it runs")
        face.submit(fleet.job, str(second), partitions=4).cancel()
        waits, gone = (fleet.start("submit", "--json", *two) for _ in range(2))
        states = ["done", "failed", "running", "cancelled", "queued", "queued"]
        until(lambda: fleet.states() == states)
        gone.kill()
        fleet.root.kill()
        fleet.root = fleet.serve()
        (first / "flag").touch()
        (second / "flag").touch()
        assert runs.result(SECONDS_MAX) == waits.report()["result"] == 6
        again = [fleet.start("result", number, "--json").report() for number in (5, 6)]
        assert [report["result"] for report in again] == [6, 6]
        assert face.job(1).result() == 168
        with pytest.raises(JobFailed, match="No such file"):
            face.job(2).result()
        with pytest.raises(JobCancelled):
            face.job(4).result()
        assert face.submit("plugins.primes", 10).number == 7
    fleet.stop()


def test_ctrl_c_ends_the_root_only_and_stop_ends_all(run: Programs) -> None:
    fleet = Stored(run, joined=1)
    folder, words = fleet.waiting("one")
    fleet.start("submit", *words, "--detach").ended()
    until((folder / "log").exists, "it runs")
    fleet.root.interrupt()
    again = f"{PROGRAM}: interrupted: the same command goes on with all jobs"
    assert fleet.root.ended(130).stderr.splitlines()[-1] == again
    fleet.root = fleet.serve()
    assert fleet.states()[0] in ("queued", "running")
    fleet.stop()
    fleet.root = fleet.serve()
    assert fleet.states() == ["cancelled"]
    fleet.members = []
    fleet.stop()


def test_a_store_that_cannot_be_used_is_an_exit_code_and_a_line(run: Programs) -> None:
    fleet = Stored(run, joined=0)
    host = run.folder / "host.store"
    SqliteStore(host, {"job": "plugins.primes"}).close()
    wrong = {
        fleet.path: f"{fleet.path}: another process has it open",
        host: f"{host} is the store of one job, as 'host --store' makes it",
        run.folder: f"{run.folder} is a directory, not a store",
    }
    for path, line in wrong.items():
        words = ("--listen", f"127.0.0.1:{free_port()}", "--store", path)
        other = run.start("serve", *words, **WITH_TOKEN).ended(Exit.STORE_UNUSABLE)
        assert other.stderr == f"{PROGRAM}: {line}\n"
    fleet.stop()
