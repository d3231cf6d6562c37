"""What a job is, said by another process: whatever it does when it is loaded ends nothing here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import trio

from plugins.jobs.loading import JobError
from transports.work import describing, jobs
from transports.work.describing import described
from transports.work.starting import start

FUNCTIONS = """
def prepare(input, sizes):
    return [input for _ in sizes]

{}def compute(input, index):
    return index

def collect(outputs):
    return outputs
"""


def written(folder: Path, beginning: str = "", asynchronous: bool = False) -> str:
    path = folder / "job.py"
    path.write_text(beginning + FUNCTIONS.format("async " if asynchronous else ""))
    return str(path)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_it_is_what_this_process_would_have_found(tmp_path: Path, asynchronous: bool) -> None:
    (tmp_path / "beside.py").write_text("x = 1\n")
    path = written(tmp_path, "import beside\n", asynchronous)
    found = await described(path, {}, [path.rpartition("/")[2], jobs.ANY], [])
    own = jobs.own(path, {})
    assert (found.name, found.parts, found.fingerprint) == (path, {}, own.fingerprint)
    assert found.asynchronous == asynchronous
    assert (found.job is None) == (not asynchronous)


async def test_a_helper_that_is_another_one_by_now_is_loaded_anew(tmp_path: Path) -> None:
    path = written(tmp_path, "import beside_it\nvalue = beside_it.value\n", asynchronous=True)
    for value in (1, 22):
        (tmp_path / "beside_it.py").write_text(f"value = {value}\n")
        found = await described(path, {}, [jobs.ANY], [])
        assert found.job is not None
        assert found.job.compute.__globals__["value"] == value  # type: ignore[attr-defined]
        assert "beside_it" not in sys.modules


async def test_one_that_was_started_ahead_is_asked(tmp_path: Path) -> None:
    reserve = [start()]
    process = reserve[0].process
    assert (await described("plugins.demo", {}, [], reserve)).name == "plugins.demo"
    assert reserve == []
    assert process.poll() is not None


@pytest.mark.parametrize(
    ("beginning", "why"),
    [
        ("import os\nos._exit(3)\n", "ends the process that loads it"),
        ("1 / 0\n", "it raises ZeroDivisionError"),
        ("def prepare", "cannot be imported"),
    ],
)
async def test_what_does_not_load_is_said_in_a_line(
    tmp_path: Path, beginning: str, why: str
) -> None:
    with pytest.raises(JobError, match=why):
        await described(written(tmp_path, beginning), {}, [jobs.ANY], [])


async def test_what_is_not_allowed_is_not_loaded(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    path = written(tmp_path, f"open({str(mark)!r}, 'w').close()\n")
    with pytest.raises(JobError, match="is not allowed here"):
        await described("job.py", {}, [], [])
    with pytest.raises(JobError, match="is not allowed here"):
        await described(path, {}, [path], [])  # over the wire it is called by its own name
    assert not mark.exists()
    assert (await described("job.py", {}, [path], [])).name == path
    assert mark.exists()


async def test_what_takes_too_long_to_load_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describing, "LOADING_SECONDS", 0.5)
    reserve = [start()]
    process = reserve[0].process
    with trio.fail_after(30), pytest.raises(JobError, match=r"more than 0\.5 s to load"):
        await described(
            written(tmp_path, "import time\ntime.sleep(3600)\n"), {}, [jobs.ANY], reserve
        )
    assert process.poll() is not None
