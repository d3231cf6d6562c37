"""A run that does not come to its end says why, in a line or a traceback."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from core import Shape
from plugins.console.exits import Exit
from sim.__main__ import main
from tests.sim.running import RAISING, process, reported, written

INTERRUPTED = """
import os, signal
def prepare(input, sizes): return [None] * len(sizes)
def compute(input, index):
    if index < 7:
        return 1
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be inherited as ignored
    os.kill(os.getpid(), signal.SIGINT)
def collect(outputs): return sum(outputs)
"""


def test_what_fails_for_good_is_told_beside_the_result_of_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = ["--nodes", "5", "--partitions", "30", "--fanout", "4", "--job"]
    job += [written(tmp_path, RAISING), "--keep-going"]
    found = reported(capsys, *job, code=Exit.INCOMPLETE)
    assert found["result"] == sum(1 // (i - 7) for i in range(30) if i != 7)
    assert found["failure"] is None
    assert (found["lost"]["count"], found["accepted"]) == (1, 29)
    (piece,) = found["lost"]["pieces"]
    assert piece["partition"] == 7
    assert "ZeroDivisionError" in piece["error"]
    assert main(job) == Exit.INCOMPLETE
    shown = capsys.readouterr()
    assert "29 of 30 accepted" in shown.out
    assert re.search(r"^lost +1: 7$", shown.out, re.MULTILINE)
    assert "Traceback" in shown.err
    assert "1 of 30 partitions failed for good" in shown.err.splitlines()[-1]


def test_where_all_fails_the_job_has_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = RAISING.replace("1 // (index - 7)", "1 // 0")
    job = ["--nodes", "5", "--partitions", "9", "--fanout", "3", "--job", written(tmp_path, text)]
    found = reported(capsys, *job, "--keep-going", code=1)
    assert found["result"] is None
    assert found["failure"]["partition"] == 0
    assert found["lost"]["count"] == 9


def test_of_a_job_that_failed_it_is_told_how_much_was_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = ["--nodes", "5", "--partitions", "30", "--fanout", "4", "--job"]
    job += [written(tmp_path, RAISING), "--delay", "1"]
    found = reported(capsys, *job, code=1)
    assert (found["result"], found["lost"]) == (None, None)
    assert 0 < found["accepted"] < 30
    assert main(job) == 1
    assert f"{found['accepted']} of 30 accepted" in capsys.readouterr().out


def test_a_run_that_cannot_finish_says_what_was_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    everyone_leaves = ["--nodes", "20", "--lifetime", "0.001"]
    assert main(everyone_leaves) == 1
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    for fact in ("0 of 20 partitions", "20 nodes"):
        assert fact in err
    assert "0 of 20" in out

    found = reported(capsys, *everyone_leaves, code=1)
    assert found["failure"]["error"] in err
    assert (found["result"], found["accepted"], found["left"]) == (None, 0, 20)
    assert found["finished_seconds"] is None


def test_a_job_that_raises_is_named_with_its_traceback(tmp_path: Path) -> None:
    shape = Shape.root(20, 4)
    while not shape.leaf:  # partition 7 lies under it
        children = map(shape.child, range(shape.slots))
        shape = next(c for c in children if c.first <= 7 < c.first + c.partitions)

    job = written(tmp_path, RAISING)
    run = process("--nodes", "20", "--fanout", "4", "--job", job, "--json")
    assert run.returncode == 1
    for fact in (f"session {shape.session},", "partition 7", "ZeroDivisionError", "Traceback"):
        assert fact in run.stderr
    failure = json.loads(run.stdout)["failure"]
    assert (failure["session"], failure["partition"]) == (shape.session, 7)
    assert "ZeroDivisionError" in failure["error"]


def test_a_job_that_raises_in_prepare_fails_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nodes", "3", "--input", "seven"]) == 1
    assert "'seven'" in capsys.readouterr().err


def test_an_interrupted_run_says_how_far_it_was(tmp_path: Path) -> None:
    job = written(tmp_path, INTERRUPTED)
    run = process("--nodes", "20", "--job", job, "--json")
    assert (run.returncode, run.stdout) == (130, "")
    assert run.stderr.count("\n") == 1
    for fact in ("simulated", " of 20 nodes", " of 20 partitions"):
        assert fact in run.stderr


def test_too_many_nodes_for_any_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nodes", "9" * 15]) == 1
    assert "memory" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["--nodes=20", "--json", "--follow=1", "--help"])
def test_a_closed_pipe_is_no_traceback(argument: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        run = process(argument, stdout=writer)
    finally:
        os.close(writer)
    assert run.returncode == (0 if argument == "--help" else 141)
    assert run.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's full disk")
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        run = process("--nodes", "20", stdout=full)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
