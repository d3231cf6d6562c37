"""What cannot become a trace is told in one line, and leaves no folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sim import World
from sim.__main__ import main


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the one line says."""
    assert main(["--nodes", "5", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("what", ["a folder", "a file"])
def test_what_is_there_is_kept(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there"
    kept = there / "kept" if what == "a folder" else there
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("of use")
    assert "there already" in refused(capsys, "--trace", str(there))
    assert kept.read_text() == "of use"
    assert [path for path in there.parent.rglob("*") if path.is_file()] == [kept]


def test_a_trace_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace"
    World(nodes=20, trace=trace).run()
    before = {path: path.read_bytes() for path in trace.iterdir()}
    assert str(trace) in refused(capsys, "--trace", str(trace))
    assert {path: path.read_bytes() for path in trace.iterdir()} == before


@pytest.mark.parametrize("name", ["missing/trace", "file/trace", "x" * 300, "/proc/trace", "", "."])
def test_what_cannot_be_made_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("of use")
    monkeypatch.chdir(tmp_path)
    said = refused(capsys, "--trace", name)
    assert (name or "--trace") in said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("name", ["", "trace"])
def test_what_must_not_be_written_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    assert "Permission denied" in refused(capsys, "--trace", str(folder / name))


@pytest.mark.parametrize("sample", ["0", "-1", "2.5", "few", "nan", ""])
def test_a_wrong_sample_is_named(
    sample: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "--trace", str(tmp_path / "trace"), f"--sample={sample}")
    assert "--sample" in said
    assert list(tmp_path.iterdir()) == []


def test_a_sample_of_no_trace_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--trace" in refused(capsys, "--sample", "3")


@pytest.mark.parametrize("sample", [0, -1, 1.5, None])
def test_a_world_names_a_wrong_sample(sample: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^sample must be a whole number"):
        World(nodes=5, trace=tmp_path / "trace", sample=sample)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [["--job", "no.such.job"], ["--follow", "6"], ["--faults", "none"], ["--latency", "soon"]],
    ids=" ".join,
)
def test_a_run_that_does_not_begin_leaves_no_folder(
    wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or the corrected command would find it there."""
    refused(capsys, "--trace", str(tmp_path / "trace"), *wrong)
    assert list(tmp_path.iterdir()) == []


def test_faults_that_are_none_leave_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="faults"):
        World(nodes=5, trace=tmp_path / "trace", faults=[1])  # type: ignore[list-item]
    assert list(tmp_path.iterdir()) == []
