"""What is seen of a job without running any of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from transports.work.sources import files_of, missing, others


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where modules are found that end whoever imports them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("alone.py", "package/__init__.py", "package/inner.py", "spaced/inner.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("import os\nos._exit(9)")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["alone", "package", "package.inner", "spaced.inner", "plugins.primes", "os.path"]
)
def test_a_module_is_there_where_python_would_find_it(folder: Path, name: str) -> None:
    before = {*sys.modules}
    assert missing(name) == ""
    assert not {"alone", "package", "spaced"} & {*sys.modules} - before


@pytest.mark.parametrize("name", ["alon", "alone.inner", "package.other", "plugins.prime", "a.b"])
def test_what_is_not_there_is_said_so(folder: Path, name: str) -> None:
    assert missing(name) == f"there is no module {name!r} here"


def test_a_file_is_there_or_not(folder: Path) -> None:
    there, gone = str(folder / "alone.py"), str(folder / "gone.py")
    assert missing(there) == ""
    assert missing(gone) == f"there is no file {gone!r} here"
    assert missing(str(folder) + "/") != ""


def test_files_of_one_name_are_compared_however_their_lines_end(folder: Path) -> None:
    for name, text in (("one", b"a\nb"), ("two", b"a\r\nb"), ("three", b"a\nc")):
        (folder / name).mkdir()
        (folder / name / "job.py").write_bytes(text)
    mine = files_of([f"{folder}/one/job.py:f", "plugins.primes", f"{folder}/gone.py"])
    assert [*mine] == ["job.py"]
    assert others(mine, [f"{folder}/one/job.py"]) == []
    assert others(mine, [f"{folder}/two/job.py"]) == []
    assert others(mine, [f"{folder}/three/job.py"]) == ["job.py"]
    assert others(mine, ["plugins.primes"]) == []
