"""The file of a fleet's store: whose it is, and one line for what is wrong."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests import TOP
from tests.transports.fleet.storing import begun, done, key, opened, spec
from transports.fleet.jobs import Jobs
from transports.fleet.store import Store
from transports.process.sealedfile import StoreError
from transports.process.store import SqliteStore

# -- what is no store of a fleet -----------------------------------------------------------


def refused(path: Path, line: str) -> None:
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=rf"^{re.escape(str(path))}:? {line}$"):
        Store(path)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize("text", ["x", "a text\n" * 1000])
def test_a_text_file(path: Path, text: str) -> None:
    path.write_text(text)
    refused(path, "is no store")


def test_a_folder(path: Path) -> None:
    path.mkdir()
    refused(path, "is a directory, not a store")


def test_a_folder_that_is_not_there(path: Path) -> None:
    refused(path / "below", "cannot be opened or made; is its folder there, and writable[?]")


def test_a_database_of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE jobs (name TEXT)")
    database.close()
    refused(path, "is a database of another program")


def test_the_store_of_one_job_and_the_other_way_round(path: Path, tmp_path: Path) -> None:
    SqliteStore(path, {"job": "plugins.primes"}).close()
    refused(path, "is the store of one job, as 'host --store' makes it")
    Store(other := tmp_path / "other.store").close()
    with pytest.raises(StoreError, match=rf"^{other} is the store of a fleet, as 'serve --store'"):
        SqliteStore(other, {"job": "plugins.primes"})


def test_another_version(path: Path) -> None:
    Store(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 9")
    database.close()
    refused(path, "is a store of version 9, this program knows version 2")


def test_a_file_that_may_not_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(path).close()
    path.chmod(0o444)
    if os.access(path, os.W_OK):  # as root may write it all the same
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    refused(path, "may not be written")


def test_one_process_at_a_time(store: Store) -> None:
    script = (
        "import sys, pathlib\n"
        "from transports.fleet.store import Store, StoreError\n"
        "try:\n"
        "    Store(pathlib.Path(sys.argv[1]))\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    run = [sys.executable, "-c", script, str(store.path)]
    done = subprocess.run(run, cwd=TOP, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == f"{store.path}: another process has it open\n"
    store.close()
    done = subprocess.run(run, cwd=TOP, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == ""


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM fleet WHERE name = 'id'",
        "UPDATE fleet SET value = 'no' WHERE name = 'last'",
        "UPDATE jobs SET number = number + 1",
        "UPDATE jobs SET job = 'no'",
    ],
)
def test_a_row_that_is_another_one_is_damage(path: Path, change: str) -> None:
    store, jobs = opened(path)
    jobs.submit(key(0), spec())
    store.close()
    with sqlite3.connect(path) as database:
        database.execute(change)
    database.close()
    assert _problem(path).startswith(f"{path} is damaged: ")


def test_no_bit_changes_unnoticed(path: Path) -> None:
    store, jobs = opened(path)
    for i in range(20):
        jobs.submit(key(i), spec(b"input %d" % i * 100))
    for i in range(10):
        jobs.end(job := begun(jobs), done(job, b"output %d" % i * 100))
    rows = jobs.rows()
    store.close()
    content, random = path.read_bytes(), Random(1)
    noticed = 0
    for _ in range(200):
        flipped = bytearray(content)
        flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
        path.write_bytes(flipped)
        problem = _problem(path, rows)
        assert "\n" not in problem
        noticed += bool(problem)
        for name in ("-wal", "-shm", "-journal"):
            if os.path.exists(f"{path}{name}"):
                os.remove(f"{path}{name}")
    assert noticed > 20  # the others are where nothing is stored


def _problem(path: Path, rows: list[dict[str, object]] | None = None) -> str:
    """What is wrong with it; else it has these rows."""
    try:
        store = Store(path)
        try:
            jobs = Jobs(store=store)
        finally:
            store.close()
    except StoreError as error:
        return str(error)
    assert rows is None or jobs.rows() == rows
    return ""
