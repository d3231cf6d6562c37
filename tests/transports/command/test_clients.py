"""Those who use a fleet by commands: what they print, and how they end."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.processes import free_port, until
from tests.running import PROGRAM, TOKEN, Program, Programs
from tests.transports.command import asking
from transports import Fleet, JobUnknown
from transports.command import clients
from transports.fleet.asked import user
from transports.fleet.jobs import KEPT, KEPT_CALLS

SLEEPING = """
import time

def prepare(input, sizes):
    return [input for _ in sizes]

def compute(input, index):
    time.sleep(input)
    return 1 // (index - 1)

def collect(outputs):
    return len(outputs)
"""
WITH_TOKEN = {"env": {"MILLION_NODES_TOKEN": TOKEN}}


class OfFleet:
    """A fleet with four nodes on this machine, and commands that are about it."""

    def __init__(self, run: Programs, *allowed: object) -> None:
        self.run, self.job = run, run.job(SLEEPING)
        self.address = f"127.0.0.1:{free_port()}"
        bots = ("--bots", "plugins.bots_local", "--nodes", 4, "--processes", 2)
        allows = [word for job in (self.job, *allowed) for word in ("--allow", job)]
        more = (*allows, "--at-once", 1)
        self.root = run.start("serve", "--listen", self.address, *bots, *more, **WITH_TOKEN)
        self.root.says("fleet at ")
        until(lambda: asking.nodes(self.address, TOKEN) == 4)

    def start(self, command: str, *words: object, **popen: Any) -> Program:
        return self.run.start(command, self.address, *words, **WITH_TOKEN, **popen)

    def done(self, command: str, *words: object, code: int = 0) -> Program:
        return self.start(command, *words).ended(code)

    def told(self, command: str, *words: object, code: int = 0) -> dict[str, Any]:
        return self.start(command, *words, "--json").report(code)

    def states(self) -> list[str]:
        return [row["state"] for row in asking.rows(self.address, TOKEN)]


@pytest.fixture
def fleet(run: Programs) -> OfFleet:
    return OfFleet(run)


def test_jobs_are_submitted_asked_for_and_cancelled(fleet: OfFleet) -> None:
    done = fleet.done("submit", "--job", "plugins.primes", "--input", 1000).stdout.splitlines()
    assert done[0] == "result            168"
    assert done[1].startswith("job               1, done after ")
    assert done[2:] == ["partitions        4 of 4 accepted", "nodes             4"]
    slow = ("--job", fleet.job, "--input", 60)
    assert fleet.told("submit", *slow, "--detach") == {"number": 2}
    waiting = fleet.told("submit", "--job", "plugins.primes", "--input", 10, "--detach")
    until(lambda: fleet.states() == ["done", "running", "queued"])
    assert fleet.told("result", 2, "--wait", 0, code=8) == {"number": 2, "state": "running"}
    table = fleet.done("jobs").stdout.splitlines()
    assert table[:2] == [
        f"fleet             {fleet.address}",
        "connected         2 processes, 4 nodes",
    ]
    assert table[-1].split()[:3] == ["3", "plugins.primes", "queued"]
    assert table[-1].endswith("  behind 1")
    status = fleet.done("status").stdout.splitlines()
    assert status[2:4] == [
        "jobs              1 running, 1 queued, 1 done",
        "job 2             job.py: 0 of 4 partitions, 4 nodes take part",
    ]
    weighs = {"number": 3, "state": "queued", "priority": 0, "weight": 2.5}
    assert fleet.told("weigh", 3, "--weight", 2.5) == weighs
    said = fleet.done("weigh", 2, "--priority", -1).stdout
    assert said == "job 2 is running, priority -1, weight 1\n"
    assert fleet.done("jobs").stdout.splitlines()[-1].endswith("behind 1, weight 2.5")
    assert fleet.told("cancel", 2) == {"number": 2, "state": "cancelled"}
    assert fleet.told("result", waiting["number"])["result"] == 4
    assert fleet.told("cancel", 1, code=1) == {"number": 1, "state": "done"}
    assert fleet.told("cancel", 2, code=1) == {"number": 2, "state": "cancelled"}
    said = fleet.done("weigh", 1, "--weight", 2, code=1).stdout
    assert said == "job 1 is done, it was over before\n"
    cancelled = fleet.done("result", 2, code=1)
    assert cancelled.stderr == f"{PROGRAM}: the job was cancelled\n"
    states = [row["state"] for row in fleet.told("jobs")["jobs"]]
    assert states == fleet.states() == ["done", "cancelled", "done"]
    stop(fleet)


def stop(fleet: OfFleet) -> None:
    assert fleet.told("stop") == {"address": fleet.address}
    fleet.root.ended()
    asked = fleet.start("jobs", "--patience", 0, "--json")
    assert asked.report(4)["exit"] == 4
    assert f"{fleet.address}: nobody listens there" in asked.stderr
    fleet.run.see_that_none_is_left()


def test_what_goes_wrong_has_an_exit_code_and_a_line(fleet: OfFleet) -> None:
    failing = ("submit", "--job", fleet.job, "--input", 0)
    failed = fleet.done(*failing, code=1)
    assert failed.stdout.startswith("job               1, failed after ")
    assert "ZeroDivisionError" in failed.stderr.splitlines()[-1]
    assert failed.stderr.startswith("Traceback")
    kept = fleet.told(*failing, "--keep-going", code=7)
    assert (kept["result"], kept["lost"]["count"], kept["accepted"]) == (3, 1, 3)
    unknown = [fleet.done(command, 7, code=2).stderr for command in ("result", "cancel")]
    unknown.append(fleet.done("weigh", 7, "--weight", 2, code=2).stderr)
    assert unknown == 3 * [
        f"{PROGRAM}: there is no job 7: it was never submitted here, or is forgotten\n"
    ]
    assert [fleet.told(do, 7, code=2)["exit"] for do in ("result", "cancel", "log")] == [2, 2, 2]
    told = fleet.start("submit", "--job", "a.b", "--json")
    assert told.report(5)["exit"] == 5
    refused = told.stderr
    assert refused == f"{PROGRAM}: {told.report(5)['error']}\n"
    says = f"{PROGRAM}: the root at {fleet.address} refuses it: job 'a.b' is not allowed here"
    assert refused.startswith(says)
    assert "--sign" not in refused  # nobody is trusted
    absent = fleet.done("submit", "--job", "plugins.prime", code=2).stderr
    assert absent.startswith(f"{PROGRAM}: there is no module 'plugins.prime' here, at the root")
    missing = fleet.done("result", 2, code=7).stdout.splitlines()
    assert missing[1].startswith("job               2, done without 1 partition after ")
    assert fleet.done("jobs").stdout.endswith("  1 missing\n")
    other = fleet.run.folder / "other"
    other.mkdir()
    (other / "job.py").write_text(SLEEPING + "# edited")
    edited = fleet.done("submit", "--job", other / "job.py", "--input", 0, "--detach").stderr
    assert edited == (
        f"{PROGRAM}: job.py here is not what the fleet computes: its root has another one\n"
    )
    other = fleet.run.start("jobs", fleet.address).ended(5)
    assert "token" in other.stderr
    stop(fleet)


def test_a_process_whose_temporary_folder_has_gone_stays(fleet: OfFleet, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    more = {"env": {**WITH_TOKEN["env"], "TMPDIR": str(gone)}}
    joining = fleet.run.start("join", fleet.address, "--nodes", 1, **more)
    joining.says("1 node in the fleet")
    primes = ("--job", "plugins.primes", "--input", 1000, "--partitions", 50)
    fleet.told("submit", *primes, "--delay", 0.02)  # long enough to be taken part in
    until(lambda: not any(gone.iterdir()))
    gone.rmdir()
    assert fleet.told("submit", *primes)["result"] == 168
    joining.says("no folder for blobs")
    gone.mkdir()
    assert fleet.told("submit", *primes)["result"] == 168
    stop(fleet)
    joining.ended()


def test_calls_push_out_no_result_that_is_to_be_asked_for(run: Programs) -> None:
    fleet = OfFleet(run, "transports.fleet.calling")
    primes = ("submit", "--job", "plugins.primes", "--input", 1000)
    fleet.done(*primes, "--detach")
    until(lambda: fleet.states() == ["done"])
    token = run.job(TOKEN, "token")
    with Fleet.connect(fleet.address, token) as connected, connected.executor() as pool:
        assert [pool.submit(pow, i, 2).result() for i in range(KEPT + KEPT_CALLS)][-1] == 119**2
    names = [row["job"] for row in asking.rows(fleet.address, TOKEN)]
    assert names == ["plugins.primes", *KEPT_CALLS * ["pow"]]
    assert fleet.told("result", 1)["result"] == 168
    stop(fleet)


CALLS = """
import helper, time

