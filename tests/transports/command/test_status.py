"""How a job stands, asked from outside while it goes on in several processes."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from tests.processes import free_port, until
from tests.running import PROGRAM, TOKEN, Program, Programs
from tests.transports.command.asking import status
from tests.transports.command.jobs_for_tests import SLEEPING
from transports.command.status import table


@pytest.fixture
def host(run: Programs) -> Program:
    """Of a job on three processes, which will not end by itself soon; token included."""
    job = ("--job", run.job(SLEEPING), "--input", 1.0, "--partitions", 400, "--fanout", 8)
    bots = ("--bots", "plugins.bots_local", "--nodes", 30, "--processes", 3)
    return run.host(*job, *bots, env={"MILLION_NODES_TOKEN": TOKEN})


def asked(run: Programs, address: str, *options: object) -> Program:
    return run.start("status", address, *options, env={"MILLION_NODES_TOKEN": TOKEN})


def test_the_tree_as_it_stands(run: Programs, host: Program) -> None:
    def grown() -> bool:
        sessions = status(host.address, TOKEN)["sessions"]
        done = any(session["accepted"] for session in sessions)
        return done and len(sessions) > 20 and len({one["address"] for one in sessions}) > 2

    until(grown, "a real tree")
    told = asked(run, host.address, "--json").report()
    sessions = {session["session"]: session for session in told["sessions"]}
    assert (told["address"], told["job"]) == (host.address, "job.py")
    assert (told["processes"], told["nodes"], told["unreached"]) == (3, 30, [])
    root = sessions["0"]
    assert (root["slots"], root["partitions"], root["address"]) == (7, 400, host.address)
    for name, session in sessions.items():
        parent = sessions.get(name.rpartition("-")[0])
        assert name == "0" or parent is not None
        assert session["participants"] <= 2 * session["slots"] + 1
    check_the_table(run, host)
    check_another_process(run, told, host)
    host.interrupt()
    host.ended(130)
    run.see_that_none_is_left()


def check_the_table(run: Programs, host: Program) -> None:
    table = asked(run, host.address).ended().stdout.splitlines()
    assert table[0] == f"host              {host.address}"
    assert table[1] == "job               job.py"
    assert table[2] == "connected         3 processes, 30 nodes"
    assert table[3].endswith(" of 400 accepted")
    assert table[5].startswith("0                     0 of 7 slots done  8 participants")
    assert table[6].startswith("  0-0 ")


def check_another_process(run: Programs, told: dict[str, Any], host: Program) -> None:
    """One that joined can be asked as well: what it says begins at its own sessions."""
    other = next(s["address"] for s in told["sessions"] if s["address"] != host.address)
    done = asked(run, other).ended()
    assert done.stdout.startswith(f"host              {other}\njob               job.py\n")
    assert " of 400 accepted" not in done.stdout
    assert "  0-" in done.stdout


def test_nothing_has_begun_yet(run: Programs) -> None:
    host = run.host("--wait-nodes", 5)
    host.says("host at")
    told = asked(run, host.address, "--json").ended(5)
    assert "it has no token, this process requires one" in told.stderr
    told = run.start("status", host.address).ended()
    assert told.stdout == (
        f"host              {host.address}\n"
        "job               none yet, it waits for nodes\n"
        "connected         0 processes, 0 nodes\n"
    )
    host.interrupt()
    host.ended(130)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "it requires a token, this process has none: give --token-file"),
        (TOKEN[::-1], "it does not know the token of this process"),
    ],
    ids=["none", "another"],
)
def test_the_token_is_needed_to_ask(run: Programs, token: str, why: str) -> None:
    host = run.host(env={"MILLION_NODES_TOKEN": TOKEN})
    address = host.address
    refused = run.start("status", address, env={"MILLION_NODES_TOKEN": token}).ended(5)
    assert refused.stderr == f"{PROGRAM}: {address}: {why}\n"
    host.interrupt()
    host.ended(130)


def test_nobody_is_there(run: Programs) -> None:
    address = f"127.0.0.1:{free_port()}"
    done = run.start("status", address, "--patience", 0).ended(4)
    line = f"{PROGRAM}: {address}: nobody listens there: see whether it runs\n"
    assert (done.stderr, done.stdout) == (line, "")


def test_something_else_is_there(run: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        done = run.start("status", address, "--json")
        assert done.report(5) == {"error": f"{address}: it speaks HTTP", "exit": 5}
        thread.join()
    assert done.stderr == f"{PROGRAM}: {address}: it speaks HTTP\n"


def test_of_a_fleet_it_is_told_what_its_jobs_do() -> None:
    row = {"number": 7, "job": "a\x1b.py", "state": "running", "nodes": 3, "declining": 2}
    begins = {**row, "number": 8, "declining": 0, "partitions": 0, "accepted": 0}
    session = {
        "session": "7", "address": "h:1", "done": 0, "slots": 2, "participants": 3, "spares": 0,
        "partitions": 2000, "accepted": 0, "children": {"0": "h:2"},
    }  # fmt: skip
    below = {**session, "session": "7-0", "accepted": 1500, "children": {}}
    other = {**session, "session": "8", "accepted": 9, "children": {}}
    rows = [{"state": "done"}, {**row, "partitions": 2000, "accepted": 0}, begins]
    told = {"address": "h:1", "processes": 3, "nodes": 5, "unreached": [], "jobs": rows}
    lines = table({**told, "sessions": [session, below, other]}).splitlines()
    assert lines[:5] == [
        "fleet             h:1",
        "connected         3 processes, 5 nodes",
        "jobs              2 running, 1 done",
        "job 7             a\\x1b.py: 1,500 of 2,000 partitions, 3 nodes take part, 2 decline",
        "job 8             a\\x1b.py: begins, 3 nodes take part",
    ]
    assert len(lines) == 5 + 1 + 3
    nothing = table({**told, "sessions": [], "jobs": []})
    assert nothing.endswith("\njobs              none yet")
