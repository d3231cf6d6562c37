"""`python -m sim.sweep`, as a person and as a program would use it."""

from __future__ import annotations

import os
import pty
from pathlib import Path

import polars as pl
import pytest

from sim import World
from sim.sweep.__main__ import main
from tests.sim.sweep.sweeps import process, written

OPTIONS = """
nodes fanout latency seeds partitions listening job prepare compute collect input
service-time arrival-rate arrivals lifetime delay tick faults heartbeat jobs out
"""
OWN = ("wall_seconds", "peak_rss_bytes")  # of the process


def test_the_table_has_all_runs_in_order_and_is_the_same_again(tmp_path: Path) -> None:
    varied = ["--nodes", "20,50", "--fanout", "5,10", "--latency", "uniform:0.02,0.08", "0.3"]
    others = ["--seeds", 2, "--jobs", 2, "--delay", "uniform:0.5,1.5"]
    first = process(*varied, *others, "--out", tmp_path / "table.csv")
    assert (first.returncode, first.stderr) == (0, "")
    table = pl.read_csv(tmp_path / "table.csv")
    assert table.select("nodes", "fanout", "latency", "seed").rows() == [
        (nodes, fanout, latency, seed)
        for nodes in (20, 50)
        for fanout in (5, 10)
        for latency in ("uniform:0.02,0.08", "0.3")
        for seed in (0, 1)
    ]
    report = World(50, fanout=5, latency="0.3", seed=1, delay="uniform:0.5,1.5").run()
    assert table["digest"][11] == report.digest
    again = process(*varied, *others, "--out", tmp_path / "again.parquet")
    assert again.stdout == first.stdout
    assert (
        pl.read_parquet(tmp_path / "again.parquet")
        .drop(OWN)
        .equals(table.drop(OWN).cast({"error": pl.String}))
    )
    assert sorted(os.listdir(tmp_path)) == ["again.parquet", "table.csv"]


def test_medians_are_printed_for_people(tmp_path: Path) -> None:
    run = process("--nodes", "1200", "--seeds", 3, "--out", tmp_path / "table.csv")
    lines = run.stdout.splitlines()
    assert len(lines) == 2
    assert run.stdout.isascii()
    table = pl.read_csv(tmp_path / "table.csv")
    for name, digits in {"formed_seconds": 3, "finished_seconds": 3, "messages": 0}.items():
        assert name in lines[0]
        assert f"{table[name].median():,.{digits}f}" in lines[1]


def test_a_terminal_is_told_how_far_it_is(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    run = process("--nodes", "2,3", "--out", tmp_path / "table.csv", stderr=theirs)
    os.close(theirs)
    assert run.returncode == 0
    assert b"of 2" in os.read(ours, 4096)
    os.close(ours)


def test_a_table_that_a_sweep_has_written_is_replaced(tmp_path: Path) -> None:
    for name in ("table.csv", "table.parquet"):
        for nodes in (2, 3):
            assert process("--nodes", nodes, "--out", tmp_path / name).returncode == 0
    assert pl.read_csv(tmp_path / "table.csv")["nodes"].to_list() == [3]
    assert pl.read_parquet(tmp_path / "table.parquet")["nodes"].to_list() == [3]


def test_latencies_may_be_given_one_by_one_and_as_places(tmp_path: Path) -> None:
    places = written(tmp_path / "places.csv", "cty1,cty2,rtt_avg\na,b,100\n")
    latencies = ["--latency", "0.1", "--latency", f"places:{places}", "0.2"]
    assert process("--nodes", 5, *latencies, "--out", tmp_path / "table.csv").returncode == 0
    table = pl.read_csv(tmp_path / "table.csv")
    assert table["latency"].to_list() == ["0.1", f"places:{places}", "0.2"]


def test_nobody_reads_on(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    run = process("--nodes", 2, "--out", tmp_path / "table.csv", stdout=theirs)
    os.close(theirs)
    assert (run.returncode, run.stderr) == (141, "")
    assert len(pl.read_csv(tmp_path / "table.csv")) == 1


def test_the_help_tells_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"--{option}" in text for option in OPTIONS.split())
