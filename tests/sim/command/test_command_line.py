"""`python -m sim`, as a person and as a program would use it."""

from __future__ import annotations

import io
import json
import math
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import pytest

from core import Shape
from plugins.console.exits import Exit
from plugins.console.telling import as_json
from plugins.fanout import choose_fanout
from sim import Report, World
from sim.__main__ import main
from sim.command import progress
from sim.command.summary import table
from tests import TOP

OPTIONS = """
nodes partitions fanout listening seed replicas job prepare compute collect input
latency service-time arrival-rate arrivals lifetime delay tick faults heartbeat follow piece-timeout
keep-going trace sample json
"""

RAISING = """
def prepare(input, sizes): return [None] * len(sizes)
def compute(input, index): return 1 // (index - 7)
def collect(outputs): return sum(outputs)
"""
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
ECHO = """
print("a job is loaded")
def prepare(input, sizes): return [input] * len(sizes)
def compute(input, index):
    print("a piece is computed")
    return input
def doubled(input, index): return [input, input]
def first(outputs): return outputs[0]
collect = first
"""


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A real run."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "sim", *arguments]
    return subprocess.run(command, **options, cwd=TOP, text=True, timeout=60, check=False)


def reported(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    """What --json says."""
    assert main([*arguments, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def written(folder: Path, source: str) -> str:
    path = folder / "job.py"
    path.write_text(source)
    return str(path)


# -- what comes out ------------------------------------------------------------------------


def test_a_plain_run_ends_with_a_summary_and_says_nothing_else() -> None:
    run = process("--nodes", "1200", "--seed", "5")
    assert run.returncode == 0
    assert run.stderr == ""
    report = World(nodes=1200, seed=5).run()
    for fact in ("1,200", f"{report.sessions}", f"{report.messages:,}", report.digest):
        assert fact in run.stdout
    for word in ("levels", "sessions", "control", "computation", "messages", "MiB", "simulated"):
        assert word in run.stdout
    assert "\x1b" not in run.stdout
    assert run.stdout.isascii()


def test_json_is_one_object_and_nothing_else(tmp_path: Path) -> None:
    job = written(tmp_path, ECHO)
    run = process("--json", "--nodes", "20", "--fanout", "4", "--job", job, "--input", "5")
    assert run.returncode == 0
    assert run.stdout.count("\n") == 1
    found = json.loads(run.stdout)
    assert set(found) >= {field.name for field in attrs.fields(Report)}
    assert (found["result"], found["failure"], found["nodes"]) == (5, None, 20)
    assert (found["partitions"], found["fanout"], found["levels"]) == (20, 4, 3)
    assert found["accepted"] == 20
    assert found["wall_seconds"] > 0
    assert found["peak_rss_bytes"] > 2**20


def test_the_options_reach_the_world(capsys: pytest.CaptureFixture[str]) -> None:
    options = {
        "nodes": 30,
        "partitions": 50,
        "fanout": 5,
        "input": 3,
        "seed": 9,
        "latency": "exponential:0.05",
        "service_time": 0.001,
        "arrival_rate": 12.5,
        "lifetime": 1000.0,
        "delay": "uniform:0.5,1.5",
        "tick": 0.01,
        "listening": 0.5,
    }
    named = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    found = reported(capsys, *named)
    assert found["result"] == 150
    assert found["digest"] == World(**options).run().digest  # type: ignore[arg-type]


@pytest.mark.parametrize("partitions", [1, 2, 1000, 10**6, 10**12])
def test_the_fanout_is_chosen_and_never_above_1000(partitions: int) -> None:
    fanout = choose_fanout(partitions)
    assert 2 <= fanout <= 1000
    assert Shape.root(partitions, fanout).slots <= fanout


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("-5", -5), ("[1, 2]", [1, 2]), ("a b", "a b"), ('"5"', "5"), ("NaN", "NaN")],
)
def test_the_input_is_json_or_else_text(
    text: str, value: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = written(tmp_path, ECHO)
    assert reported(capsys, "--nodes", "3", "--job", job, "--input", text)["result"] == value


def test_one_part_of_a_job_can_be_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = written(tmp_path, ECHO)
    parts = ["--compute", f"{other}:doubled", "--collect", other, "--prepare", other]
    assert reported(capsys, "--nodes", "3", *parts, "--input", "4")["result"] == [4, 4]


@pytest.mark.parametrize(
    "result",
    [{1: {2, 3}}, 10**100, 10**9000, [math.nan], b"bytes", {"a": (1, 2)}, object, "\ud800"],
    ids=lambda result: type(result).__name__,
)
def test_any_result_can_be_shown(result: object) -> None:
    report = attrs.evolve(World(nodes=2).run(), result=result)
    found = json.loads(as_json(report))
    assert found["digest"] == report.digest
    assert "result" in found
    assert report.digest in table(report)


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


def test_large_results_are_abbreviated_for_people_only() -> None:
    result = {f"word{i}": i for i in range(100_000)}
    report = attrs.evolve(World(nodes=2).run(), result=result)
    assert len(table(report)) < 3000
    assert "100,000" in table(report)
    assert json.loads(as_json(report))["result"] == result


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for option in OPTIONS.split():
        assert re.search(rf"^  --{option}\b.*?\(default:\s", text, re.MULTILINE | re.DOTALL), option
    assert text.count("(default:") == len(OPTIONS.split())
    assert "second" in text
    assert "1000" in text


# -- the same again ------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_digest_in_any_process() -> None:
    options = ("--nodes", "300", "--fanout", "5", "--delay", "exponential:2", "--json")
    seeds = [("1", "7"), ("2", "7"), ("2", "8")]  # of Python's hashes, and of the world
    runs = [
        process(*options, "--seed", seed, env={**os.environ, "PYTHONHASHSEED": hashes})
        for hashes, seed in seeds
    ]
    one, again, another = [json.loads(run.stdout)["digest"] for run in runs]
    assert one == again
    assert one != another


# -- what goes wrong -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nodes", "0"],
        ["--nodes", "-3"],
        ["--nodes", "nan"],
        ["--nodes", "2.5"],
        ["--nodes", "many"],
        ["--partitions", "0"],
        ["--partitions", "-1"],
        ["--partitions", "1" + "0" * 400],
        ["--fanout", "1"],
        ["--fanout", "1001"],
        ["--fanout", "-2"],
        ["--seed", "first"],
        ["--listening", "1.5"],
        ["--listening", "-0.5"],
        ["--listening", "nan"],
        ["--tick", "0"],
        ["--tick", "-0.001"],
        ["--tick", "nan"],
        ["--tick", "-inf"],
        ["--arrival-rate", "0"],
        ["--arrival-rate", "-5"],
        ["--arrival-rate", "inf"],
        ["--service-time", "-1"],
        ["--service-time", "nan"],
        ["--latency", "soon"],
        ["--latency", "-1"],
        ["--latency", "nan"],
        ["--latency", ""],
        ["--latency", "uniform:1"],
        ["--latency", "uniform:2,1"],
        ["--latency", "recorded:a_file_of_another_kind"],
        ["--delay", "places:no_such_file.csv"],
        ["--arrivals", "no_such_file.csv"],
        ["--arrivals", ""],
        ["--lifetime", "uniform:1,2,3"],
        ["--lifetime", "lognormal:1,1e6"],
        ["--delay", "exponential:-1"],
        ["--delay", "poisson:1"],
        ["--replicas", "some"],
        ["--job", "no.such.job"],
        ["--job", "no_such_job.py"],
        ["--job", ""],
        ["--job", "core"],  # has no functions of a job
        ["--prepare", "plugins.demo:nothing"],
        ["--compute", "core"],
        ["--collect", "no_such_job.py:collect"],
        ["--follow", "-1"],
        ["--follow", "1001"],
        ["--follow", "x"],
    ],
    ids=" ".join,
)
def test_a_bad_option_is_named_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, arguments, arguments[1].partition(":")[0][:40])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--node", "5"], "--node"),
        (["--frobnicate"], "--frobnicate"),
        (["1000"], "1000"),
        (["--nodes"], "--nodes"),
        (["--nodes", "--json"], "--nodes"),
        (["--nodes", "5", "--follow", "6"], "6"),
        (["--input", "[" * 100_000], "--input"),
        (["--latency", "recorded:no_such_file.csv"], "'no_such_file.csv': no such file"),
        (["--latency", "places:no_such_file.csv"], "'no_such_file.csv': no such file"),
    ],
)
def test_bad_arguments_are_named_in_one_line(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, arguments, named)


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str], named: str) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert len(err) < 400
    assert named in err
    for noise in ("usage", "Traceback"):
        assert noise not in err


