"""A sweep that cannot be, or that fails, is told of in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from sim.sweep.__main__ import main
from tests import TOP
from tests.sim.running import RAISING
from tests.sim.sweep.sweeps import process, written


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--fanout 10,1", "'1'"),
        ("--fanout 10,1001", "'1001'"),
        ("--fanout 10,,20", "''"),
        ("--fanout 10,20,10", "10"),
        ("--fanout", "--fanout"),
        ("--nodes 10,0", "'0'"),
        ("--nodes ten", "'ten'"),
        ("--nodes 1e3", "'1e3'"),
        ("--latency 0.1 uniform:2,1", "uniform:2,1"),
        ("--latency 0.1 -1", "-1"),
        ("--latency places:no-such.csv", "no-such.csv"),
        ("--latency", "--latency"),
        ("--seeds 0", "'0'"),
        ("--jobs 0", "'0'"),
        ("--jobs -1", "'-1'"),
        ("--partitions 0", "'0'"),
        ("--delay soon", "soon"),
        ("--listening 2", "'2'"),
        ("--job no_such", "no_such"),
        ("--faults no-such.txt", "no-such.txt"),
        ("--follow 3", "--follow"),
        ("--out table.txt", "table.txt"),
        ("--out table.csv.gz", "table.csv.gz"),
        ("--out no-such/table.csv", "no-such"),
        ("--out folder.csv", "folder.csv"),
        ("--out others.csv", "others.csv"),
        ("--out others.parquet", "others.parquet"),
        ("--out device.csv", "device.csv"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_before_anything_runs(
    arguments: str,
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.csv").mkdir()
    Path("others.csv").write_text("cty1,cty2,rtt_avg\na,b,100\n")
    Path("others.parquet").write_text("no Parquet")
    Path("device.csv").symlink_to(os.devnull)
    before = sorted(os.listdir())
    others = [] if "--out" in arguments else ["--out", "table.csv"]
    assert main([*arguments.split(), *others]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert named in err
    assert sorted(os.listdir()) == before
    assert Path("others.csv").read_text().startswith("cty1")


def test_a_file_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nodes", "2"]) == 2
    assert "--out" in capsys.readouterr().err


def test_runs_that_fail_are_rows_and_the_first_is_named(tmp_path: Path) -> None:
    job = written(tmp_path / "job.py", RAISING)
    out = tmp_path / "table.csv"
    run = process("--nodes", "5,10", "--seeds", 2, "--job", job, "--out", out)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    for named in ("nodes 10", "seed 0", "ZeroDivisionError"):
        assert named in run.stderr
    table = pl.read_csv(out)
    assert table["failed"].to_list() == [False, False, True, True]
    assert "ZeroDivisionError" in table["error"][2]


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)  # as on a full disk
from sim.sweep.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("bytes_max", [0, 100])
def test_a_full_disk_is_told_and_leaves_the_last_table(tmp_path: Path, bytes_max: int) -> None:
    out = tmp_path / "table.csv"
    before = "nodes,partitions,fanout,latency,seed\n"
    out.write_text(before)
    command = [sys.executable, "-c", LIMITED, str(bytes_max), "--nodes", "2", "--out", str(out)]
    run = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (1, "", 1)
    assert str(out) in run.stderr
    assert out.read_text() == before
    assert os.listdir(tmp_path) == ["table.csv"]
