"""A run that is broken off leaves a trace of what was known by then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from plugins import tracing
from plugins.tracing import measures
from plugins.tracing.schema import TABLES
from plugins.tracing.writing import Writer
from sim.__main__ import main
from tests import TOP
from tests.processes import HEARING
from tests.sim.running import written

DEADLINE_SECONDS = 60.0  # of a slow machine
SLEEPY = """
import time
def prepare(input, sizes): return [None] * len(sizes)
def compute(input, index):
    time.sleep(0.02)
    return 1
def collect(outputs): return sum(outputs)
"""
INTERRUPTED = """
import signal
def prepare(input, sizes): return [None] * len(sizes)
def compute(input, index):
    if index == 7:
        signal.default_int_handler(signal.SIGINT, None)
    return 1
def collect(outputs): return sum(outputs)
"""
REMOVING = """
import shutil
def prepare(input, sizes): return [input] * len(sizes)
def compute(input, index):
    shutil.rmtree(input, ignore_errors=True)
    return 1
def collect(outputs): return sum(outputs)
"""


# -- interrupted ---------------------------------------------------------------------------


def test_a_trace_that_can_no_longer_be_written_ends_the_run_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace"
    job = written(tmp_path, REMOVING)
    code = main(["--nodes", "9", "--job", job, "--input", str(trace), "--trace", str(trace)])
    out, err = capsys.readouterr()
    assert code == 1
    assert out.startswith("result            9\n")  # the run is not lost
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert str(trace) in err


def test_an_interrupted_run_leaves_what_was_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ctrl_c: None
) -> None:
    job = written(tmp_path, INTERRUPTED)
    trace = tmp_path / "trace"
    assert main(["--nodes", "20", "--job", job, "--trace", str(trace)]) == 130
    assert capsys.readouterr().err.count("\n") == 1
    found = tracing.read(trace)
    assert found.run.summary is None
    assert 0 < found.partitions()["finished"].count() < 20
    assert found.traffic["messages"].sum() > 20


@pytest.mark.parametrize("piece", [1, 2])
def test_an_interruption_waits_for_the_piece_that_is_being_written(
    piece: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    ctrl_c: None,
) -> None:
    write = pl.DataFrame.write_parquet

    def interrupted(table: pl.DataFrame, path: Path, **named: Any) -> None:
        if path.name == f"events-sim-{piece:06}.parquet.part":
            os.kill(os.getpid(), signal.SIGINT)
        write(table, path, **named)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", interrupted)
    monkeypatch.setattr(Writer, "is_due", lambda writer: len(writer.events) > 500)
    trace = tmp_path / "trace"
    command = ["--nodes", "50", "--partitions", "500", "--delay", "exponential:1"]
    assert main([*command, "--trace", str(trace)]) == 130
    assert {path.suffix for path in trace.iterdir()} == {".parquet", ".json"}
    accepted = tracing.read(trace).partitions()["accepted"].count()
    assert f"{accepted} of 500 partitions were accepted" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whatever_ends_a_run_its_trace_is_complete_up_to_then(
    number: signal.Signals, tmp_path: Path
) -> None:
    job, trace = written(tmp_path, SLEEPY), tmp_path / "trace"
    words = ["-m", "sim", "--job", job, "--nodes", "3000", "--trace", str(trace)]
    command = [*HEARING, sys.executable, *words]
    with subprocess.Popen(command, cwd=TOP, stderr=subprocess.PIPE, text=True) as run:
        try:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while not any(trace.glob("events-*")):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            run.send_signal(number)
            assert run.stderr is not None
            told = run.stderr.read()
            assert run.wait(DEADLINE_SECONDS) == 130
        finally:
            run.kill()
    assert {path.suffix for path in trace.iterdir()} == {".parquet", ".json"}
    accepted = tracing.read(trace).partitions()["accepted"].count()
    assert f"{accepted:,} of 3,000 partitions were accepted" in told


# -- killed --------------------------------------------------------------------------------


@contextmanager
def killed(folder: Path, wanted: str, *arguments: str) -> Iterator[Path]:
    """A real run that ends by SIGKILL as soon as there are files called `wanted`."""
    trace = folder / "trace"
    job = written(folder, SLEEPY)
    command = [sys.executable, "-m", "sim", "--job", job, "--trace", str(trace), *arguments]
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.DEVNULL) as run:
        try:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while not any(trace.glob(wanted)):
                assert run.poll() is None, "it ended before"
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            run.kill()
    yield trace


def test_a_killed_run_leaves_all_pieces_whole(tmp_path: Path) -> None:
    sizes = ("--nodes", "3000", "--partitions", "9000", "--delay", "exponential:5")
    with killed(tmp_path, "events-*-000002.parquet", *sizes) as trace:
        found = tracing.read(trace)
        assert found.run.summary is None
        assert found.run.nodes == 3000
        for table in TABLES:
            assert len(found._table(table)) > 0
        assert 0 < len(found.of("arrived")) <= 3001
        assert 0 < found.partitions()["accepted"].count() < 9000
        assert measures.totals(found)["finished_seconds"] is None
        last = found.timeline().row(-1, named=True)
        assert last["accepted"] == found.partitions()["accepted"].count()
        assert set(found.tree()["state"]) > {"forming"}

        page = tmp_path / "page.html"
        command = [sys.executable, "-W", "error", "-m", "sim.report", trace, "--out", page]
        subprocess.run(command, cwd=TOP, check=True, capture_output=True)
        assert "broken off" in page.read_text()


def test_a_run_that_is_killed_at_once_leaves_a_trace(tmp_path: Path) -> None:
    with killed(tmp_path, "trace.json", "--nodes", "20000") as trace:
        assert tracing.read(trace).run.summary is None
        assert tracing.read(trace).run.nodes == 20000
