"""Blobs: large values become files and come back, and nothing else is taken for one."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from core import messages as m
from tests import TOP
from tests.wired import wired
from transports.values import blobs
from transports.values.blobs import Blobs
from transports.values.files import BlobError, BlobMissing, Draft, NoRoom, loaded, stored
from transports.values.handles import (
    BLOB_BYTES_MAX,
    KEY,
    LARGE_BYTES,
    among,
    handle,
    handles,
    is_handle,
)

SHA = "0123456789abcdef" * 4
LARGE = {"numbers": list(range(3000)), "bytes": b"\0\xff", "none": None}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- handles -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        SHA,
        [KEY, SHA],
        {},
        {KEY: SHA},
        {"blob": SHA, "size": 5000},
        {KEY: SHA, "size": 5000, "more": 0},
        {KEY: SHA, "size": 0},
        {KEY: SHA, "size": BLOB_BYTES_MAX + 1},
        {KEY: SHA, "size": True},
        {KEY: SHA, "size": "5000"},
        {KEY: SHA[1:], "size": 5000},
        {KEY: SHA.upper(), "size": 5000},
        {KEY: SHA + "\n", "size": 5000},
        {KEY: "../" + SHA[3:], "size": 5000},
        {KEY: SHA.encode(), "size": 5000},
    ],
)
def test_what_only_resembles_a_handle_is_a_value(tmp_path: Path, value: Any) -> None:
    assert not is_handle(value)
    assert among([value]) == []
    assert loaded(tmp_path, value) == value


def test_the_handles_of_each_message() -> None:
    one, other = handle(SHA, 5000), handle(SHA[::-1], BLOB_BYTES_MAX)
    assert is_handle(one)
    assert is_handle(other)
    assert handles(m.Given(one)) == [one]
    assert handles(m.Prepared([1, one, {"a": 1}, other])) == [one, other]
    assert handles(m.Finished(1, (0, 1), [other, None], 0.5)) == [other]
    assert handles(m.Ended(one, None)) == [one]
    assert handles(m.Compute("0", 0, (0, 1), (one, 2))) == [one]
    assert handles(m.Left(1)) == []
    assert handles(m.Given([one])) == []  # whole values only


def test_looking_for_handles_costs_little() -> None:
    message = m.Finished(1, tuple(range(100)), list(range(100)), 0.5)
    began = time.process_time()
    for _ in range(1000):
        handles(message)
    assert time.process_time() - began < 0.05  # 3 us each, where nothing else runs


# -- values --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 5, "é", [1, (2,)], {"a": b"b"}, b"x" * (LARGE_BYTES - 3)])
def test_a_small_value_stays_what_it_would_be_elsewhere(tmp_path: Path, value: Any) -> None:
    assert stored(tmp_path, value) == wired(value)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "value",
    [
        LARGE,
        "é" * 2000,
        b"x" * (LARGE_BYTES - 2),
        b"x" * LARGE_BYTES,
        b"x" * (LARGE_BYTES + 1),
        bytearray(2**16 - 1),
        b"x" * 2**16,
    ],
    ids=lambda value: f"{type(value).__name__} {len(value)}",
)
def test_a_large_value_becomes_a_file_and_comes_back(tmp_path: Path, value: Any) -> None:
    content = msgspec.msgpack.encode(value)
    found = stored(tmp_path, value)
    assert found == handle(sha256(content).hexdigest(), len(content))
    assert files(tmp_path) == [found[KEY]]
    assert (tmp_path / found[KEY]).read_bytes() == content
    assert loaded(tmp_path, found) == value
    assert stored(tmp_path, value) == found


@pytest.mark.parametrize("value", [{KEY: SHA, "size": 5000}, {KEY: 1}])
def test_a_job_cannot_make_a_handle(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match=r"^not plain data: the key .* is not for jobs"):
        stored(tmp_path, value)


@pytest.mark.parametrize("value", [{1, 2}, {1: 2}, [object()], 2**64, [{1}] * 9999])
def test_what_is_not_plain_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match=r"^not plain data"):
        stored(tmp_path, value)
    assert files(tmp_path) == []


def test_there_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.values.files.BLOB_BYTES_MAX", 10_000)
    for value in (b"x" * 9_997, "x" * 9_997):
        assert is_handle(stored(tmp_path, value))
    for value in (b"x" * 9_998, "x" * 9_998, b"x" * 20_000):
        with pytest.raises(ValueError, match=r"^a value of \d+ bytes, above .* of 10000$"):
            stored(tmp_path, value)


def test_a_file_that_is_not_here_or_was_cut_short_is_missing(tmp_path: Path) -> None:
    found = stored(tmp_path, LARGE)
    path = tmp_path / found[KEY]
    os.truncate(path, found["size"] - 1)
    with pytest.raises(BlobMissing, match=f"^the blob {path.name[:16]} is not"):
        loaded(tmp_path, found)
    path.unlink()
    with pytest.raises(BlobMissing, match="is not in"):
        loaded(tmp_path, found)


def test_content_that_is_no_value_is_an_error(tmp_path: Path) -> None:
    (tmp_path / SHA).write_bytes(b"\xc1" * 5000)
    with pytest.raises(BlobError, match=r"^the blob 0123456789abcdef is no value"):
        loaded(tmp_path, handle(SHA, 5000))


def test_a_disk_without_room_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, before[1]))
    try:
        with pytest.raises(BlobError, match=r"^a blob does not fit into [^\n]*$"):
            stored(tmp_path, bytes(2**21))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(tmp_path) == []


MEMORY = """
import resource, sys
from pathlib import Path
from transports.values.files import loaded, stored

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

