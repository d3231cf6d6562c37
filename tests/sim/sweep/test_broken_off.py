"""A sweep that is broken off ends its runs and keeps what is finished."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from tests import TOP
from tests.sim.sweep.sweeps import written

PATIENCE_SECONDS = 30.0
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