def test_a_bad_option_ends_the_process_with_code_2() -> None:
    run = process("--json", "--fanout", "1")
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)


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


# -- the progress line ---------------------------------------------------------------------


def on_terminal(arguments: Sequence[str]) -> tuple[str, str]:
    """Standard output, a pipe, and standard error, a terminal."""
    terminal, end = pty.openpty()
    try:
        run = process(*arguments, stderr=end, env={**os.environ, "TERM": "xterm"})
        os.write(end, b"$")  # so that there is something to read
        assert run.returncode == 0
        return run.stdout, os.read(terminal, 65536).decode().removesuffix("$")
    finally:
        os.close(end)
        os.close(terminal)


def test_a_terminal_shows_progress() -> None:
    out, shown = on_terminal(["--nodes", "2000"])
    assert re.search(r"at [\d.]+ s.*\d nodes.*\d partitions.*messages", shown)
    assert "2,000" in out
    assert "\x1b" not in out


def test_json_is_quiet_on_a_terminal() -> None:
    out, shown = on_terminal(["--nodes", "20", "--json"])
    assert json.loads(out)["result"] == 20
    assert shown == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_five_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    hundredths = count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(hundredths) / 100)
    monkeypatch.setenv("TERM", "xterm")
    world, terminal = World(nodes=2000), Terminal()
    with progress.shown(world, terminal):
        report = world.run()
    seconds = next(hundredths) / 100
    refreshed = terminal.getvalue().count("nodes")
    assert seconds / 0.5 < refreshed <= 5 * seconds + 2
    assert "left" in terminal.getvalue()
    assert report.digest == World(nodes=2000).run().digest
    assert world.clock.after_tick == [world.record.flush]
