"""Sessions that take only a moment, in real processes: one of them does not end as it should."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.processes import free_port, until
from tests.running import Programs
from tests.transports.command.jobs_for_tests import SUMMING

PARTITIONS, FANOUT = 20_000, 10
PROCESSES, NODES = 3, 5

# The first computing process that has done so many hangs in the next; `file` says who that is.
HANGING = (
    SUMMING
    + """
import os, time
done = 0

def compute(input, index):
    global done
    done += 1
    if done > input["most"]:
        try:
            open(input["file"] + ".first", "x").close()
        except FileExistsError:
            return index
        with open(input["file"] + ".part", "w") as file:
            file.write(f"{os.getpid()} {os.getppid()}")
        os.rename(input["file"] + ".part", input["file"])
        while True:
            time.sleep(1)
    return index
"""
)


@pytest.mark.parametrize("killed", [None, 0, 1], ids=["nobody", "computing", "process"])
def test_it_is_done_again(run: Programs, tmp_path: Path, killed: int | None) -> None:
    """Whether its process is killed, the one that it computes with, or nobody."""
    hangs = tmp_path / "hangs"
    value = json.dumps({"file": str(hangs), "most": 2000})
    where = f"127.0.0.1:{free_port()}"
    job = run.job(HANGING)
    wanted = ("--partitions", PARTITIONS, "--fanout", FANOUT, "--wait-nodes", PROCESSES * NODES)
    host = run.host("--job", job, "--input", value, *wanted, listen=where)
    allowed = ("--nodes", NODES, "--allow", job)
    joins = [run.join(where, *allowed) for _ in range(PROCESSES)]
    until(hangs.exists, "a piece hangs")
    who = [int(pid) for pid in hangs.read_text().split()]
    if killed is not None:
        os.kill(who[killed], signal.SIGKILL)
    found = host.report()
    assert found["result"] == sum(range(PARTITIONS))
    assert found["lost_processes"] in ((1, None) if killed == 1 else (0,))
    for join in joins:
        join.ended(-signal.SIGKILL if killed == 1 and join.process.pid == who[1] else 0)
