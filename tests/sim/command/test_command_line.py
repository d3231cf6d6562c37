"""`python -m sim`, as a person and as a program would use it."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path

import attrs
import pytest

from plugins.console.telling import as_json
from sim import Report, World
from sim.__main__ import main
from sim.command.summary import table
from tests.sim.running import ECHO, process, reported, written

OPTIONS = """
nodes partitions fanout listening seed replicas job prepare compute collect input
latency service-time arrival-rate arrivals lifetime delay tick faults heartbeat follow piece-timeout
keep-going idle trace sample json jobs at-once
"""


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
