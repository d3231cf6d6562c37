"""The blobs of a process: what is there, and how much room there is."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.transports.values.samples import LARGE, SHA
from transports.values import blobs
from transports.values.blobs import Blobs
from transports.values.files import NoRoom, stored
from transports.values.handles import KEY


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
