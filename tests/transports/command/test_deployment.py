"""A host and processes that join it: how they come, work and go."""

from __future__ import annotations

import os
import signal
from collections import Counter

from tests.processes import free_port, until
from tests.running import PROGRAM, PROMPT_SECONDS, Program, Programs
from tests.transports.command.asking import status
from tests.transports.command.held_up import lines, logging, waiting
from tests.transports.command.jobs_for_tests import FAULTY, SLEEPING

# -- who comes -----------------------------------------------------------------------------


def test_a_join_may_come_before_the_host(run: Programs) -> None:
    where = f"127.0.0.1:{free_port()}"
    early = run.join(where, "--nodes", 3)
    early.says(f"{PROGRAM}: {where}: nobody listens there: see whether it runs; trying for 600 s")
    assert run.host("--partitions", 30, listen=where).report()["arrived"] == 3
    early.ended()
    assert early.stderr.count("trying for") == 1


def test_a_join_after_the_end_gives_up_when_its_patience_is_over(run: Programs) -> None:
    host = run.host("--partitions", 5)
    run.join(host, "--nodes", 1).ended()
    host.ended()
    late = run.join(host, "--patience", 0.5).ended(4)
    why = f"nobody was reached at {host.address} for 0.5 s: see whether the host runs there"
    assert late.stderr.splitlines()[-1] == f"{PROGRAM}: {why}"


def test_partitions_and_fanout_come_from_the_nodes_that_are_there(run: Programs) -> None:
    host = run.host("--wait-nodes", 120)
    first = run.join(host, "--nodes", 50)
    first.says(" met ")
    assert "work begins" not in host.stderr
    run.join(host, "--nodes", 70)
    found = host.report()
    assert (found["partitions"], found["fanout"], found["levels"]) == (120, 11, 2)
    assert found["result"] == found["nodes"] == 120
    assert "work begins: 120 partitions, fanout 11\n" in host.stderr


def test_work_begins_some_seconds_after_the_first_node(run: Programs) -> None:
    host = run.host("--wait-nodes", 1000, "--wait-seconds", 0.3)
    run.join(host, "--nodes", 6)
    found = host.report()
    assert (found["partitions"], found["result"]) == (6, 6)


# -- who goes ------------------------------------------------------------------------------


def test_one_is_killed_and_one_leaves_half_way(run: Programs) -> None:
    log, go, options = logging(run, 0.02, most=60)  # so it is not over before all have come
    host = run.host(*options, "--partitions", 200, "--fanout", 8)
    first, second, third = (
        run.join(host, "--nodes", 4, "--allow", run.folder / "job.py") for _ in range(3)
    )
    until(
        lambda: (
            {process for _, process in lines(log)}
            >= {p.process.pid for p in (first, second, third)}
        )
    )
    first.kill()
    until(lambda: len(lines(log)) > 100)
    second.interrupt()
    second.ended(130, PROMPT_SECONDS)
    go.touch()
    assert second.stderr.count(f"{PROGRAM}: interrupted, what was finished is delivered\n") == 1
    found = host.report()
    third.ended()
    assert third.stderr.count(f"{PROGRAM}: the job is over\n") == 1
    assert found["result"] == sum(range(200))
    assert (found["arrived"], found["processes"]) == (12, 3)
    assert found["lost_processes"] in (1, None)


def test_who_leaves_delivers_what_is_finished_and_frees_the_rest_at_once(run: Programs) -> None:
    """Each node is alone in its child of the root until there is `go`: nobody helps anybody."""
    nodes, most = 2, 20
    alike = ("--nodes", nodes, "--cores", nodes, "--allow", run.folder / "job.py")
    log, go, options = logging(run, 0.05, most)
    host = run.host(*options, "--partitions", 120, "--fanout", 5, "--wait-nodes", 2 * nodes)
    leaver, stayer = run.join(host, *alike), run.join(host, *alike)

    def all_wait() -> bool:
        counts = Counter(process for _, process in lines(log))
        return all(counts[one.process.pid] >= most for one in (leaver, stayer))

    until(all_wait)
    until(lambda: accepted(host) == len(lines(log)))
    finished = lines(log)
    leaver.interrupt()
    leaver.ended(130, PROMPT_SECONDS)
    go.touch()
    assert host.report(seconds=15.0)["result"] == sum(range(120))
    again = {index for index, _ in finished} & {index for index, _ in lines(log)[len(finished) :]}
    assert not again
    stayer.ended()


def accepted(host: Program) -> int:
    """How many partitions are done, as far as any process knows."""
    return sum(session["accepted"] for session in status(host.address)["sessions"])


def test_an_interrupted_host_tells_those_who_wait(run: Programs) -> None:
    host = run.host("--job", run.job(SLEEPING), "--partitions", 1000, "--input", 0.05)
    join = run.join(host, "--nodes", 2, "--allow", run.folder / "job.py")
    join.says("2 nodes for job.py")
    host.interrupt()
    host.ended(130, PROMPT_SECONDS)
    join.ended(1, PROMPT_SECONDS)
    assert host.stderr.splitlines()[-1] == f"{PROGRAM}: interrupted"
    join.says(f"{PROGRAM}: the job failed: its host was interrupted")
    assert host.stdout == ""


def test_those_who_join_hear_that_the_job_failed(run: Programs) -> None:
    """Whether they have a place, wait for one, or have none."""
    job, allow = run.job(FAULTY), ("--allow", run.folder / "job.py")
    host = run.host("--job", job, "--partitions", 12, "--fanout", 4, "--wait-nodes", 42)
    joins = [run.join(host, "--nodes", nodes, *allow) for nodes in (2, 40)]
    found = host.report(code=1)
    assert found["failure"]["partition"] == 7
    for join in joins:
        line = join.ended(1).says(f"{PROGRAM}: the job failed in session 0-")
        assert line.endswith("partition 7: IndexError: list index out of range")


def test_a_host_with_a_store_that_is_interrupted_is_waited_for(run: Programs) -> None:
    store = ("--store", run.folder / "store")
    go, waits = waiting(run)
    job = (*waits, "--partitions", 60)
    where = f"127.0.0.1:{free_port()}"
    host = run.host(*job, *store, listen=where)
    join = run.join(where, "--nodes", 2, "--allow", run.folder / "job.py")
    join.says("2 nodes for job.py")
    host.interrupt()
    host.ended(130, PROMPT_SECONDS)
    join.says("no connection is left; trying for 600 s")
    go.touch()
    assert run.host(*job, *store, listen=where).report()["result"] == sum(range(60))
    join.ended()


def test_ctrl_c_to_all_in_a_terminal_leaves_no_traceback(run: Programs) -> None:
    bots = ("--bots", "plugins.bots_local", "--nodes", 4, "--processes", 2)
    _, job = waiting(run)
    host = run.host(*job, "--partitions", 1000, *bots, start_new_session=False, process_group=0)
    group = host.process.pid
    joins = [
        run.join(
            host,
            *("--nodes", 2, "--allow", run.folder / "job.py"),
            start_new_session=False,
            process_group=group,
        )
        for _ in range(2)
    ]
    for join in joins:
        join.says("2 nodes for job.py")
    os.killpg(group, signal.SIGINT)
    host.ended(130)
    for join in joins:
        join.ended(None)
        assert join.process.returncode in (1, 130)  # the host may have been quicker
    run.see_that_none_is_left()
    assert not any("Traceback" in program.stderr for program in run.started)
