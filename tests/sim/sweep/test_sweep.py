"""`python -m sim.sweep`, as a person and as a program would use it."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sim import World
from sim.sweep.__main__ import main
from tests import TOP

OPTIONS = """
nodes fanout latency seeds partitions listening job prepare compute collect input
service-time arrival-rate arrivals lifetime delay tick faults heartbeat jobs out
"""
OWN = ("wall_seconds", "peak_rss_bytes")  # of the process
PATIENCE_SECONDS = 30.0

RAISING = """
def prepare(input, sizes): return [None] * len(sizes)
def compute(input, index): return 1 // (index - 7)
def collect(outputs): return sum(outputs)
"""
STUCK = """
import socket
def prepare(input, sizes):
    if len(sizes) != 2:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(input)
            line.sendall(bytes([len(sizes)]))
            line.recv(1)
    return [None] * len(sizes)
def compute(input, index): return 1
def collect(outputs): return sum(outputs)
"""
# Ctrl-C may be inherited as ignored.
COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from sim.sweep.__main__ import main
sys.exit(main())
"""


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """A real sweep."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "sim.sweep", *map(str, arguments)]
    return subprocess.run(command, **options, cwd=TOP, text=True, timeout=60, check=False)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# -- what comes out ------------------------------------------------------------------------


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


# -- what is wrong -------------------------------------------------------------------------


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


# -- what is broken off --------------------------------------------------------------------


@contextmanager
def stuck(folder: Path, out: Path) -> Iterator[tuple[subprocess.Popen[str], list[socket.socket]]]:
    """A sweep of three runs with nodes 1, 2 and 3, and lines to the first and the last of them,
    which last until they are ended; by then the other is done."""
    job = written(folder / "job.py", STUCK)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        listener.bind(str(folder / "line"))
        listener.listen()
        nodes = ["--nodes", "1,2,3", "--jobs", "2"]
        given = [*nodes, "--job", str(job), "--input", str(folder / "line"), "--out", str(out)]
        sweep = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *given],
            cwd=TOP,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with sweep:
            lines = [listener.accept()[0] for _ in range(2)]
            for line in lines:
                line.settimeout(PATIENCE_SECONDS)
            try:
                assert {line.recv(1) for line in lines} == {b"\1", b"\3"}
                yield sweep, lines
            finally:
                sweep.kill()
                for line in lines:
                    line.close()


def test_ctrl_c_ends_the_runs_and_keeps_what_is_finished(tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    with stuck(tmp_path, out) as (sweep, lines):
        os.killpg(sweep.pid, signal.SIGINT)  # as a terminal does it
        told, complaint = sweep.communicate(timeout=PATIENCE_SECONDS)
        assert [line.recv(1) for line in lines] == [b"", b""]  # they are no more
    assert (sweep.returncode, told, complaint.count("\n")) == (130, "", 1)
    for named in ("1 of 3", str(out)):
        assert named in complaint
    assert pl.read_csv(out)["nodes"].to_list() == [2]


def test_the_runs_end_with_whoever_began_them(tmp_path: Path) -> None:
    with stuck(tmp_path, tmp_path / "table.csv") as (sweep, lines):
        sweep.kill()
        assert [line.recv(1) for line in lines] == [b"", b""]
    assert not (tmp_path / "table.csv").exists()
