"""The file below a store: whose it is, and one line for what is wrong."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from core import Computation
from core.messages import Value
from core.sessions.digest import digest
from tests import TOP
from tests.transports.process.storing import JOB, finished, lived
from transports.process.keys import Keys
from transports.process.store import SqliteStore, StoreError

pytestmark = pytest.mark.usefixtures("compacts_often")


def refused(path: Path, line: str) -> None:
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=rf"^{re.escape(str(path))}:? {line}$"):
        SqliteStore(path, JOB)
    assert (path.read_bytes() if path.is_file() else None) == before


# -- whose it is ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"job": "other"}, "its job is 'plugins.primes', not 'other'"),
        ({"partitions": 10}, "its partitions is 9, not 10"),
        ({"input": [0, 2]}, r"its input is \[0, 1.5\], not \[0, 2\]"),
        ({"more": 1}, "its more is None, not 1"),
    ],
)
def test_another_job_is_refused_and_the_file_left_as_it_is(
    path: Path, change: dict[str, Value], line: str
) -> None:
    SqliteStore(path, JOB).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"^{path} belongs to another job: {line}$"):
        SqliteStore(path, {**JOB, **change})
    assert path.read_bytes() == before
    SqliteStore(path, JOB).close()


def test_the_keys_are_drawn_once_and_belong_to_no_job(path: Path, tmp_path: Path) -> None:
    kept = SqliteStore(path, JOB)
    keys = kept.keys
    assert len(keys.end) == len(keys.root) == 16
    assert keys.end != keys.root
    lived(kept, 3)
    kept.close()
    for job in (JOB, None):
        kept = SqliteStore(path, job)
        assert kept.keys == keys
        assert kept.job == JOB
        kept.close()
    other = SqliteStore(tmp_path / "other.store", JOB)
    assert not {other.keys.end, other.keys.root} & {keys.end, keys.root}
    other.close()


@pytest.mark.parametrize(
    "change", ["DELETE FROM keys WHERE name = 'end'", "UPDATE keys SET value = 'no'"]
)
def test_without_its_keys_a_store_is_damaged(path: Path, change: str) -> None:
    SqliteStore(path, JOB).close()
    with sqlite3.connect(path) as database:
        database.execute(change)
    database.close()
    refused(path, "is damaged: .*")


def test_one_process_at_a_time(path: Path) -> None:
    kept = SqliteStore(path, JOB)
    script = (
        "import sys, pathlib\n"
        "from transports.process.store import SqliteStore, StoreError, found\n"
        "for use in (found, SqliteStore):\n"
        "    try:\n"
        "        use(pathlib.Path(sys.argv[1]))\n"
        "    except StoreError as error:\n"
        "        print(error)\n"
    )
    run = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(run, cwd=TOP, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == f"{path}: another process has it open\n" * 2
    lived(kept, 3)
    kept.close()
    done = subprocess.run(run, cwd=TOP, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == ""


# -- what is no store ----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["x", "a text\n" * 1000])
def test_a_text_file(path: Path, text: str) -> None:
    path.write_text(text)
    refused(path, "is no store")


def test_a_directory(path: Path) -> None:
    path.mkdir()
    refused(path, "is a directory, not a store")


def test_a_folder_that_is_not_there(path: Path) -> None:
    refused(path / "below", "cannot be opened or made; is its folder there, and writable[?]")


def test_a_folder_that_may_not_be_written() -> None:
    refused(Path("/proc/file.store"), "cannot be opened or made; .*")


def test_a_database_of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE job (name TEXT)")
    database.close()
    refused(path, "is a database of another program")


@pytest.mark.parametrize("version", [1, 7])
def test_another_version(path: Path, version: int) -> None:
    SqliteStore(path, JOB).close()
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {version}")
    database.close()
    refused(path, f"is a store of version {version}, this program knows version 4")


# -- damage --------------------------------------------------------------------------------


def problem(path: Path) -> str:
    try:
        kept = SqliteStore(path, JOB)
        try:
            kept.load(Computation)
        finally:
            kept.close()
    except StoreError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_one_line_or_harmless(path: Path, seed: int) -> None:
    kept = SqliteStore(path, JOB)
    lived(kept, 200, b"\x93" * 100)
    kept.close()
    random = Random(seed)
    content = bytearray(path.read_bytes())
    if seed % 2:
        del content[random.randrange(100, len(content)) :]
    else:
        start = random.randrange(100, len(content) - 2000)
        content[start : start + 2000] = random.randbytes(2000)
    path.write_bytes(content)
    line = problem(path)
    assert not line or (line.startswith(str(path)) and "\n" not in line)


def test_no_bit_changes_unnoticed(path: Path) -> None:
    kept = SqliteStore(path, JOB)
    state, stored = lived(kept, 3), dict[int, str]()
    for i in range(3, 40):
        state.apply(0.0, finished(i, b"out %d" % i))
        kept.append(state, 0.0, finished(i, b"out %d" % i))
        stored[state.seq] = digest(state.snapshot())
    keys = kept.keys
    kept.close()
    content, random, told = path.read_bytes(), Random(1), list[str]()
    for _ in range(400):
        flipped = bytearray(content)
        flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
        path.write_bytes(flipped)
        told.append(problem(path) or _as_stored(path, stored, keys))
    assert all("\n" not in line for line in told)
    assert sum(map(bool, told)) > 30  # the others are where nothing is stored


def _as_stored(path: Path, stored: dict[int, str], keys: Keys) -> str:
    kept = SqliteStore(path, JOB)
    (found,) = kept.load(Computation)
    kept.close()
    assert stored[found.seq] == digest(found.snapshot())
    assert kept.keys == keys
    return ""
