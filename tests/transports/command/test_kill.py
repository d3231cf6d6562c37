"""Processes that are killed at any moment: the result is right, and the rest go on by themselves.

Each seed draws the moment and the victim; a seed that fails is the way to see it again.
"""

from __future__ import annotations

from random import Random
from time import monotonic
from typing import Any

import pytest

from tests.processes import free_port, until
from tests.running import Program, Programs
from tests.transports.command.jobs_for_tests import SLEEPING

PARTITIONS, RESULT = 200, sum(range(200))
PROCESSES, NODES = 4, 25
WHOLE_SECONDS = 1.0  # that the job takes here, at least


class Life:
    """A host and four processes with 25 nodes each; the tree has three levels."""

    def __init__(self, run: Programs, seed: int, *options: object) -> None:
        self.run, self.random = run, Random(seed)
        self.where = f"127.0.0.1:{free_port()}"
        self.options = ("--job", run.job(SLEEPING), "--input", 0.02, *options)
        self.options += ("--partitions", PARTITIONS, "--fanout", 8)
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
        found = self.host.report()
        for join in self.joins:
            if join.process.returncode is None:
                join.ended()
        return found


@pytest.mark.parametrize("seed", range(2))
def test_a_process_is_killed(run: Programs, seed: int) -> None:
    life = Life(run, seed)
    life.wait()
    life.random.choice(life.joins).kill()
    found = life.finish()
    assert found["result"] == RESULT
    assert found["arrived"] == PROCESSES * NODES
    assert found["lost_processes"] in (1, None, 0)  # 0: it was over for it by then


@pytest.mark.parametrize("seed", range(2))
def test_a_process_that_hosts_interior_sessions_is_killed(run: Programs, seed: int) -> None:
    life = Life(run, seed)
    joins = {join.says("listening").partition("address=")[2]: join for join in life.joins}
    told = run.start("status", life.where, "--json").report()
    interior = [s["address"] for s in told["sessions"] if s["children"] and s["session"] != "0"]
    hosts = sorted(joins.keys() & set(interior))
    assert hosts
    life.wait()
    joins[life.random.choice(hosts)].kill()
    assert life.finish()["result"] == RESULT


@pytest.mark.parametrize("seed", range(2))
def test_the_root_is_killed_and_begun_again(run: Programs, seed: int) -> None:
    """The same command goes on; nodes come back to it by themselves."""
    life = Life(run, seed, "--store", run.folder / "store")
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


def test_a_host_that_had_finished_says_the_result_again_at_once(run: Programs) -> None:
    store, where = ("--store", run.folder / "store"), f"127.0.0.1:{free_port()}"
    job = ("--partitions", 30, "--fanout", 4)
    host = run.host(*store, *job, listen=where)
    run.join(where, "--nodes", 3).ended()
    first = host.report()
    again = run.host(*store, *job, "--bots", "plugins.bots_local", listen=where).report()
    assert (first["result"], first["resumed"]) == (30, False)
    assert (again["result"], again["resumed"]) == (30, True)
    assert again["processes"] == 0  # none was started for it
    assert again["wall_seconds"] < 1.0


# Too slow to be given several at once.
FLAGGED = """
import os, time

def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    if index == 11 and not os.path.exists(input + "/flag"):
        raise FileNotFoundError("the flag")
    time.sleep(0.03)
    with open(input + "/log", "a") as log:
        log.write(f"{index}\\n")
    return index

def collect(outputs):
    return sum(outputs)
"""


@pytest.mark.parametrize(
    ("fanout", "kept"), [(20, range(11)), (5, range(10))], ids=["flat", "tree"]
)
def test_a_job_that_failed_goes_on_with_what_is_missing(
    run: Programs, fanout: int, kept: range
) -> None:
    """The same command, once the flag is there: what is done in the root is not done again."""
    options = ("--job", run.job(FLAGGED), "--input", run.folder, "--store", run.folder / "store")
    options += ("--nodes", 1, "--partitions", 20, "--fanout", fanout, "--json")
    first = run.start(*options).report(code=1)
    assert (first["result"], first["failure"]["partition"]) == (None, 11)
    log = run.folder / "log"
    before = [*map(int, log.read_text().split())]
    assert before == [*range(11)]  # one node takes them in order
    assert first["accepted"] in (len(kept), 11)  # of the sessions below the root no more is known
    (run.folder / "flag").touch()
    second = run.start(*options).report()
    assert (second["result"], second["resumed"]) == (sum(range(20)), True)
    again = [*map(int, log.read_text().split()[len(before) :])]
    assert again == [*range(len(kept), 20)]
    assert run.start(*options).report()["result"] == sum(range(20))  # and is told again


def test_a_job_that_failed_may_go_on_without_what_fails(run: Programs) -> None:
    """With the same store, and told again."""
    options = ("--job", run.job(FLAGGED), "--input", run.folder, "--store", run.folder / "store")
    options += ("--nodes", 3, "--partitions", 20, "--fanout", 20, "--json")
    run.start(*options).report(code=1)
    for _ in range(2):
        found = run.start(*options, "--keep-going").report(code=7)
        assert (found["result"], found["accepted"]) == (sum(range(20)) - 11, 19)
        assert [piece["partition"] for piece in found["lost"]["pieces"]] == [11]