def square(number):
    return helper.product(number, number)

def strange(text):
    return {text} if text.isascii() else time.sleep(60)

def joined(texts):
    return "".join(texts)

def bad(number):
    return 1 // (number - 37)
"""


def test_a_function_is_called_for_many_items(run: Programs) -> None:
    """It and what it imports travel; the nodes find neither."""
    fleet = OfFleet(run, "transports.fleet.calling")
    calls = run.job(CALLS, "calls.py")
    run.job("def product(a, b):\n    return a * b\n", "helper.py")
    words = run.job('["a", "\u00e9"]', "items.json")
    squares = ("submit", "--map", f"{calls}:square", "--over")
    assert fleet.told(*squares, 10_000, "--reduce", "sum")["result"] == 333_283_335_000
    assert fleet.told(*squares, 5)["result"] == [0, 1, 4, 9, 16]
    joined = ("--map", "builtins:str", "--over", words, "--reduce", f"{calls}:joined")
    assert fleet.told("submit", *joined)["result"] == "a\u00e9"
    failed = fleet.done("submit", "--map", "math:sqrt", "--over", words, code=1).stderr
    assert "TypeError: must be real number, not str" in failed
    strange = ("submit", "--map", f"{calls}:strange", "--over")
    failed = fleet.done(*strange, run.job("one\n", "items.txt"), code=1).stderr
    assert "not plain data: set {'one'}: use sorted" in failed
    assert "(item 0)" in failed
    failed = fleet.done("submit", "--map", f"{calls}:bad", "--over", 50, code=1).stderr
    assert f'File "{calls}", line 14, in bad\n    return 1 // (number - 37)' in failed
    assert failed.splitlines()[-1].endswith("(item 37)")
    sleeping = fleet.start(*strange, words)
    until(lambda: fleet.states()[-1] == "running")
    sleeping.signal(signal.SIGINT)
    assert f"what comes of it: '{PROGRAM} result" in sleeping.ended(130).stderr
    assert fleet.states()[-1] == "running"
    assert "calls.py:strange" in fleet.done("jobs").stdout.splitlines()[-1]
    fleet.done("cancel", 7)
    stop(fleet)


def test_what_came_of_calls_is_read_by_whoever_asks_where_it_is_plain(run: Programs) -> None:
    """What is pickled, by whomever, is unpickled by nobody who asks for it by its number."""
    fleet = OfFleet(run, "transports.fleet.calling")
    roots = ("submit", "--map", "math:isqrt", "--over")
    assert fleet.told(*roots, 5, "--detach") == {"number": 1}
    assert fleet.told("result", 1)["result"] == [0, 1, 1, 1, 2]
    large = fleet.told(*roots, 300_000)["result"]  # more than is told in a message
    assert fleet.told("result", 2)["result"] == large
    token, ran = run.job(TOKEN, "token"), run.folder / "ran"
    with Fleet.connect(fleet.address, token) as connected:
        assert connected.job(1).result() == [0, 1, 1, 1, 2]
        assert [*connected.map(lambda _: Evil(str(ran)), [1])]  # as this one knows who made it
        assert ran.is_dir()
        ran.rmdir()
        assert connected.map_reduce(abs, [-1, 2], reduce=sum) == 3
        for number in (3, 4):
            with pytest.raises(JobUnknown, match="pickled"):
                connected.job(number).result()
            assert "pickled" in fleet.done("result", number, code=2).stderr
    assert not ran.exists()
    rows = fleet.told("jobs")["jobs"]
    assert [row["job"] for row in rows] == ["math:isqrt", "math:isqrt", "<lambda>", "abs"]
    assert {row["user"] for row in rows} == {user()}
    stop(fleet)


class Evil:
    """Whoever unpickles it makes that folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return partial(os.makedirs, exist_ok=True), (self.folder,)


