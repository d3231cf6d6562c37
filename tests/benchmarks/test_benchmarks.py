"""The benchmarks run, and prove what they print. How fast is no test's business."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests import TOP

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def benchmarks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_main", HERE / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def quick() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--runs", "1"]
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)


def test_quick_figures_are_proven(quick: subprocess.CompletedProcess[str]) -> None:
    assert quick.returncode == 0, quick.stdout + quick.stderr
    proofs = re.findall(r"result ([\d,]+) (\w+), digest ([0-9a-f.]+), seed 1, runs 1", quick.stdout)
    assert [(result, says) for result, says, _ in proofs] == [
        (result, "verified")
        for result in (
            *("10,000", "10,000"),  # the million and its floor
            *("10,000", "78,498", "10,000"),  # no-op, primes and their floor
            *("100", "1,000", "10,000"),  # growth
            *("1,000", "1,000"),  # churn
            *("1,000", "1,000", "1,000"),  # interior
        )
    ]
    assert quick.stdout.endswith("every result verified\n")


def test_circumstances_and_targets_stand_beside_the_figures(
    quick: subprocess.CompletedProcess[str],
) -> None:
    first, head, *rows = quick.stdout.splitlines()
    assert re.search(r"UTC, CPython 3\.\d+\.\d+, interpreted, simpy [\d.]+, .* \d+ cores$", first)
    target = head.index("target")
    targets = [row[target:].split("  ")[0] for row in rows if row[target - 1 : target + 1] == " <"]
    assert targets == ["<= 1.0, aim 0.5", "<= 0.8 GB", "<= 0.1", "<= 0.1", "<= 4", "< 1 %", "< 1 %"]
    assert sum("root messages" in row for row in rows) == 3


def test_only_one_is_measured_when_asked() -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--runs", "2"]
    ran = subprocess.run(
        [*command, "--only", "million"], cwd=TOP, capture_output=True, text=True, check=True
    )
    names = {row.split()[0] for row in ran.stdout.splitlines()[2:-1]}
    assert names == {"million"}
    assert "runs 2" in ran.stdout


@pytest.mark.parametrize(
    "changed",
    [
        {"result": 9},
        {"result": None},
        {"failure": {"session": "0"}},
        {"accepted": 9},
        {"digest": "b"},
    ],
    ids=str,
)
def test_what_is_not_proven_is_noticed(benchmarks: ModuleType, changed: dict[str, object]) -> None:
    good = {"result": 10, "failure": None, "accepted": 10, "partitions": 10, "digest": "a"}
    assert benchmarks.Measured("all well", 10, [good, good]).proven
    assert not benchmarks.Measured("not so", 10, [good, {**good, **changed}]).proven


def test_a_wrong_result_is_the_exit_code(
    benchmarks: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = benchmarks.Measured("a run", 7, [{"result": 8, "digest": "a", "seed": 1}])
    row = benchmarks.Row("growth", "a run", "1 s", "", benchmarks.proof(wrong))
    monkeypatch.setitem(benchmarks.BENCHMARKS, "growth", lambda scale, runs: ([wrong], [row]))
    assert benchmarks.main(["--only", "growth"]) == 1
    assert "result 8 WRONG, not 7" in capsys.readouterr().out
