"""Every way to name a job."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugins import demo
from plugins.jobs.loading import Job, beside, load, resolved
from tests.plugins.jobs.files import JOB, job_file


# Ways to name one.
@pytest.mark.parametrize("name", ["demo", "primes", "rollup", "wordcount"])
def test_the_jobs_that_come_along(name: str) -> None:
    job = load(f"plugins.{name}")
    assert job.name == f"plugins.{name}"
    assert job.cost is None


def test_a_module_name_gives_that_module() -> None:
    expected = Job("plugins.demo", demo.prepare, demo.compute, demo.collect, None)
    assert load("plugins.demo") == expected
    assert load(demo) == expected


def test_a_file_by_its_path(here: Path) -> None:
    job_file(here / "folder" / "my job.py", 7)
    job_file(here / "folder" / "no_suffix", 8)
    assert load("folder/my job.py").compute(None, 0) == 7
    assert load("folder/my job.py").name == "folder/my job.py"
    assert load(here / "folder" / "my job.py").compute(None, 0) == 7
    assert load("folder/no_suffix").compute(None, 0) == 8


def test_files_of_one_name_in_two_folders(here: Path) -> None:
    one, two = job_file(here / "one" / "json.py", 1), job_file(here / "two" / "json.py", 2)
    assert (load(one).compute(None, 0), load(two).compute(None, 0)) == (1, 2)
    assert load(one).compute is load(one).compute
    import json  # the standard library's, still

    assert json.dumps([1]) == "[1]"


def test_a_file_that_was_edited(here: Path) -> None:
    path = job_file(here / "job.py", 1)
    first = load(path)
    job_file(here / "job.py", 2)  # the same length, within the same second
    assert (first.compute(None, 0), load(path).compute(None, 0)) == (1, 2)
    assert not (here / "__pycache__").exists()


def test_a_file_may_define_classes_that_look_up_their_module(here: Path) -> None:
    more = (
        "from __future__ import annotations\n"
        "from dataclasses import KW_ONLY, dataclass\n"
        "@dataclass\n"
        "class Point:\n    x: int\n    _: KW_ONLY\n    y: int = 0\n"
    )
    (here / "job.py").write_text(more + JOB.format(value=1))
    assert load("job.py").compute(None, 0) == 1


def test_a_module_in_a_package_of_the_current_folder(here: Path) -> None:
    job_file(here / "mine" / "job.py", 5)
    assert load("mine.job").compute(None, 0) == 5


def test_a_module_of_the_current_folder_of_a_program_run_by_name(here: Path) -> None:
    job_file(here / "job.py", 5)
    (here / "program.py").write_text(
        "from plugins.jobs.loading import load\nprint(load('job').compute(None, 0))\n"
    )
    root = Path(demo.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "program"],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("5\n", "")


def test_any_object_with_the_functions() -> None:
    job = load(SimpleNamespace(prepare=max, compute=min, collect=sum))
    assert (job.prepare, job.compute, job.collect, job.cost) == (max, min, sum, None)


# Functions named apart.
def test_one_function_of_another_module() -> None:
    job = load("plugins.demo", collect="builtins:max")
    assert (job.name, job.collect, job.compute) == ("plugins.demo", max, demo.compute)


def test_the_name_of_a_function_is_its_part_unless_given(here: Path) -> None:
    other = job_file(here / "other.py", 9, "def least(outputs): return min(outputs)\n")
    job = load("plugins.demo", compute="other.py", collect=f"{other}:least", prepare="other")
    assert job.compute(None, 0) == 9
    assert job.collect([4, 3]) == 3
    assert job.prepare(8, [1, 1]) == [8, 8]


def test_a_colon_within_a_path_is_part_of_it(here: Path) -> None:
    job_file(here / "a:b" / "job.py", 3)
    assert load("plugins.demo", compute="a:b/job.py").compute(None, 0) == 3
    assert load("plugins.demo", compute="a:b/job.py:compute").compute(None, 0) == 3


def test_the_cost_is_that_of_the_function_that_computes(here: Path) -> None:
    job_file(here / "priced.py", 1, "def cost(input, index): return 0.5\n")
    job_file(here / "free.py", 1, "cost = None\n")
    assert load("plugins.demo", compute="free.py").cost is None
    assert load("priced.py", collect="free.py").cost is not None
    cost = load("free.py", compute="priced.py").cost
    assert cost is not None
    assert cost(None, 0) == 0.5


def test_a_part_that_is_named_apart_may_be_missing(here: Path) -> None:
    (here / "half.py").write_text("def compute(input, index): return 4\n")
    job = load("half.py", prepare="plugins.demo", collect="plugins.demo")
    assert job.compute(None, 0) == 4


# A compute that is to be awaited.
AWAITED = """
import trio
from plugins.demo import collect, prepare
async def compute(input, index):
    await trio.sleep(0)
    if input is None: raise ValueError('nothing')
    return [input, index]
class Thing:
    async def __call__(self, input, index): return index
thing = Thing()
"""


def test_a_compute_that_is_to_be_awaited_is_known(here: Path) -> None:
    (here / "awaited.py").write_text(AWAITED)
    assert load("awaited.py").asynchronous
    assert load("plugins.demo", compute="awaited.py:thing").asynchronous
    assert load(
        SimpleNamespace(prepare=max, compute=partial(compute_later), collect=sum)
    ).asynchronous
    assert not load("plugins.demo").asynchronous


async def compute_later(input: object, index: int) -> int:
    return index


def test_it_can_be_called_by_who_cannot_await(here: Path) -> None:
    (here / "awaited.py").write_text(AWAITED)
    job = load("awaited.py").synchronous()
    assert not job.asynchronous
    assert job.compute(5, 7) == [5, 7]
    with pytest.raises(ValueError, match="nothing"):
        job.compute(None, 7)
    assert load("plugins.demo", compute="awaited.py:thing").synchronous().compute(None, 3) == 3
    plain = load("plugins.demo")
    assert plain.synchronous() is plain


def test_what_is_beside_a_job_file_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, elsewhere = tmp_path / "jobs", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "beside_the_job.py").write_text("K = 0\n")
    (folder / "beside_the_job.py").write_text("import later_beside\nK = 2\n")
    (folder / "later_beside.py").write_text("K = 3\n")
    (folder / "job.py").write_text(
        f"import beside_the_job\n{JOB.format(value=1)}\n"
        "def compute(input, index):\n    from later_beside import K\n    return K\n"
    )
    monkeypatch.chdir(elsewhere)
    monkeypatch.syspath_prepend(elsewhere)
    loaded = load(folder / "job.py")
    assert sys.modules["beside_the_job"].K == 2
    assert loaded.compute(1, 0) == 3


def test_what_counts_as_beside_a_job(tmp_path: Path) -> None:
    package = tmp_path / "package_beside"
    package.mkdir()
    files = {
        "job.py": f"import one_beside, json, core\n{JOB.format(value=1)}",
        "one_beside.py": "def f():\n    from package_beside.inner import x\n",
        "package_beside/__init__.py": "",
        "package_beside/inner.py": "x = 1\r\n",
        "not_imported.py": "",
        "core.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode())
    module = resolved(tmp_path / "job.py")
    assert beside(str(module.__name__)) == {  # type: ignore[attr-defined]
        "one_beside.py": files["one_beside.py"].encode(),
        "package_beside/__init__.py": b"",
        "package_beside/inner.py": b"x = 1\n",
    }
    assert beside("json") == {}
