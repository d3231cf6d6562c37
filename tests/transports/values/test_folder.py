"""The folder of a process's blobs: whose it is, and when it goes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import TOP
from tests.transports.values.samples import LARGE, files
from transports.values.blobs import Blobs
from transports.values.files import BlobError, Draft, stored


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
