"""The command without a name: everything on this machine, in real processes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import TOP
from tests.processes import until
from tests.running import PROGRAM, Programs
from tests.transports.command.jobs_for_tests import FAULTY, PRINTING, SLEEPING, SUICIDAL, WAITING

PRIMES_BELOW_A_MILLION = 78498
QUICK_SECONDS = 2.0
QUICK_TIMES = 8  # as long as a process that computes nothing: others may have the cores
TRIES = 5  # and may have just taken them
OF_THE_SIMULATOR = {"compiled", "crashed", "faults", "faults_in_vain", "faults_left"}


@pytest.mark.parametrize(
    "options",
    [
        ("--nodes", "100", "--partitions", "100", "--fanout", "5"),
        ("--nodes", "3", "--partitions", "50", "--fanout", "3"),
        ("--nodes", "1", "--partitions", "1"),
    ],
    ids=" ".join,
)
def test_two_processes_find_the_result(run: Programs, options: tuple[str, ...]) -> None:
    job = ("--job", "plugins.primes", "--processes", "2")
    found = run.start(*job, *options, "--json").report()
    assert found["result"] == PRIMES_BELOW_A_MILLION
    assert found["arrived"] == found["nodes"] == int(options[1])
    assert found["lost_processes"] == found["left"] == 0


def _cpu_seconds() -> float:
    """Of all processes that have ended, and that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_without_arguments_it_is_over_soon_and_leaves_nothing_behind(run: Programs) -> None:
    for _ in range(TRIES):
        soon = max(QUICK_SECONDS, QUICK_TIMES * run.run("--help").seconds)
        before = _cpu_seconds()
        done = run.run()
        soon = max(soon, _cpu_seconds() - before)  # it works all the time, and waits for nothing
        assert done.stdout.startswith("result            100\n")
        assert "nodes             100 of 100 arrived, 0 left\n" in done.stdout
        assert "partitions        100 of 100 accepted\n" in done.stdout
        assert done.stderr == f"{PROGRAM}: work begins: 100 partitions, fanout 100\n"
        if done.seconds < soon:
            break
    assert done.seconds < soon


def test_its_json_has_the_fields_of_the_simulator(run: Programs) -> None:
    ours = run.start("--nodes", 7, "--partitions", 20, "--json").report()
    command = [sys.executable, "-m", "sim", "--nodes", "7", "--partitions", "20", "--json"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, check=True, timeout=60)
    simulated = json.loads(done.stdout)
    assert simulated.keys() - ours.keys() == OF_THE_SIMULATOR
    same = ("result", "failure", "nodes", "partitions", "fanout", "levels", "accepted", "left")
    assert {name: ours[name] for name in same} == {name: simulated[name] for name in same}
    assert 0 < ours["finished_seconds"] < ours["wall_seconds"]


def test_a_job_that_fails_is_told_with_its_traceback(run: Programs) -> None:
    options = ("--job", run.job(FAULTY), "--nodes", 6, "--partitions", 12, "--fanout", 4)
    done = run.run(*options, code=1)
    *_, where, line, last = done.stderr.splitlines()
    assert "Traceback (most recent call last):" in done.stderr
    assert line == "IndexError: list index out of range"
    assert where.strip().strip("~^") in ("", "return [][index]")
    assert last.startswith(f"{PROGRAM}: the job failed in session 0-")
    assert last.endswith("partition 7: IndexError: list index out of range")
    assert done.stdout.startswith("result            none\n")
    assert "nodes             6 of 6 arrived, 0 left\n" in done.stdout  # who was started for it


def test_an_output_that_is_not_plain_data_fails_the_job(run: Programs) -> None:
    options = ("--job", run.job(FAULTY), "--input", "set", "--nodes", 6, "--partitions", 12)
    found = run.start(*options, "--json").report(code=1)
    assert found["failure"]["partition"] == 7
    assert "not plain data" in found["failure"]["error"]
    assert found["result"] is None


def test_what_a_job_prints_is_not_mixed_with_the_result(run: Programs) -> None:
    done = run.start("--job", run.job(PRINTING), "--nodes", 2, "--partitions", 6, "--json")
    assert done.report()["result"] == 6
    said = done.stderr.splitlines()
    assert (said.count("prepared"), said.count("collected")) == (1, 1)
    assert said.count("computed") >= 6  # one may look late, and be done twice
    assert "loaded" in said


def test_functions_may_come_from_other_places(run: Programs) -> None:
    other = run.job(PRINTING, "other.py")
    named = (("prepare", "apart"), ("compute", "mine"), ("collect", "largest"))
    parts = [word for part, name in named for word in (f"--{part}", f"{other}:{name}")]
    options = ("--nodes", 2, "--partitions", 6, "--input", 5, "--json")
    assert run.start(*options, *parts).report()["result"] == 10


@pytest.mark.parametrize("fanout", [4, 200])
def test_the_death_of_a_process_costs_no_result(run: Programs, tmp_path: Path, fanout: int) -> None:
    """The process that comes to one of the later partitions first dies of it, once."""
    flag = tmp_path / "flag"
    value = json.dumps({"victim": 120, "flag": str(flag)})
    options = ("--nodes", 20, "--partitions", 200, "--fanout", fanout, "--processes", 2)
    found = run.start("--job", run.job(SUICIDAL), "--input", value, *options, "--json").report()
    assert flag.exists()
    assert found["result"] == sum(range(200))
    assert (found["lost_processes"], found["left"]) == (1, 10)


def test_a_piece_that_ends_its_process_group_ends_itself_alone(run: Programs) -> None:
    job = SLEEPING.replace("time.sleep(input)", "index != 3 or os.killpg(0, signal.SIGTERM)")
    done = run.run("--job", run.job(f"import os, signal\n{job}"), "--nodes", 4, code=1)
    last = done.stderr.splitlines()[-1]
    assert last.endswith("the computing process ended (exit code -15, SIGTERM) in partition 3")
    assert "4 of 4 arrived, 0 left" in done.stdout


def test_without_any_process_left_it_gives_up(run: Programs) -> None:
    value = json.dumps({"half": 0, "go": str(run.folder / "never")})
    job = ("--job", run.job(WAITING), "--input", value)
    going = run.start(*job, "--partitions", 2000, "--nodes", 4, "--processes", 2, "-v")
    until(lambda: going.stderr.count(" met ") == 2)
    for pid in going.children:
        os.kill(pid, signal.SIGKILL)
    going.ended(1)
    assert going.stderr.splitlines()[-1] == (
        f"{PROGRAM}: all 4 nodes have left, 2 processes lost: 0 of 2,000 partitions were "
        "accepted; see what their processes say"
    )
    assert "finished          never\n" in going.stdout


def test_interrupted_it_ends_all_it_has_started(run: Programs) -> None:
    job = ("--job", run.job(SLEEPING), "--input", 0.05)
    going = run.start(*job, "--partitions", 2000, "--nodes", 4, "--processes", 2, "-v")
    until(lambda: going.stderr.count(" met ") == 2)
    going.interrupt()
    going.ended(130)
    run.see_that_none_is_left()
    assert going.stderr.splitlines()[-1] == f"{PROGRAM}: interrupted"
    assert "Traceback" not in going.stderr
    assert going.stdout == ""


def test_options_that_are_for_hosts_are_refused(run: Programs) -> None:
    done = run.run("--listen", "0.0.0.0", code=2)
    assert done.stderr.count("\n") == 1
    assert "--listen" in done.stderr
