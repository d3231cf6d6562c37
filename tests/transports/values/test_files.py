"""Large values become files and come back; a file has its name when its content was checked."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests import TOP
from tests.transports.values.samples import LARGE, SHA, files
from tests.wired import wired
from transports.values.files import BlobError, BlobMissing, Draft, loaded, stored
from transports.values.handles import KEY, LARGE_BYTES, handle, is_handle


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
