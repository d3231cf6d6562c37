"""Disks that are full, and have room again: no job fails by that, and nobody is blamed.

Each disk is in memory, and is seen by one process and those that it starts alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests import TOP
from tests.processes import free_port
from tests.running import Program, Programs
from tests.transports.living import Pieces, life
from transports.process.process import Process
from transports.values import content
from transports.values.files import Draft, NoRoom, stored

ROOM = "64m"
RESULT = 20
# Each piece is 100 KB; the last one waits until it is told to go on.
LARGE = """
import pathlib, time

def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    wait = {18: "begin", 19: "go"}.get(index)
    while wait and input and not pathlib.Path(input).with_name(wait).exists():
        time.sleep(0.01)
    return bytes([index]) * 100_000

def collect(outputs):
    assert all(output == output[:1] * 100_000 for output in outputs)
    return len(outputs)
"""
# Nobody begins before the one whose temporary folder is the disk: it is given a piece for sure.
LEFT_TO_IT = """
import os, pathlib, time

def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    disk, begun = map(pathlib.Path, input)
    if os.environ.get("TMPDIR") == str(disk):
        begun.touch()
    while not begun.exists():
        time.sleep(0.01)
    return bytes([index]) * 100_000

def collect(outputs):
    return len(outputs)
"""
FILLING = """
import contextlib, tempfile
from transports.work.starting import start

with open(tempfile.gettempdir() + "/filling", "wb", buffering=0) as file:
    with contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
started = start()
started.page[0] = 1  # by which a process is killed where there is no room for it
started.end()
print("lives")
"""
SHAPE = ("--partitions", RESULT, "--fanout", RESULT)


def mounted(folder: Path, size: str, then: str = 'exec "$@"') -> tuple[str, ...]:
    """What a command is started with, so that it has a disk of that size at `folder`."""
    line = f"mount -t tmpfs -o size={size} tmpfs {folder}; {then}"
    return "unshare", "--mount", "sh", "-ec", line, "sh"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Where one can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run([*mounted(folder, "1m"), "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {getattr(error, 'stderr', None) or error}")
    return folder


def enlarge(program: Program, disk: Path) -> None:
    """Give its disk room."""
    subprocess.run([*beside(program), "mount", "-o", f"remount,size={ROOM}", disk], check=True)


def fill(program: Program, disk: Path) -> None:
    """Take what its disk leaves free."""
    filling = f"cat /dev/zero > {disk / 'filling'} 2>/dev/null || true"
    subprocess.run([*beside(program), "sh", "-c", filling], check=True)


def beside(program: Program) -> list[str]:
    """How a command is started that sees the same disk."""
    return ["nsenter", "--mount", "--target", str(program.process.pid)]


def test_a_store_that_is_full_ends_nothing_and_has_all_when_there_is_room(
    run: Programs, disk: Path
) -> None:
    go, job = run.folder / "go", run.job(LARGE)
    bots = ("--bots", "plugins.bots_local", "--nodes", 4, "--processes", 2)
    what = ("--job", job, "--input", json.dumps(str(go)), *SHAPE, *bots)
    where, store = f"127.0.0.1:{free_port()}", ("--store", disk / "store")
    host = run.host(*what, *store, listen=where, prefix=mounted(disk, "600k"))
    host.says(" no_room ")
    fill(host, disk)  # the values of others leave some of it free
    go.with_name("begin").touch()
    host.says("the job goes on, and it is tried again")
    enlarge(host, disk)
    host.says("it can be written again, and has all that was missing")
    go.touch()
    assert host.report()["result"] == RESULT
    assert host.stderr.count(" no_room ") == 1


def test_a_store_that_stays_full_costs_no_result_and_nothing_later(
    run: Programs, disk: Path
) -> None:
    """The same command goes on when there is room."""
    again = (
        f'"$@" || echo "ended with $?" >&2; mount -o remount,size={ROOM} {disk}; "$@"; exec "$@"'
    )
    what = ("--job", run.job(LARGE), *SHAPE, "--nodes", 4, "--store", disk / "store", "--json")
    done = run.start(*what, prefix=mounted(disk, "600k", again)).ended()
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert [found["result"] for found in (first, second, third)] == [RESULT] * 3
    assert [found["lost_processes"] for found in (first, second, third)] == [0] * 3
    assert (second["resumed"], third["resumed"]) == (True, True)
    before, ended, _ = done.stderr.partition("ended with 1\n")
    last = before.splitlines()[-1]
    assert ended
    assert last.startswith(f"python -m transports.tcp: {disk / 'store'} is not complete: ")


def test_who_has_no_room_for_outputs_fails_no_job(run: Programs, disk: Path) -> None:
    """What it cannot do others do; it says so once, and is still there at the end."""
    input = json.dumps([str(disk), str(run.folder / "begun")])
    what = ("--job", run.job(LEFT_TO_IT), "--input", input, *SHAPE, "--wait-nodes", 4)
    host = run.host(*what)
    allow = ("--allow", run.folder / "job.py")
    full = run.join(
        *(host, "--nodes", 1, *allow), prefix=mounted(disk, "60k"), env={"TMPDIR": str(disk)}
    )
    good = run.join(host, "--nodes", 3, *allow)
    found = host.report()
    assert (found["result"], found["failure"], found["lost_processes"]) == (RESULT, None, 0)
    for join in (full, good):
        join.ended()
    assert full.stderr.count(" no_room ") == 1


def test_a_computing_process_is_started_whatever_is_full(disk: Path) -> None:
    command = [*mounted(disk, "60k"), sys.executable, "-c", FILLING]
    environment = {**os.environ, "TMPDIR": str(disk)}
    done = subprocess.run(
        command, cwd=TOP, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "lives\n", done.stderr


async def test_what_does_not_fit_into_memory_either_is_asked_for_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who brings it is not cut, and what it says counts as soon as there is room."""
    partitions = 6

    def full(folder: Path) -> Draft:
        if folder == lived.host.blobs.folder:
            raise NoRoom("full")
        return Draft(folder)

    async with life(tmp_path, partitions, partitions) as lived:
        lived.host.blobs.memory_left = 0
        peers = {*lived.host.connections.peers}
        with monkeypatch.context() as now:
            now.setattr(content, "Draft", full)
            for process, pieces in zip(lived.processes.values(), lived.pieces, strict=True):
                finish(process, pieces)
            await trio.sleep(300)
            slots = lived.host.host.reflectors["0"].model.slots
            assert slots.remaining == partitions
            assert {*lived.host.connections.peers} == peers
        await trio.sleep(60)
        assert slots.remaining == 0
        assert lived.host.offences == 0
    assert [record.getMessage() for record in caplog.records if " reason=" in record.message] == [
        "no_room reason=full"
    ]


def finish(process: Process, pieces: Pieces) -> None:
    """All that it was told to compute, with large outputs."""
    while pieces.waiting:
        worker, command = pieces.waiting.popleft()
        outputs = [stored(process.blobs.folder, bytes([slot]) * 5000) for slot in command.slots]
        pieces.post(worker.computed, command.session, command.slots, outputs, 1.0)
