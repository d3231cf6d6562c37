"""Runs in processes of their own: they are what they are in this one, and one can be lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from sim import Report, World
from sim.options import WorldOptions
from sim.sweep import grid, run, sweep
from tests import TOP

OWN = {"wall_seconds", "peak_rss_bytes"}  # of the process

DYING = """
import os, signal
def prepare(input, sizes):
    if len(sizes) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if len(sizes) == 3:
        os._exit(7)
    if len(sizes) == 4:
        raise MemoryError
    return [None] * len(sizes)
def compute(input, index): print("a piece is computed"); return 1
def collect(outputs): return sum(outputs)
"""


def test_a_row_is_what_a_world_reports() -> None:
    values = {"nodes": [60, 30], "fanout": [4, 7], "latency": [0.05, "uniform:0.2,0.8"], "seed": 2}
    constants = {"delay": 1.5, "listening": 0.7, "partitions": 90, "input": 3}
    rows = sweep(values, jobs=2, **constants).to_dicts()
    points: list[dict[str, Any]] = grid(values, **constants)
    assert len(rows) == 8
    for row, point in zip(rows, points, strict=True):
        assert row["latency"] == str(point["latency"])
        assert {name: row[name] for name in constants} == {**constants, "input": 3}
        report = attrs.asdict(World(**point).run(), recurse=False)
        shared = (report.keys() & row.keys()) - OWN - {"faults"}
        assert len(shared) >= 18
        assert {name: row[name] for name in shared} == {name: report[name] for name in shared}
        assert (row["failed"], row["error"]) == (False, None)
        assert row["wall_seconds"] > 0


def test_the_fanout_that_a_world_chooses_is_told() -> None:
    (row,) = sweep({}, nodes=200, delay="1").to_dicts()
    assert row["fanout"] == World(nodes=200).shape.fanout
    assert (row["seed"], row["latency"]) == (WorldOptions().seed, WorldOptions().latency)


def test_everything_a_report_counts_has_a_column() -> None:
    row = sweep({"nodes": 2}).to_dicts()[0]
    rest = {"result", "failure", "lost", "faults", "faults_in_vain", "compiled"}
    assert set(row) >= {field.name for field in attrs.fields(Report)} - rest


def test_what_is_missing_from_a_result_is_told(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(
        "def prepare(input, sizes): return [0] * len(sizes)\n"
        "def compute(input, index): return 1 // (index - 2)\n"
        "def collect(outputs): return sum(outputs)\n"
    )
    (row,) = sweep({"keep_going": [True]}, nodes=5, job=str(job), delay="1").to_dicts()
    assert (row["accepted"], row["failed"]) == (4, True)
    assert row["error"].startswith("1 of 5 partitions failed for good")


def test_the_largest_begin_first_and_the_rows_have_their_order() -> None:
    points = grid({"nodes": [2, 30, 10], "seed": range(2)})
    assert [place for place, _ in run(points, jobs=1)] == [2, 3, 4, 5, 0, 1]
    table = sweep({"nodes": [2, 30, 10], "seed": range(2)}, jobs=3)
    assert table["nodes"].to_list() == [2, 2, 30, 30, 10, 10]
    assert table["seed"].to_list() == [0, 1] * 3


def test_the_peak_memory_is_of_the_run_alone() -> None:
    large, small = (row["peak_rss_bytes"] for row in sweep({"nodes": [3000, 3]}, 1).to_dicts())
    assert small < large


def test_a_run_whose_process_dies_is_a_row_and_the_others_are_not_lost(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(DYING)
    rows = sweep({"nodes": [1, 2, 3, 4]}, jobs=2, job=job).to_dicts()
    assert [row["nodes"] for row in rows] == [1, 2, 3, 4]
    assert [row["failed"] for row in rows] == [False, True, True, True]
    assert [row["accepted"] for row in rows[:3]] == [1, None, 0]  # os._exit is the job's failure
    for row, named in zip(rows[1:], ("SIGKILL", "7", "Memory"), strict=True):
        assert named in row["error"]


def test_faults_are_told_in_the_words_of_a_script(tmp_path: Path) -> None:
    faults = tmp_path / "faults.txt"
    faults.write_text("at 1 crash node 2\nat 3 restart node 2 with memory\n")
    rows = sweep({"nodes": 5, "faults": [str(faults), "light"]}, delay=4).to_dicts()
    assert [row["faults"] for row in rows] == [str(faults), "light"]
    assert rows[0]["faults_happened"] == 2


def test_a_script_may_sweep_on_its_top_level(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from sim.sweep import sweep\nprint(sweep({'nodes': [2, 3]}, 2)['failed'].any())\n"
    )
    command = [sys.executable, str(script)]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")


def test_polars_is_imported_where_a_table_is_made_only() -> None:
    code = "import sys, sim.sweep, sim.sweep.__main__; print('polars' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_how_many_at_the_same_time_is_one_or_more() -> None:
    for jobs in (0, "2", 1.5):
        with pytest.raises(ValueError, match="jobs must be"):
            sweep({"nodes": 2}, jobs=jobs)  # type: ignore[arg-type]