value = bytes(10**8)
value = value[:-1] + b"x"
before = peak()
found = stored(Path(sys.argv[1]), value)
print(peak() - before)
del value
before = peak()
assert len(loaded(Path(sys.argv[1]), found)) == 10**8
print(peak() - before)
"""


def test_a_hundred_megabytes_are_not_held_several_times(tmp_path: Path) -> None:
    run = [sys.executable, "-c", MEMORY, str(tmp_path)]
    done = subprocess.run(run, cwd=TOP, capture_output=True, text=True, timeout=60, check=True)
    storing, loading = map(int, done.stdout.split())
    assert storing < 50
    assert loading < 150  # the pages of the file count, too, while it is read


# -- drafts --------------------------------------------------------------------------------


def test_a_draft_has_its_name_only_when_its_content_was_checked(tmp_path: Path) -> None:
    content = os.urandom(3 * 2**20 + 1)
    sha = sha256(content).hexdigest()
    draft = Draft(tmp_path)
    draft.add(content[:100])
    draft.add(content[100:])
    assert [name[-5:] for name in files(tmp_path)] == [".part"]
    assert draft.keep(SHA) == sha
    assert files(tmp_path) != [sha]
    assert draft.keep(sha) == sha
    draft.drop()
    draft.drop()
    assert files(tmp_path) == [sha]
    assert (tmp_path / sha).read_bytes() == content


# -- folders -------------------------------------------------------------------------------


def test_what_is_in_a_folder(tmp_path: Path) -> None:
    with Blobs(tmp_path / "store.blobs") as mine:
        found = stored(mine.folder, LARGE)
        sha, size = found[KEY], found["size"]
        assert mine.has(sha)
        assert mine.size(sha) == size
        assert mine.read(sha, 10, 5) == mine.path(sha).read_bytes()[10:15]
        assert mine.read(sha, size - 1, 5) == mine.path(sha).read_bytes()[-1:]
        assert not mine.has(SHA)
        assert mine.size(SHA) is None
    assert mine.path(sha).exists()


@pytest.mark.parametrize(
    ("blocks", "free", "room"),
    [(1000, 1000, 950), (1000, 60, 10), (1000, 40, 0), (2**40, 2**35, 2**35 - 2**20)],
)
def test_what_others_bring_leaves_some_of_the_disk_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, free: int, room: int
) -> None:
    disk = SimpleNamespace(f_blocks=blocks, f_bavail=free, f_frsize=1024)
    monkeypatch.setattr(os, "statvfs", lambda folder: disk)
    with Blobs(tmp_path) as mine:
        assert mine.room_bytes() == room * 1024


@pytest.mark.parametrize("name", ["", "lock", "../" + SHA, SHA + "/", SHA[1:], SHA.upper()])
def test_no_path_is_made_of_anything_but_a_hash(tmp_path: Path, name: str) -> None:
    with Blobs(tmp_path) as mine, pytest.raises(ValueError, match="no name of a blob"):
        mine.path(name)


def test_a_blob_is_checked_and_goes_if_it_is_wrong(tmp_path: Path) -> None:
    with Blobs(tmp_path) as mine:
        sha = stored(tmp_path, LARGE)[KEY]
        assert mine.check(sha)
        os.truncate(mine.path(sha), 5)
        assert not mine.check(sha)
        assert not mine.has(sha)
        assert not mine.check(sha)


def test_a_folder_belongs_to_one_and_what_was_half_done_goes(tmp_path: Path) -> None:
    with Blobs(tmp_path):
        draft = Draft(tmp_path)
        line = f"^no folder for blobs at {re.escape(str(tmp_path))}: another process has it open$"
        with pytest.raises(BlobError, match=line):
            Blobs(tmp_path)
        assert [name[-5:] for name in files(tmp_path) if name != "lock"] == [".part"]
    with Blobs(tmp_path):
        assert files(tmp_path) == ["lock"]
    draft.drop()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BlobError, match=r"^no folder for blobs at .*file: File exists$"):
        Blobs(tmp_path / "file")


def test_a_temporary_folder_goes_with_all_that_is_in_it() -> None:
    mine = Blobs()
    assert mine.folder.parent == Path(tempfile.gettempdir())
    assert mine.folder.stat().st_mode & 0o777 == 0o700
    stored(mine.folder, LARGE)
    mine.close()
    assert not mine.folder.exists()


OWNER = """
import os, signal, sys
from transports.values.blobs import Blobs
mine = Blobs()
print(mine.folder, flush=True)
if sys.argv[1] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "asked":
    sys.stdin.read()
"""


def owner(how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OWNER, how]
    return subprocess.Popen(
        command, cwd=TOP, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def folder_of(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def test_only_the_folders_of_the_dead_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "million-nodes-mine").mkdir()
    (tmp_path / "million-nodes-file").write_text("")
    with owner("leaves") as left:
        gone = folder_of(left)
        left.wait(30)
    assert not gone.exists()
    with owner("asked") as living:
        alive = folder_of(living)  # it has looked for the dead itself by now
        with owner("killed") as killed:
            dead = folder_of(killed)
        assert dead.exists()
        with Blobs():
            assert alive.exists()
            assert not dead.exists()
        living.communicate("", 30)
    assert files(tmp_path) == ["million-nodes-file", "million-nodes-mine"]


def test_want_of_room_is_told_once_until_it_has_been_over_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small value may fit where a larger one does not, in turn and for long."""
    told: list[str] = []
    with Blobs(tmp_path / "folder") as here:
        here.on_trouble = told.append
        for _ in range(3):
            here.lacks(NoRoom("full"))
            assert here.settle()
        assert told == [here.trouble] == ["full"]
        monkeypatch.setattr(blobs, "QUIET_SECONDS", 0.0)
        assert here.settle()
        assert told == ["full", here.trouble] == ["full", ""]
