"""What takes long: pieces, and a process that stood still for a while."""

from __future__ import annotations

import json
import signal

from tests.processes import until
from tests.running import PROMPT_SECONDS, Programs
from tests.transports.command.held_up import logging
from tests.transports.command.jobs_for_tests import BUSY


def busy(run: Programs, seconds: int, flag: str = "") -> tuple[object, ...]:
    value = json.dumps({"seconds": seconds, "flag": flag})
    return ("--job", run.job(BUSY), "--input", value)


def test_pieces_longer_than_the_heartbeat_cost_no_connection(run: Programs) -> None:
    heartbeat, seconds = 1.0, 3
    job = (*busy(run, seconds), "--nodes", 2, "--processes", 2)
    found = run.start(*job, "--heartbeat", heartbeat, "--json", "-v")
    report = found.report()
    assert (report["result"], report["lost_processes"]) == (2, 0)
    assert report["finished_seconds"] > 2 * heartbeat
    assert "said nothing" not in found.stderr


def test_ctrl_c_does_not_wait_for_a_long_piece(run: Programs) -> None:
    flag = run.folder / "flag"
    host = run.host(*busy(run, 10**6, str(flag)), "--partitions", 8)
    allow = ("--allow", run.folder / "job.py")
    leaver, stayer = (run.join(host, "--nodes", 2, *allow) for _ in range(2))
    until(flag.exists)
    until(lambda: all("2 nodes for job.py" in one.stderr for one in (leaver, stayer)))
    leaver.interrupt()
    leaver.ended(130, PROMPT_SECONDS)
    host.interrupt()
    host.ended(130, PROMPT_SECONDS)
    stayer.ended(1, PROMPT_SECONDS)
    run.see_that_none_is_left()


def test_a_process_that_was_stopped_for_a_while_is_none_the_worse(run: Programs) -> None:
    _, go, job = logging(run, 0.02, most=100)
    host = run.host(*job, "--partitions", 300, "--fanout", 8, "--heartbeat", 0.5, "-v")
    allow = ("--nodes", 6, "--heartbeat", 0.5, "--allow", run.folder / "job.py")
    sleeper, other = (run.join(host, *allow) for _ in range(2))
    for join in (sleeper, other):
        join.says("6 nodes for job.py")
        join.says(" met ")
    address = sleeper.says("listening").partition("address=")[2]
    sleeper.signal(signal.SIGSTOP)
    before = sleeper.stderr.count(" lost ")
    host.says(f" cut peer={address} ")
    sleeper.signal(signal.SIGCONT)
    until(lambda: sleeper.stderr.count(" lost ") > before, "it has noticed")
    go.touch()
    found = host.report()
    assert found["result"] == sum(range(300))
    sleeper.ended()
    other.ended()
