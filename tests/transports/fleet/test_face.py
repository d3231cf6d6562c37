"""A fleet as a program sees it: a real one, on this machine."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from math import inf, nan
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

import transports
from tests.processes import children, lives, until
from transports import (
    Fleet,
    FleetLost,
    JobCancelled,
    JobFailed,
    JobUnknown,
    Refused,
)
from transports.command.wanted import AT_ONCE
from transports.fleet import own
from transports.fleet.submitted import Progress
from transports.net.limits import FRAME_BYTES_MAX
from transports.values import files

PRIMES = "plugins.primes"
SECONDS = 60.0  # in which everything here has long come to its end
JOB = """
def prepare(input, sizes):
    return [input for _ in sizes]

def compute(input, index):
    return [{}]

def collect(outputs):
    return [output for one in outputs for output in one]
"""


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """For those tests that leave it as it was."""
    with Fleet(nodes=4, processes=2) as fleet:
        yield fleet


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job file, which gives its input back four times."""
    path = tmp_path / "job.py"
    path.write_text(JOB.format("input"))
    return path


@pytest.fixture
def sleeping(tmp_path: Path) -> Path:
    """A job that takes a minute."""
    path = tmp_path / "sleeping.py"
    path.write_text(JOB.format("__import__('time').sleep(60)"))
    return path


def reached(fleet: Fleet, folder: Path) -> Fleet:
    """The same one, as others who know its token have it."""
    assert fleet._own
    token = folder / "token"
    token.write_bytes(fleet._own.token)
    token.chmod(0o600)
    return Fleet.connect(fleet.address, token)


def begun(job: transports.Job) -> None:
    """Waits until it is computed."""
    until(lambda: job.progress().state == "running" and job.progress().nodes)


def interrupted(job: transports.Job) -> None:
    """Waits for its result, and Ctrl-C comes meanwhile."""
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    job.result(SECONDS)


# -- jobs ----------------------------------------------------------------------------------


def test_one_job_after_the_other(fleet: Fleet) -> None:
    first, second = fleet.submit(PRIMES, 100), fleet.submit(PRIMES, 1000)
    assert (first.result(SECONDS), second.result(SECONDS)) == (25, 168)
    assert second.number == first.number + 1
    assert first.progress() == Progress("done", 0, 4, 4, 4)
    assert fleet.run(PRIMES, 10) == 4
    states = {row["number"]: row["state"] for row in fleet.jobs()}
    assert states[first.number] == states[second.number] == "done"


def test_a_job_that_fails_has_its_traceback(fleet: Fleet, job: Path) -> None:
    job.write_text(JOB.format("1 // input"))
    failing = fleet.submit(job, 0)
    with pytest.raises(JobFailed, match="ZeroDivisionError") as failed:
        failing.result(SECONDS)
    assert failed.value.failure.partition in range(4)
    (note,) = failed.value.__notes__
    assert note.startswith("Traceback")
    assert f'"{job}"' in note
    assert failing.failures() == [failed.value.failure]
    assert fleet.run(PRIMES, 100) == 25


def test_what_is_missing_from_a_result_is_told(fleet: Fleet, job: Path) -> None:
    job.write_text(JOB.format("index // (index % 2)"))
    kept = fleet.submit(job, keep_going=True)
    assert sorted(kept.result(SECONDS)) == [1, 3]
    assert sorted(failure.partition or 0 for failure in kept.failures()) == [0, 2]


def test_a_file_that_was_changed_is_another_job(fleet: Fleet, job: Path) -> None:
    assert fleet.run(job, "a") == 4 * ["a"]
    job.write_text(JOB.format("input + 'b'"))
    assert fleet.run(job, "a") == 4 * ["ab"]


