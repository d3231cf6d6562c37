"""`python -m sim.search`, as a person and as a program would use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sim.search.__main__ import main
from sim.search.invariants import ALIKE, IN_TIME, LIVES, NO_EXCEPTION
from tests.sim.search import standin

MODULE = "tests.sim.search.standin"
OPTIONS = """
seeds first seed replay lobby jobs minutes limit share-twice hash-seeds stop-after no-shrink
out verbose json
"""

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs with the stand-in in an empty folder, and returns what is printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, code: int = 0, complaint: str = "") -> str:
        assert main([str(argument) for argument in arguments], MODULE) == code
        captured = capsys.readouterr()
        assert captured.err.count("\n") == bool(complaint)
        assert complaint in captured.err
        return captured.out

    return run


def found(run: Run, *arguments: object, code: int = 0) -> dict[str, Any]:
    report = json.loads(run(*arguments, "--json", code=code))
    assert isinstance(report, dict)
    return report


def test_a_search_without_findings(run: Run) -> None:
    text = run("--seeds", 100, "--first", 3)
    assert [line.split(maxsplit=1) for line in text.splitlines()[:2]] == [
        ["seeds", "100, 3 to 102"],
        ["violations", "none"],
    ]
    assert "even" in text
    assert text.endswith("never reached:\n  impossible\n")
    assert not list(Path().iterdir())


def test_the_same_is_found_however_many_work_at_once(run: Run) -> None:
    def of(jobs: int) -> dict[str, Any]:
        report = found(run, "--first", 990, "--jobs", jobs, "--stop-after", 2, code=1)
        return {name: value for name, value in report.items() if "seconds" not in name}

    report = of(1)
    assert report == of(3)
    assert [failure["seed"] for failure in report["failures"]] == [
        standin.VIOLATES,
        standin.RAISES,
    ]
    assert (report["seeds"], report["last"], report["failures"][0]["shrunk"]["finished"]) == (
        12,
        standin.RAISES,
        True,
    )
    assert report["stopped"] == "stopped, as 2 failed"
    assert 2 <= report["twice"] <= 6


def test_a_failure_is_printed_shrunk_saved_and_replayed(run: Run) -> None:
    text = run("--seed", standin.VIOLATES, code=1)
    assert "seed 1000 fails: all is well" in text
    assert "python -m sim.search --seed 1000\n" in text
    assert "faults 8 to 1" in text
    assert "python -m sim.search --replay failure-1000.json\n" in text
    saved = json.loads(Path("failure-1000.json").read_text())
    assert saved["faults"] == ["at 1.5 crash node 3"]
    assert saved["world"] == {"nodes": 3}
    before = Path("failure-1000.json").stat()
    report = found(run, "--replay", "failure-1000.json", code=1)
    (failure,) = report["failures"]
    assert failure["violation"]["invariant"] == "all is well"
    assert failure["trial"]["faults"] == ["at 1.5 crash node 3"]
    assert failure["replay"] == "python -m sim.search --replay failure-1000.json"
    assert failure["shrunk"] is None
    assert Path("failure-1000.json").stat() == before


def test_a_failure_is_saved_where_it_is_wished_and_not_shrunk(run: Run) -> None:
    folder = Path("a folder")
    folder.mkdir()
    run("--seed", standin.VIOLATES, "--no-shrink", "--out", folder, code=1)
    assert len(json.loads((folder / "failure-1000.json").read_text())["faults"]) == 8


@pytest.mark.parametrize(
    ("seed", "invariant"),
    [
        (standin.RAISES, NO_EXCEPTION),
        (standin.DIES, LIVES),
        (standin.IS_NOT_DRAWN, NO_EXCEPTION),
        (standin.IS_HASHED, ALIKE),
        (standin.IS_HASHED_AT_THE_END, ALIKE),
    ],
)
def test_every_other_failure_has_its_name(run: Run, seed: int, invariant: str) -> None:
    (failure,) = found(run, "--seed", seed, "--no-shrink", code=1)["failures"]
    assert (failure["seed"], failure["violation"]["invariant"]) == (seed, invariant)


def test_a_run_that_hangs_is_a_failure_and_not_shrunk(run: Run) -> None:
    text = run("--seed", standin.HANGS, "--limit", 0.01, code=1)
    assert IN_TIME in text
    assert "it is not shrunk" in text or "not known" in text  # it may be late before it is drawn


def test_runs_that_differ_are_told_apart_and_shrunk(run: Run) -> None:
    arguments = ("--seed", standin.IS_HASHED, "--hash-seeds", "5,3")
    text = run(*arguments, code=1)
    assert "event 3 is the first that differs" in text
    assert "hash seed 5: event" in text
    assert "hash seed 3: event" in text
    assert "--seed 1004 --hash-seeds 3,5\n" in text
    assert "nodes 20 to 1, faults 8 to 0" in text
    assert "--replay failure-1004.json --hash-seeds 3,5\n" in text
    assert "done twice    1, of which 1 differed" in text
    run("--replay", "failure-1004.json", code=1)


def test_how_often_seeds_are_done_twice(run: Run) -> None:
    assert 2 <= found(run, "--seeds", 200)["twice"] <= 20
    assert found(run, "--seeds", 30, "--share-twice", 1)["twice"] == 30
    assert found(run, "--seeds", 30, "--share-twice", 0)["twice"] == 0
    assert found(run, "--seed", 3)["twice"] == 1


def test_a_run_is_told_event_by_event(run: Run) -> None:
    text = run("--seed", 5, "--verbose")
    assert text.startswith("event 1 of 5\nevent 2 of 5\n\nseed 5: every promise was kept\n")
    assert "seed 1000 fails" in run("--seed", standin.VIOLATES, "--verbose", code=1)


def test_the_world_of_a_single_seed_is_told_when_nothing_fails(run: Run) -> None:
    text = run("--seed", 5)
    assert text.startswith("seed 5: every promise was kept\n\n  world       nodes 20, latency")
    assert "at 4 crash node 8" in text
    assert "seed 5: " not in run("--seeds", 9)
    assert found(run, "--seed", 5)["violations"] == 0


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "sim.search", "--seed", "3", "--out", str(tmp_path)]
    try:
        done = subprocess.run(
            command, stdout=writer, stderr=subprocess.PIPE, timeout=120, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_minutes_end_a_search(run: Run) -> None:
    report = found(run, "--minutes", 1e-9)
    assert (report["seeds"], report["wanted"]) == (0, None)
    assert report["stopped"] == "the time was over"


def test_an_interruption_is_told_with_how_far_it_was(run: Run) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored
    try:
        arguments = ("--first", standin.INTERRUPTS - 2, "--jobs", 1, "--stop-after", 9)
        text = run(*arguments, code=130, complaint="interrupted after 2 seeds")
    finally:
        signal.signal(signal.SIGINT, before)
    assert "seeds         2 of 1,000, 1006 to 1007, interrupted" in text
    assert Path("failure-1007.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        "--jobs 0",
        "--seeds x",
        "--seed 1.5",
        "--share-twice 2",
        "--minutes 0",
        "--limit nan",
        "--stop-after 0",
        "--hash-seeds 1,1",
        "--hash-seeds -1",
        "--hash-seeds x",
        "--seed 3 --seeds 4",
        "--seed 3 --replay failure-3.json",
        "--replay failure-3.json",
        "--replay .",
        "--out missing",
        "--verbose",
        "--nonsense",
    ],
)
def test_a_wrong_option_is_told_in_a_line(run: Run, arguments: str) -> None:
    option = arguments.split()[-2 if len(arguments.split()) > 1 else -1]
    assert run(*arguments.split(), code=2, complaint=option) == ""


def test_the_help_has_every_option(run: Run) -> None:
    text = run("--help")
    for option in OPTIONS.split():
        assert f"--{option}" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_real_search_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sim.search", "--seeds", "3", "--no-shrink"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode in (0, 1)  # whether anything is wrong is for others to test
    assert done.stderr == ""
    assert "violations" in done.stdout