def test_what_is_lost_is_not_forgotten_with_the_root(run: Programs) -> None:
    """It is killed when all but a few pieces have come to their end."""
    where, text = f"127.0.0.1:{free_port()}", FLAGGED.replace("index == 11", "index < 4")
    options = ("--job", run.job(text.replace("    return index", SLOW)), "--input", run.folder)
    options += ("--store", run.folder / "store", "--partitions", 20, "--fanout", 20, "--keep-going")
    host = run.host(*options, listen=where)
    join = run.join(where, "--nodes", 3, "--allow", run.folder / "job.py")
    until((run.folder / "slow").exists)
    host.kill()
    (run.folder / "flag").touch()  # what is lost stays so
    (run.folder / "go").touch()
    found = run.host(*options, listen=where).report(code=7)
    join.ended()
    assert (found["lost"]["count"], found["result"]) == (4, sum(range(4, 20)))


SLOW = """
    if index == 19:
        open(input + "/slow", "w").close()
        while not os.path.exists(input + "/go"):
            time.sleep(0.02)
    return index
"""


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--job", "plugins.primes", "--partitions", 30), "job"),
        (("--partitions", 31), "partitions"),
        (("--partitions", 30, "--input", 2), "input"),
    ],
    ids=["job", "partitions", "input"],
)
def test_a_store_of_another_job_is_refused(
    run: Programs, options: tuple[object, ...], word: str
) -> None:
    store, where = ("--store", run.folder / "store"), f"127.0.0.1:{free_port()}"
    host = run.host(*store, "--partitions", 30, listen=where)
    host.says("work begins")
    host.interrupt()
    host.ended(130)
    other = run.host(*store, *options, listen=where).ended(6)
    assert other.stderr.count("\n") == 1
    assert str(run.folder / "store") in other.stderr
    assert word in other.stderr


def test_a_store_that_another_host_has_open_is_refused(run: Programs) -> None:
    store = ("--store", run.folder / "store")
    host = run.host(*store, listen=f"127.0.0.1:{free_port()}")
    host.says("host at")
    other = run.host(*store, listen=f"127.0.0.1:{free_port()}").ended(6)
    assert "another process has it open" in other.stderr
    host.interrupt()
    host.ended(130)


LARGE = """
def prepare(input, sizes):
    return [None] * len(sizes)

def compute(input, index):
    return bytes([index]) * 50_000

def collect(outputs):
    return b"".join(outputs)
"""


def test_a_bit_that_changed_in_a_value_costs_work_and_nothing_else(run: Programs) -> None:
    """Each value beside the store in turn: outputs, what was combined, the result itself."""
    command = ("--nodes", 3, "--partitions", 8, "--fanout", 3, "--job", run.job(LARGE))
    store = run.folder / "store.db"
    right = run.start(*command, "--store", store, "--json").report()["result"]
    folder = store.with_name("store.db.blobs")
    names = sorted(path.name for path in folder.iterdir() if path.name != "lock")
    assert len(names) > 2
    for name in names:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        again = run.start(*command, "--store", store, "--json").report()
        assert (again["result"], again["failure"]) == (right, None)


# -- without the root ----------------------------------------------------------------------

HEARTBEAT_SECONDS, PATIENCE_SECONDS = 1.0, 3.0
MARGIN_SECONDS = 2.0  # for other processes on this machine


def without_root(run: Programs, *options: object) -> tuple[str, list[Program], tuple[object, ...]]:
    """Three that are connected to each other and at work, when their host is killed."""
    where = f"127.0.0.1:{free_port()}"
    alike = ("--heartbeat", HEARTBEAT_SECONDS)
    job = ("--job", run.job(SLEEPING), "--input", 0.1, "--partitions", 200, "--fanout", 3)
    host = run.host(*job, *options, *alike, listen=where)
    wanted = ("--nodes", 6, "--cores", 1, "--allow", run.folder / "job.py", *alike)
    joins = [run.join(where, *wanted, "--patience", PATIENCE_SECONDS) for _ in range(3)]
    for join in joins:
        join.says("nodes=6")
    host.kill()
    return where, joins, (*job, *options, *alike)


def test_those_who_join_end_when_the_root_is_gone_for_good(run: Programs) -> None:
    where, joins, _ = without_root(run)
    killed = monotonic()
    for join in joins:
        join.ended(4)
        join.says(f"the host at {where} was not heard of for {PATIENCE_SECONDS:g} s")
    seconds = monotonic() - killed
    assert -0.1 < seconds - PATIENCE_SECONDS < HEARTBEAT_SECONDS + MARGIN_SECONDS


@pytest.mark.parametrize("stored", [True, False])
def test_those_who_join_go_on_when_the_root_comes_back_in_time(run: Programs, stored: bool) -> None:
    """Without a store it has other keys than before, and those who join have sessions open."""
    store = ("--store", run.folder / "store") if stored else ()
    where, joins, options = without_root(run, *store)
    for join in joins:
        join.says(f"; trying for {PATIENCE_SECONDS:g} s")
    assert run.host(*options, listen=where).report(seconds=25)["result"] == sum(range(200))
    for join in joins:
        join.ended()
