"""A host and processes that join it: how they come, work, go, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.processes import free_port, until
from tests.running import Program, Programs
from tests.transports.command.jobs_for_tests import BUSY, FAULTY, LARGE, LOGGING, SLEEPING

PROGRAM = "python -m transports.tcp"
TOKEN = "0123456789abcdef0123456789abcdef"
PROMPT_SECONDS = 3.0  # far below the heartbeat


OF_ONE_MACHINE = """
import os, threading

def there(function):
    if os.environ.get("RAISES"):
        raise RuntimeError("this machine is broken")
    if os.environ.get("HANGS") == function:
        threading.Event().wait()

def prepare(input, sizes):
    there("prepare")
    return [None] * len(sizes)

def compute(input, index):
    there("compute")
    return 1

def collect(outputs):
    there("collect")
    return sum(outputs)
"""


def lines(path: Path) -> list[tuple[int, int]]:
    """Who did what: partition, process."""
    found = [line.split() for line in path.read_text().splitlines()]
    return [(int(index), int(process)) for index, process in found]


def logging(run: Programs, seconds: float) -> tuple[Path, tuple[object, ...]]:
    """The log of a job, and its options."""
    log = run.folder / "log"
    log.touch()
    value = json.dumps({"log": str(log), "seconds": seconds})
    return log, ("--job", run.job(LOGGING), "--input", value)


# -- broken machines -----------------------------------------------------------------------


@pytest.mark.parametrize("fanout", [6, 60])
@pytest.mark.parametrize(
    ("broken", "more"),
    [
        ({"RAISES": "1"}, ()),
        ({"HANGS": "compute"}, ()),
        ({"HANGS": "compute"}, ("--piece-timeout", 1)),
        ({"HANGS": "prepare"}, ()),
        ({"HANGS": "collect"}, ("--piece-timeout", 1)),
    ],
    ids=str,
)
def test_one_broken_machine_of_three_costs_no_result(
    run: Programs, broken: dict[str, str], more: tuple[object, ...], fanout: int
) -> None:
    job = run.job(OF_ONE_MACHINE)
    host = run.host("--job", job, "--partitions", 60, "--fanout", fanout, "--wait-nodes", 6, *more)
    joined = [
        run.join(host, "--nodes", 2, "--allow", job, env=environment)
        for environment in (broken, {}, {})
    ]
    assert host.report()["result"] == 60
    for one in joined:
        one.ended()


# -- coming and going ----------------------------------------------------------------------


def test_one_is_killed_and_one_leaves_half_way(run: Programs) -> None:
    log, options = logging(run, 0.02)
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
    assert second.stderr.count(f"{PROGRAM}: interrupted, what was finished is delivered\n") == 1
    found = host.report()
    third.ended()
    assert third.stderr.count(f"{PROGRAM}: the job is over\n") == 1
    assert found["result"] == sum(range(200))
    assert (found["arrived"], found["processes"]) == (12, 3)
    assert found["lost_processes"] in (1, None)


def test_who_leaves_delivers_what_is_finished_and_frees_the_rest_at_once(run: Programs) -> None:
    """Pieces are long enough to be given one by one, and nobody waits for a core: none is late."""
    nodes = 4
    alike = ("--nodes", nodes, "--cores", nodes, "--allow", run.folder / "job.py")
    log, options = logging(run, 0.1)
    host = run.host(*options, "--partitions", 120, "--fanout", 5, "--wait-nodes", 2 * nodes)
    leaver, stayer = run.join(host, *alike), run.join(host, *alike)
    both = {leaver.process.pid, stayer.process.pid}
    until(lambda: both <= {process for _, process in lines(log)})
    leaver.interrupt()
    leaver.ended(130, PROMPT_SECONDS)
    assert host.report(seconds=15.0)["result"] == sum(range(120))
    assert len(lines(log)) <= 120 + 2 * nodes  # what it was at, and what looked late meanwhile
    stayer.ended()


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
    job = ("--job", run.job(SLEEPING), "--partitions", 60, "--input", 0.02)
    where = f"127.0.0.1:{free_port()}"
    host = run.host(*job, *store, listen=where)
    join = run.join(where, "--nodes", 2, "--allow", run.folder / "job.py")
    join.says("2 nodes for job.py")
    host.interrupt()
    host.ended(130, PROMPT_SECONDS)
    join.says("no connection is left; trying for 600 s")
    assert run.host(*job, *store, listen=where).report()["result"] == sum(range(60))
    join.ended()


def test_ctrl_c_to_all_in_a_terminal_leaves_no_traceback(run: Programs) -> None:
    bots = ("--bots", "plugins.bots_local", "--nodes", 4, "--processes", 2)
    job = ("--job", run.job(SLEEPING), "--partitions", 1000, "--input", 0.05)
    host = run.host(*job, *bots, start_new_session=False, process_group=0)
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


# -- what is refused -----------------------------------------------------------------------


def test_a_job_that_is_not_allowed_is_not_computed(run: Programs) -> None:
    host = run.host("--job", run.job(SLEEPING), "--partitions", 5)
    join = run.join(host).ended(5)
    assert f"{PROGRAM}: job 'job.py' is not allowed here, only plugins.*: --allow" in join.stderr
    end(host)


def test_another_version_of_the_job_is_not_computed(run: Programs) -> None:
    host = run.host("--job", run.job(SLEEPING), "--partitions", 5)
    (run.folder / "other").mkdir()
    other = run.job(SLEEPING + "\n# changed\n", "other/job.py")
    join = run.join(host, "--allow", other).ended(5)
    line = f"{PROGRAM}: job 'job.py' here is not the same as the host's: install the same version"
    assert line in join.stderr.splitlines()
    end(host)


def test_who_refuses_the_job_is_not_counted(run: Programs) -> None:
    """Whether it comes before work begins or after that."""
    job, allow = run.job(SLEEPING), ("--allow", run.folder / "job.py")
    host = run.host("--job", job, "--input", 0.1, "--partitions", 40, "--wait-nodes", 5)
    early = run.join(host, "--nodes", 3)
    early.says(" met ")
    good = run.join(host, "--nodes", 2, *allow)
    late = run.join(host, "--nodes", 4)
    for refusing in (early, late):
        refusing.ended(5)
    found = host.report()
    good.ended()
    assert (found["processes"], found["arrived"], found["nodes"]) == (1, 2, 2)
    assert (found["left"], found["lost_processes"]) == (0, 0)
    assert host.stderr.count(" declined ") == 2


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        ("", "it requires a token, this process has none: give --token-file"),
        (TOKEN[::-1], "it does not know the token of this process"),
    ],
    ids=["none", "another"],
)
def test_without_the_token_nobody_comes_in(run: Programs, theirs: str, why: str) -> None:
    host = run.host(env={"MILLION_NODES_TOKEN": TOKEN})
    join = run.join(host, env={"MILLION_NODES_TOKEN": theirs}).ended(5)
    assert f"{PROGRAM}: {host.address}: {why}" in join.stderr.splitlines()
    assert "refused" in host.stderr
    end(host)


def test_an_address_in_use_is_told(run: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        host = run.host(listen=f"127.0.0.1:{port}").ended(3)
    assert host.stderr == (
        f"{PROGRAM}: cannot listen on 127.0.0.1:{port} (Address already in use): "
        "give another --listen HOST:PORT\n"
    )


def test_others_may_not_connect_without_a_token(run: Programs) -> None:
    host = run.host("--advertise", "192.0.2.1:0", listen="0.0.0.0:0").ended(2)
    assert host.stderr.startswith(f"{PROGRAM}: listening on 0.0.0.0: beyond 127.0.0.1 this needs")
    assert host.stderr.count("\n") == 1


def end(host: Program) -> None:
    host.interrupt()
    host.ended(130)


# -- security ------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path) -> tuple[object, ...]:
    """Options, for all."""
    authority = trustme.CA()
    cert = authority.issue_cert("127.0.0.1")
    ca, crt, key = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca))
    cert.cert_chain_pems[0].write_to_path(str(crt))
    cert.private_key_pem.write_to_path(str(key))
    return ("--tls-cert", crt, "--tls-key", key, "--tls-ca", ca)


def test_a_job_completes_with_a_token_and_tls(
    run: Programs, tls: tuple[object, ...], tmp_path: Path
) -> None:
    """Bots are given what the host has; others bring it."""
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(TOKEN)
    security = ("--token-file", token, *tls)
    bots = ("--bots", "plugins.bots_local", "--nodes", 4, "--processes", 2, "--wait-nodes", 7)
    host = run.host(*bots, *security, "--partitions", 200, "--fanout", 6)
    join = run.join(host, "--nodes", 3, *security)
    found = host.report()
    assert (found["result"], found["arrived"], found["lost_processes"]) == (200, 7, 0)
    join.ended()
    assert "Traceback" not in host.stderr + join.stderr


def test_without_tls_nobody_talks_to_a_host_that_has_it(
    run: Programs, tls: tuple[object, ...]
) -> None:
    host = run.host(*tls)
    join = run.join(host).ended(5)
    assert "TLS" in join.stderr.splitlines()[-1]
    end(host)


# -- what takes long -----------------------------------------------------------------------


def busy(run: Programs, iterations: int, flag: str = "") -> tuple[object, ...]:
    value = json.dumps({"iterations": iterations, "flag": flag})
    return ("--job", run.job(BUSY), "--input", value)


def test_pieces_longer_than_the_heartbeat_cost_no_connection(run: Programs) -> None:
    job = busy(run, 4 * 10**7)
    found = run.start(*job, "--nodes", 4, "--heartbeat", 0.5, "--json", "-v")
    report = found.report()
    assert (report["result"], report["lost_processes"]) == (4, 0)
    assert report["finished_seconds"] > 1.0  # twice the heartbeat
    assert "said nothing" not in found.stderr


def test_ctrl_c_does_not_wait_for_a_long_piece(run: Programs) -> None:
    flag = run.folder / "flag"
    host = run.host(*busy(run, 10**12, str(flag)), "--partitions", 8)
    allow = ("--allow", run.folder / "job.py")
    leaver, stayer = (run.join(host, "--nodes", 2, *allow) for _ in range(2))
    until(flag.exists)
    leaver.interrupt()
    leaver.ended(130, PROMPT_SECONDS)
    host.interrupt()
    host.ended(130, PROMPT_SECONDS)
    stayer.ended(1, PROMPT_SECONDS)
    run.see_that_none_is_left()


def test_a_process_that_was_stopped_for_a_while_is_none_the_worse(run: Programs) -> None:
    job = ("--job", run.job(SLEEPING), "--partitions", 300, "--fanout", 8, "--input", 0.02)
    host = run.host(*job, "--heartbeat", 0.5, "-v")
    allow = ("--nodes", 6, "--heartbeat", 0.5, "--allow", run.folder / "job.py")
    sleeper, other = (run.join(host, *allow) for _ in range(2))
    for join in (sleeper, other):
        join.says("6 nodes for job.py")
        join.says(" met ")
    sleeper.signal(signal.SIGSTOP)
    host.says("it said nothing for 0.5 s")
    sleeper.signal(signal.SIGCONT)
    found = host.report()
    assert found["result"] == sum(range(300))
    sleeper.ended()
    other.ended()


# -- large values --------------------------------------------------------------------------


def large(run: Programs, size: int) -> tuple[object, ...]:
    return ("--job", run.job(LARGE), "--input", json.dumps({"size": size}))


def hashes(parts: int, size: int) -> list[str]:
    return [hashlib.sha256(bytes([97 + part]) * size).hexdigest() for part in range(parts)]


def test_values_of_100_mb_pass_the_root_without_staying_in_its_memory(run: Programs) -> None:
    size, memory_max = 100 * 2**20, 100 * 2**20
    options = ("--nodes", 2, "--partitions", 2, "--processes", 2, "--json")
    found: dict[str, Any] = run.start(*large(run, size), *options).report(seconds=60.0)
    assert found["result"]["hashes"] == hashes(2, size)
    assert found["peak_rss_bytes"] < memory_max


def test_large_values_survive_the_process_that_had_them(run: Programs) -> None:
    size = 2**20
    host = run.host(*large(run, size), "--partitions", 16, "--fanout", 4, "--wait-nodes", 12)
    allow = ("--nodes", 4, "--allow", run.folder / "job.py")
    joins = [run.join(host, *allow) for _ in range(3)]
    for join in joins:
        join.says("4 nodes for job.py")
    joins[0].says("nodes=4")  # somebody who is in a session here
    joins[0].kill()
    expected = [found for found in hashes(4, size) for _ in range(4)]
    assert host.report()["result"]["hashes"] == expected
    for join in joins[1:]:
        join.ended()


STUCK = """
import os, time

def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    try:
        os.close(os.open(input, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return 1
    time.sleep(1000)  # the first; whoever tries it again does it at once

def collect(outputs):
    return sum(outputs)
"""


@pytest.mark.parametrize("shape", [(2, 4, 2), (3, 9, 3), (2, 2, 2), (4, 16, 4)])
def test_a_piece_that_others_have_done_holds_nobody_up(
    run: Programs, shape: tuple[int, int, int]
) -> None:
    nodes, partitions, fanout = shape
    options = ("--nodes", nodes, "--partitions", partitions, "--fanout", fanout, "--json")
    job = ("--job", run.job(STUCK), "--input", run.folder / "mark")
    assert run.start(*options, *job).report(seconds=20.0)["result"] == partitions
