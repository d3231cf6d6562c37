"""What cannot be written ends nothing; what a job writes is no answer; what ends a command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import TOP
from tests.processes import HEARING, children, until

SIM = ("sim", "--nodes", "5")
TCP = ("transports.tcp", "--nodes", "1", "--partitions", "5", "--processes", "1")  # no piece twice
SEARCH = ("sim.search", "--seeds", "1", "--jobs", "1")
PATIENCE_SECONDS = 60
WRITING = """
import os, subprocess, sys

def prepare(input, sizes):
    return [1] * len(sizes)

def compute(input, index):
    print("x" * 100_000)
    print("y" * 1000, file=sys.stderr)
    os.system("echo started")
    for descriptor in (1, 2):
        try:
            os.write(descriptor, b"raw\\n")
        except OSError:
            pass
    return 1

def collect(outputs):
    return sum(outputs)
"""
FILES = """
import atexit, os
out = open("out.txt", "a")
nested = {"file": open("nested.txt", "a")}
atexit.register(lambda: open("end.txt", "a").write("end"))

def prepare(input, sizes):
    return [1] * len(sizes)

def compute(input, index):
    print(index, file=out)
    print(index, file=nested["file"])
    return 1

def collect(outputs):
    return sum(outputs)
"""


@pytest.fixture
def job(tmp_path: Path) -> str:
    path = tmp_path / "job.py"
    path.write_text(WRITING)
    return str(path)


def shell(line: str, *words: str, cwd: Path = TOP) -> subprocess.CompletedProcess[str]:
    """That line of bash, in which "$@" is a command of ours."""
    command = ["bash", "-c", line, "bash", sys.executable, "-m", *words]
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False,
        timeout=PATIENCE_SECONDS,
    )  # fmt: skip


@pytest.mark.parametrize("command", [SIM, TCP], ids=lambda command: command[0])
@pytest.mark.parametrize(
    "line",
    ['"$@" 2>&-', '"$@" 2>/dev/full', '"$@" 2> >(true)', '"$@" <&-', '"$@" <&- 2>&-'],
)
def test_a_standard_error_that_takes_nothing_costs_nothing(
    job: str, line: str, command: tuple[str, ...]
) -> None:
    done = shell(line, *command, "--job", job, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["result"] == 5  # and nothing else


@pytest.mark.parametrize("command", [SIM, TCP, SEARCH], ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ('"$@" >/dev/full', 1, "No space left on device"),
        ('"$@" | true; exit ${PIPESTATUS[0]}', 141, ""),
        ('"$@" >/dev/full 2>/dev/full', 1, ""),
    ],
)
def test_an_answer_that_nobody_takes_is_told(
    line: str, code: int, told: str, command: tuple[str, ...]
) -> None:
    done = shell(line, *command)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert told in done.stderr


def test_who_follows_a_node_does_so_to_the_end_of_the_run() -> None:
    done = shell('"$@" >/dev/full', *SIM, "--follow", "3")
    assert done.returncode == 1
    assert done.stderr == "python -m sim: the result cannot be written: No space left on device\n"


@pytest.mark.parametrize("command", [SIM, TCP], ids=lambda command: command[0])
def test_what_a_job_writes_is_no_answer(job: str, command: tuple[str, ...]) -> None:
    done = shell('"$@"', *command, "--job", job)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].split() == ["result", "5"]
    assert not {"started", "raw"} & {*done.stdout.splitlines()}
    assert len(done.stdout) < 5000
    assert done.stderr.count("started") == done.stderr.count("raw") / 2 == 5


@pytest.mark.parametrize("command", [SIM, TCP], ids=lambda command: command[0])
def test_what_a_job_has_not_flushed_is_written_at_the_end(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "job.py").write_text(FILES)
    done = shell('"$@"', *command, "--job", "job.py", cwd=tmp_path)
    assert done.returncode == 0
    for name in ("out.txt", "nested.txt"):
        assert sorted((tmp_path / name).read_text().split()) == ["0", "1", "2", "3", "4"]
    assert "end" in (tmp_path / "end.txt").read_text()


INTERRUPTING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # who began the tests may ignore it

class Finder:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""


def interrupted(folder: Path, module: str, *words: str) -> tuple[str, int]:
    """What a command says that is interrupted when it is to load `module`, and how it ends."""
    (folder / "sitecustomize.py").write_text(INTERRUPTING.replace("{module!r}", repr(module)))
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=TOP, env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    return done.stderr, done.returncode


@pytest.mark.parametrize("name", ["sim", "sim.report", "sim.search", "sim.sweep", "transports.tcp"])
def test_ctrl_c_before_options_are_read_is_a_word(tmp_path: Path, name: str) -> None:
    assert interrupted(tmp_path, "argparse", name) == ("interrupted\n", -signal.SIGINT)


@pytest.mark.parametrize(
    ("words", "module", "told"),
    [
        (("sim",), "core", "interrupted before the run began"),
        (("sim.report", "folder"), "polars", "interrupted, nothing was written"),
        (("sim.search",), "core", "interrupted"),
        (("sim.sweep", "--out", "{folder}/out.csv"), "core", "interrupted before the first run"),
        (("transports.tcp",), "core", "interrupted"),
        (("transports.tcp", "status", "127.0.0.1:1"), "trio", "interrupted"),
    ],
)
def test_ctrl_c_while_what_runs_is_loaded_is_a_word(
    tmp_path: Path, words: tuple[str, ...], module: str, told: str
) -> None:
    words = tuple(word.replace("{folder}", str(tmp_path)) for word in words)
    assert interrupted(tmp_path, module, *words) == (f"python -m {words[0]}: {told}\n", 130)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    ("words", "begun"),
    [
        (("sim", "--nodes", "3", "--job", "{job}"), "begun"),
        (("sim.search", "--seeds", "100000", "--jobs", "1"), ""),
        (("transports.tcp", "host", "--listen", "127.0.0.1:0"), "host at"),
        (("transports.tcp", "join", "127.0.0.1:1", "--patience", "100"), "trying"),
    ],
    ids=["sim", "search", "host", "join"],
)
def test_what_ends_jobs_elsewhere_ends_ours(
    tmp_path: Path, words: tuple[str, ...], begun: str, number: signal.Signals
) -> None:
    job = tmp_path / "job.py"
    job.write_text(f"{WRITING}\nimport time\nprint('begun', flush=True)\ntime.sleep(1000)\n")
    own = ["-m", *(word.replace("{job}", str(job)) for word in words)]
    command = [*HEARING, sys.executable, *own]
    with subprocess.Popen(
        command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            if begun:
                assert any(begun in line for line in iter(process.stdout.readline, ""))
            else:  # it tells nothing before the end
                until(lambda: children(process.pid))
            process.send_signal(number)
            assert "Traceback" not in process.stdout.read()
            assert process.wait(PATIENCE_SECONDS) == 130
        finally:
            process.kill()


@pytest.mark.parametrize("command", [SIM, TCP], ids=lambda command: command[0])
@pytest.mark.parametrize("name", ["core.py", "plugins/__init__.py"])
def test_what_is_called_like_ours_where_it_is_started_is_in_nobodys_way(
    tmp_path: Path, name: str, command: tuple[str, ...]
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "job.py").write_text(WRITING)
    done = shell('"$@"', *command, "--job", "job.py", cwd=tmp_path)
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["result", "5"])