def test_calls_that_cannot_be_made_are_refused_in_a_line(fleet: OfFleet) -> None:
    odd = fleet.run.job("{}", "odd.json")
    for words, line in (
        (("--map", "math:nothing", "--over", 3), "--map: 'math' has no function 'nothing'"),
        (("--map", "math:sqrt", "--over", 3, "--reduce", "summ"), "no function 'summ'"),
        (("--map", "math:sqrt", "--over", "none.txt"), "--over: no file 'none.txt'"),
        (("--map", "math:sqrt", "--over", odd), "has no list"),
    ):
        (said,) = fleet.done("submit", *words, code=2).stderr.splitlines()
        assert line in said
    refused = fleet.done("submit", "--map", "math:sqrt", "--over", 3, code=5).stderr
    assert "--allow transports.fleet.calling" in refused
    stop(fleet)


def test_ctrl_c_leaves_the_job_as_it_is(fleet: OfFleet) -> None:
    submit = fleet.start("submit", "--job", fleet.job, "--input", 60)
    until(lambda: fleet.states() == ["running"])
    terminal = asking.Terminal()
    result = fleet.start("result", 1, stderr=terminal.end)
    terminal.shows("of 4 partitions")  # so it waits, and submit has for long
    lines = [
        f"{PROGRAM}: job 1 goes on; what comes of it: '{PROGRAM} result {fleet.address} 1'; "
        f"to end it: '{PROGRAM} cancel {fleet.address} 1'",
        f"{PROGRAM}: interrupted",
    ]
    submit.signal(signal.SIGINT)
    assert submit.ended(130).stderr.splitlines() == lines
    assert fleet.states() == ["running"]
    fleet.root.interrupt()
    fleet.root.ended(130)
    terminal.shows("the job was cancelled")
    result.ended(1)
    terminal.close()


