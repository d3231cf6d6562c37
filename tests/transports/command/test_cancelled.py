"""A job that is cancelled stops at once, whatever it is at, and nothing of it is left."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.processes import children, free_port, lives, until
from tests.running import TOKEN, Programs
from transports import Fleet, Job

SECONDS_MAX = 3.0  # below what an idle process is given to end by itself; alone it takes 0.1 s
BEGINNING = """
import ctypes, os, subprocess, sys, time

def begun(name):
    path = os.path.join({folder!r}, name)
    with open(path + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(path + ".new", path)

def prepare(input, sizes):
    if input == "in prepare":
        begun("prepare")
        time.sleep(3600)
    return [input for _ in sizes]

def collect(outputs):
    if outputs[0] == "":
        begun("collect")
        time.sleep(3600)
    return outputs[0]
"""
PIECES = """
def compute(input, index):
    if input is None:
        return [loop, deaf, c, interpreter, child, left][index]()
    return left() if input == "left" else ""

def loop():
    begun("loop")
    while True:
        pass

def deaf():
    begun("deaf")
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            pass

def c():
    begun("c")
    time.sleep(3600)

def interpreter():
    begun("interpreter")
    ctypes.PyDLL(None).sleep(3600)

def child():
    begun("child")
    subprocess.run(["sleep", "3600"])

def left():
    subprocess.Popen(["sleep", "3600"])
    begun("left")
    return time.sleep(3600)
"""
AWAITED = """
import trio

async def compute(input, index):
    begun(f"async{index}")
    await trio.sleep(3600)
"""
LOADING = """
if sys.argv == [""]:  # in a computing process
    begun("loading")
    time.sleep(3600)

def compute(input, index):
    pass
"""


class OfFleet:
    """A fleet of one process with six nodes, and what it computes."""

    def __init__(self, run: Programs) -> None:
        self.folder = run.folder / "pids"
        self.folder.mkdir()
        beginning = BEGINNING.format(folder=str(self.folder))
        sources = {"pieces": PIECES, "awaited": AWAITED, "loading": LOADING}
        allow = list[object]()
        for name, source in sources.items():
            allow += ["--allow", run.job(beginning + source, f"{name}.py")]
        address, env = f"127.0.0.1:{free_port()}", {"env": {"MILLION_NODES_TOKEN": TOKEN}}
        run.start("serve", "--listen", address, *allow, "--at-once", 8, **env).says("fleet at ")
        self.joined = run.start("join", address, "--nodes", 6, "--cores", 6, *allow, **env)
        self.joined.says("6 nodes in the fleet")
        token = run.folder / "token"
        token.write_text(TOKEN)
        self.fleet = Fleet.connect(address, token)

    def pids(self, *names: str) -> list[int]:
        """Of those who have begun these, and of what they have started."""
        found = [int(until((self.folder / name).exists) and self._read(name)) for name in names]
        return [*found, *(pid for parent in found for pid in children(parent))]

    def _read(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture
def of_fleet(run: Programs) -> Iterator[OfFleet]:
    made = OfFleet(run)
    yield made
    with made.fleet:
        run.end()


def stopped(jobs: list[Job], pids: list[int]) -> None:
    """They are cancelled, and soon these processes are gone."""
    for job in jobs:
        assert job.cancel()
    until(lambda: not any(map(lives, pids)), f"{pids} are gone", SECONDS_MAX)


def test_whatever_a_job_is_at_it_stops_and_nothing_of_it_is_left(of_fleet: OfFleet) -> None:
    fleet = of_fleet.fleet
    job = fleet.submit("pieces.py", partitions=6)
    pids = of_fleet.pids("loop", "deaf", "c", "interpreter", "child", "left")
    assert len(pids) >= 8  # with both children
    stopped([job], pids)
    jobs = [
        fleet.submit("pieces.py", "in prepare", partitions=2),
        fleet.submit("pieces.py", "in collect", partitions=2),
        fleet.submit("awaited.py", partitions=2),
        fleet.submit("loading.py", partitions=2),
    ]
    pids = of_fleet.pids("prepare", "collect", "loading")
    (member, *_) = of_fleet.pids("async0", "async1")
    stopped(jobs, pids)
    assert member == of_fleet.joined.process.pid
    assert lives(member)
    assert fleet.run("plugins.primes", 1000, partitions=20) == 168


def test_what_a_computing_process_leaves_when_it_dies_is_ended(of_fleet: OfFleet) -> None:
    job = of_fleet.fleet.submit("pieces.py", "left", partitions=1)
    parent, child = of_fleet.pids("left")
    os.kill(parent, 9)
    until(lambda: not lives(child), "it is gone", SECONDS_MAX)
    job.cancel()