def test_what_a_file_imports_is_that_of_its_folder(fleet: Fleet, tmp_path: Path, job: Path) -> None:
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "util.py").write_text(f"NAME = {name!r}\n")
        (folder / "job.py").write_text("import util\n" + JOB.format("util.NAME"))
        found.append(set(fleet.run(folder / "job.py")))
    assert found == [{"one"}, {"two"}]


def test_a_job_of_other_parts_and_another_shape(fleet: Fleet, job: Path) -> None:
    counted = fleet.submit(
        PRIMES, 5, compute=f"{job}:compute", collect=f"{job}:collect", prepare=str(job),
        partitions=7, fanout=2, seed=3, piece_timeout=30.0, priority=5,
    )  # fmt: skip
    assert counted.result(SECONDS) == 7 * [5]
    assert counted.progress().partitions == 7


def test_results_are_the_callers_own(fleet: Fleet, job: Path) -> None:
    given = fleet.submit(job, {"a": [1]})
    given.result(SECONDS)[0]["a"].append(2)
    assert given.result() == 4 * [{"a": [1]}]


def test_a_large_input_and_a_large_result_travel(fleet: Fleet, job: Path) -> None:
    """Each is larger than any message may be."""
    large = bytes(range(256)) * (FRAME_BYTES_MAX // 256 + 1)
    done = fleet.submit(job, large, partitions=2)
    assert done.result(SECONDS) == 2 * [large]
    assert fleet.job(done.number).result(SECONDS) == 2 * [large]


def test_an_input_that_is_too_large_is_refused_here(
    fleet: Fleet, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BLOB_BYTES_MAX", 2**21)
    with pytest.raises(ValueError, match="the input is a value of 3145733 bytes, above the limit"):
        fleet.submit(job, bytes(3 * 2**20))


def test_an_array_travels(fleet: Fleet, job: Path) -> None:
    numpy = pytest.importorskip("numpy")
    (found,) = fleet.run(job, input=numpy.arange(3), partitions=1)
    assert (type(found), found.tolist()) == (numpy.ndarray, [0, 1, 2])


def test_a_name_without_end_is_refused(fleet: Fleet) -> None:
    with pytest.raises(Refused, match="a job's name of 10,000,000 characters: rename it"):
        fleet.submit("x" * 10**7)
    assert fleet.run(PRIMES, 100) == 25


def test_a_job_is_found_by_its_number(fleet: Fleet) -> None:
    number = fleet.submit(PRIMES, 100).number
    assert fleet.job(number).result(SECONDS) == 25
    with pytest.raises(JobUnknown, match=f"there is no job {number + 1}"):
        fleet.job(number + 1)
    for odd in (-1, 10**9, 10**30):
        with pytest.raises(JobUnknown, match=f"there is no job {odd}: none has such a number"):
            fleet.job(odd)
    assert fleet.run(PRIMES, 100) == 25  # the others go on


@pytest.mark.parametrize(
    ("options", "error", "line"),
    [
        ({"job": "plugins.nothing.like:it", "input": {1}}, TypeError, "set {1}: use sorted"),
        ({"job": "no/such/job.py"}, ValueError, "no file 'no/such/job.py' to load a job from"),
        ({"job": PRIMES, "partitions": 0}, ValueError, "partitions must be a whole number, 1"),
        ({"job": PRIMES, "fanout": 1}, ValueError, "fanout must be a whole number from 2 to 2000"),
        ({"job": PRIMES, "partitions": 10**15}, ValueError, "1 or more, below 10^15"),
        ({"job": PRIMES, "piece_timeout": 0}, ValueError, "piece_timeout must be above 0"),
        ({"job": PRIMES, "piece_timeout": inf}, ValueError, "above 0 seconds, up to 1e+09"),
        ({"job": PRIMES, "priority": 1001}, ValueError, "priority must be a whole number from"),
        ({"job": PRIMES, "weight": 0}, ValueError, "weight must be a number from 0.001 to 1000"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    fleet: Fleet, options: dict[str, object], error: type[Exception], line: str
) -> None:
    with pytest.raises(error) as refused:
        fleet.submit(**options)  # type: ignore[arg-type]
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["plugins.nothing", "not a name"])
def test_a_job_that_is_not_there_is_refused(fleet: Fleet, name: str) -> None:
    with pytest.raises(Refused, match=f"there is no module '{name}' here, at the root"):
        fleet.submit(name)


def test_a_job_that_is_none_fails(fleet: Fleet) -> None:
    with pytest.raises(JobFailed, match="sys"):
        fleet.run("sys")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_says_how_far_it_is_on_a_terminal(
    fleet: Fleet, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.write_text(JOB.format("__import__('time').sleep(0.5)"))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert fleet.run(job) == 4 * [None]
    assert re.search(r"waiting  at \d|at \d.* of 4 partitions", terminal.getvalue())


# -- waiting -------------------------------------------------------------------------------


def test_a_job_is_cancelled_in_the_midst_of_a_call(fleet: Fleet, sleeping: Path) -> None:
    job, *others = [fleet.submit(sleeping) for _ in range(AT_ONCE)]
    with pytest.raises(TimeoutError, match=rf"^job {job.number} is not over after 0.01 s"):
        job.result(0.01)
    waiting = fleet.submit(PRIMES, 100)
    begun(job)
    assert waiting.progress() == Progress("queued", AT_ONCE, 0, 0, 0)
    assert job.cancel()
    assert not job.cancel()  # it was over before
    assert not fleet.job(job.number).cancel()
    with pytest.raises(JobCancelled, match=rf"^job {job.number} was cancelled$"):
        job.result()
    assert all(other.cancel() for other in others)  # or they would have the cores for a minute
    assert waiting.result(SECONDS) == 25
    assert not waiting.cancel()  # it has ended before


def test_what_is_prepared_for_long_at_the_root_holds_up_no_other_job(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Its cores are nobody's share: each job that runs has one there."""
    gate, path = tmp_path / "gate", tmp_path / "gated.py"
    waits = f"""    import os, time
    while not os.path.exists({str(gate)!r}):
        time.sleep(0.01)
    return"""
    path.write_text(JOB.format("input").replace("    return", waits, 1))
    gated = fleet.submit(path, 1, partitions=2)
    begun(gated)
    assert fleet.submit(PRIMES, 100, partitions=2).result(SECONDS) == 25
    gate.touch()
    assert gated.result(SECONDS) == [1, 1]


def test_a_higher_priority_has_the_cores_while_it_wants_them(fleet: Fleet, tmp_path: Path) -> None:
    path = tmp_path / "napping.py"
    path.write_text(JOB.format("__import__('time').sleep(0.03)"))
    low = fleet.submit(path, partitions=5000)
    until(lambda: low.progress().accepted)
    high = fleet.submit(path, partitions=70, priority=1)
    until(lambda: high.progress().accepted > 10)  # each process computes it by now
    before = low.progress().accepted
    high.result(SECONDS)
    assert low.progress().accepted - before < 25
    assert low.cancel()


def test_what_a_job_weighs_can_be_changed_until_it_is_over(fleet: Fleet, sleeping: Path) -> None:
    job = fleet.submit(sleeping, weight=2)
    begun(job)
    assert job.weigh(priority=3)
    assert job.weigh(weight=5)
    (row,) = [row for row in fleet.jobs() if row["number"] == job.number]
    assert (row["priority"], row["weight"]) == (3, 5.0)
    for wrong in ({}, {"priority": 0.5}, {"weight": float("nan")}, {"weight": 1001}):
        with pytest.raises(ValueError, match=r"priority|weight"):
            job.weigh(**wrong)  # type: ignore[arg-type]
    job.cancel()
    assert not job.weigh(priority=1)


def test_a_job_that_waits_is_cancelled(fleet: Fleet, sleeping: Path) -> None:
    *others, waiting = [fleet.submit(sleeping) for _ in range(AT_ONCE + 1)]
    assert waiting.cancel()
    assert waiting.progress() == Progress("cancelled", 0, 0, 0, 0)
    assert all(other.cancel() for other in others)


def test_many_threads_submit_and_wait(fleet: Fleet) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: fleet.run(PRIMES, n, partitions=2), 4 * [10, 100]))
    assert found == 4 * [4, 25]


def test_it_can_be_used_beside_asyncio(fleet: Fleet) -> None:
    async def main() -> list[int]:
        assert fleet.run(PRIMES, 30) == 10  # it holds the loop up, and comes to its end
        jobs = [fleet.submit(PRIMES, n) for n in (10, 100)]
        return await asyncio.gather(*(asyncio.to_thread(job.result, SECONDS) for job in jobs))

    assert asyncio.run(main()) == [4, 25]


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_waiting_only(fleet: Fleet, sleeping: Path) -> None:
    job = fleet.submit(sleeping)
    begun(job)
    with pytest.raises(KeyboardInterrupt):
        interrupted(job)
    assert job.progress().state == "running"
    assert job.cancel()


def asleep(item: int) -> int:
    time.sleep(60)
    return item


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(
    ("how", "connected"), [("run", False), ("map_reduce", False), ("map_reduce", True)]
)
def test_ctrl_c_cancels_what_nobody_else_can_ask_for(
    how: str, connected: bool, fleet: Fleet, sleeping: Path, tmp_path: Path
) -> None:
    number = fleet.submit(PRIMES, 10).number + 1

    def interrupt() -> None:
        try:
            until(lambda: [row for row in fleet.jobs() if row["number"] == number])
            begun(fleet.job(number))
        finally:  # so that nobody waits in vain where that fails
            os.kill(os.getpid(), signal.SIGINT)

    def computed(there: Fleet) -> None:
        if how == "run":
            there.run(sleeping)
        else:
            there.map_reduce(asleep, range(4), reduce=sum)

    other = reached(fleet, tmp_path) if connected else nullcontext(fleet)
    with other as there, ThreadPoolExecutor(1) as pool:
        interrupted = pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            computed(there)
        interrupted.result()
    assert fleet.job(number).progress().state == "cancelled"
    assert fleet.run(PRIMES, 100) == 25


# -- the fleet itself ----------------------------------------------------------------------


def test_nothing_is_left_when_it_is_closed(sleeping: Path) -> None:
    with Fleet(nodes=2, processes=2) as fleet:
        waiting = fleet.submit(sleeping)
        begun(waiting)
        there = [fleet._own._root.pid] if fleet._own else []
        there += children(there[0])
        assert len(there) >= 3
    fleet.close()  # again
    until(lambda: not any(map(lives, there)))
    with pytest.raises((JobCancelled, FleetLost)):
        waiting.result()
    with pytest.raises(FleetLost, match="the fleet is closed"):
        fleet.submit(PRIMES)


def test_a_fleet_whose_root_dies_is_lost(job: Path, sleeping: Path) -> None:
    with Fleet(nodes=2, processes=1) as fleet:
        over = fleet.submit(job, 1)
        over.result(SECONDS)  # before others have the cores
        begun(waiting := fleet.submit(sleeping))
        assert fleet._own
        os.kill(fleet._own._root.pid, signal.SIGKILL)
        with pytest.raises(FleetLost, match="is lost"):
            waiting.result(SECONDS)
        assert over.result() == [1, 1]  # it was there before
        with pytest.raises(FleetLost):
            fleet.submit(PRIMES)


def test_a_process_that_was_forked_has_no_part_in_it(job: Path, sleeping: Path) -> None:
    with Fleet(nodes=2, processes=1) as fleet:
        over = fleet.submit(job, 1)
        over.result(SECONDS)  # before others have the cores
        waiting = fleet.submit(sleeping)
        pid = os.fork()
        if pid == 0:  # pragma: no cover
            os._exit(_forked(fleet, over, waiting))
        assert os.waitpid(pid, 0)[1] == 0
        pid = os.fork()
        if pid == 0:  # pragma: no cover
            signal.pause()
        root = fleet._own._root if fleet._own else None
    assert root is not None
    assert root.returncode == 0  # it has ended by itself
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _forked(fleet: Fleet, over: transports.Job, waiting: transports.Job) -> int:
    asked = (fleet.jobs, waiting.result, waiting.progress, waiting.cancel)
    for what in asked:
        try:
            what()
        except FleetLost as error:
            if "of another process" not in str(error):
                return 1
        else:
            return 2
    fleet.close()
    return 0 if over.result() == [1, 1] else 3


def test_a_fleet_that_nobody_holds_ends() -> None:
    fleet = Fleet(nodes=1)
    assert fleet._own
    root = fleet._own._root
    job = fleet.submit(PRIMES, 100)
    del fleet
    assert job.result(SECONDS) == 25  # whoever holds a job holds the fleet
    del job
    until(lambda: root.poll() is not None)


def test_others_may_connect_to_a_fleet(fleet: Fleet, tmp_path: Path) -> None:
    number = fleet.submit(PRIMES, 1000).number
    with reached(fleet, tmp_path) as other:
        assert other.job(number).result(SECONDS) == 168
        assert other.run(PRIMES, 100, partitions=3) == 25
    assert fleet.run(PRIMES, 100) == 25  # it goes on


def test_who_has_another_token_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("not the token of this fleet")
    with pytest.raises(Refused, match="token"):
        Fleet.connect(fleet.address, token)


def test_where_nobody_listens_there_is_no_fleet() -> None:
    with pytest.raises(FleetLost, match="nobody listens there"):
        Fleet.connect("127.0.0.1:1")
    with pytest.raises(Refused, match=r"'127.0.0.1' has no port"):
        Fleet.connect("127.0.0.1")


@pytest.mark.parametrize(
    ("nodes", "processes"), [(0, None), (1, 0), (-1, 1), (1.5, 1), (True, 1), ("3", 1), (1, nan)]
)
def test_a_fleet_has_nodes(nodes: Any, processes: Any) -> None:
    with pytest.raises(ValueError, match="must be a whole number, 1 or more"):
        Fleet(nodes, processes)


def test_an_address_is_text() -> None:
    with pytest.raises(ValueError, match="address must be text, HOST:PORT, not None"):
        Fleet.connect(None)  # type: ignore[arg-type]


def test_a_job_stands_among_the_jobs_as_soon_as_it_is_accepted(fleet: Fleet) -> None:
    for _ in range(3):
        before = {row["number"] for row in fleet.jobs()}
        number = fleet.submit(PRIMES, 10).number
        assert {row["number"] for row in fleet.jobs()} - before == {number}


def test_what_is_closed_is_not_entered() -> None:
    fleet = Fleet(nodes=1)
    fleet.close()
    with pytest.raises(FleetLost, match="the fleet is closed"), fleet:
        pass


def test_what_is_done_when_a_job_is_over_may_use_the_fleet(fleet: Fleet) -> None:
    job, came = fleet.submit(PRIMES, 100), Queue[Any]()
    job.add_done_callback(lambda: came.put(fleet.run(PRIMES, 10) + job.result()))
    assert came.get(timeout=SECONDS) == 4 + 25


def test_a_job_may_be_waited_for_very_long(fleet: Fleet) -> None:
    job = fleet.submit(PRIMES, 100)
    assert job.result(timeout=1e30) == 25
    assert [one.number for one in fleet.as_completed([job], timeout=1e30)] == [job.number]


def test_a_fleet_that_cannot_be_started_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "ANY_PORT", "nowhere")
    with pytest.raises(FleetLost, match="could not be started, exit code 2"):
        Fleet(nodes=1)