def test_a_fleet_that_is_killed_is_lost_to_who_waits_when_another_is_there(run: Programs) -> None:
    fleet = OfFleet(run)
    submit = fleet.start("submit", "--job", fleet.job, "--input", 60)
    until(lambda: fleet.states() == ["running"])
    fleet.root.kill()
    other = run.start("serve", "--listen", fleet.address, **WITH_TOKEN)
    other.says("fleet at ")
    assert "has begun anew, and knows nothing" in submit.ended(4).stderr
    other.interrupt()
    other.ended(130)


# -- the table -----------------------------------------------------------------------------


ROW: dict[str, Any] = {
    "number": 12, "job": "plugins.primes", "state": "running", "priority": 0, "weight": 1.0,
    "ahead": 0, "user": "me@here", "nodes": 9, "declining": 0, "partitions": 2000, "accepted": 1234,
    "missing": 0, "submitted": 5.0, "started": 10.0, "ended": None, "failure": None,
}  # fmt: skip
STATUS = {"address": "h:1", "processes": 1, "nodes": 1000}


def test_the_table_of_jobs() -> None:
    over = ROW | {"number": 3, "job": "a" * 40, "state": "done", "started": 1.0, "ended": 2.5}
    over |= {"missing": 2, "user": "somebody-else@far.away"}
    told = clients.table(STATUS, [over, ROW], now=100.0).splitlines()
    assert told == [
        "fleet             h:1",
        "connected         1 process, 1,000 nodes",
        "",
        " N  job                    state    from               age   took  progress",
        " 3  ...aaaaaaaaaaaaaaaaaa  done     somebody-else...  95 s  1.5 s  2 missing",
        "12  plugins.primes         running  me@here           95 s   90 s  61 % of 2,000",
    ]
    first = ROW | {"state": "queued", "started": None}
    assert clients.table(STATUS, [first], 100.0).endswith("next")
    assert clients.table(STATUS, [first | {"ahead": 1}], 100.0).endswith("behind 1")
    assert clients.table(STATUS, [], 0.0).endswith("\n\nno job has been submitted yet")


def test_the_table_of_jobs_fits_a_terminal_and_obeys_nobody() -> None:
    large = ROW | {"number": 10**6, "job": "j" * 99, "state": "cancelled", "user": "\x1b" * 50}
    large |= {"partitions": 10**6, "submitted": -(10.0**6), "ended": 10.0**5}
    told = clients.table(STATUS, [large, ROW], now=100.0)
    assert max(map(len, told.splitlines())) <= 80
    assert "\x1b" not in told
