"""Every way to name a job, and every line that says why it cannot be loaded."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugins import demo
from plugins.jobs.loading import NAMES, PARTS, Job, JobError, beside, load, resolved

JOB = """
def prepare(input, sizes): return [input] * len(sizes)
def compute(input, index): return {value!r}
def collect(outputs): return outputs[0]
"""


def job_file(path: Path, value: object = 1, more: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(JOB.format(value=value) + more)
    return str(path)


def refusal(spec: object, **overrides: str) -> str:
    with pytest.raises(JobError) as caught:
        load(spec, **overrides)
    line = str(caught.value)
    assert "\n" not in line
    return line


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


# Why it cannot be loaded.


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere", " (No module named 'nowhere')"),
        ("nowhere.at.all", " (No module named 'nowhere')"),
        ("plugins.nowhere", " (No module named 'plugins.nowhere')"),
        (
            "plugins.demo.more",
            " (No module named 'plugins.demo.more'; 'plugins.demo' is not a package)",
        ),
        ("two words", " (No module named 'two words')"),
        ("", ""),
        (".demo", ""),
        ("plugins..demo", ""),
    ],
)
def test_unknown_module(name: str, reason: str) -> None:
    assert refusal(name) == f"no module {name!r} to load a job from{reason}: {NAMES}"
    assert refusal("plugins.demo", collect=f"{name}:sum") == refusal(name)


@pytest.mark.parametrize("path", ["nowhere.py", "no/where.py", "./nowhere"])
def test_unknown_file(here: Path, path: str) -> None:
    reason = "(No such file or directory)"
    assert refusal(path) == f"no file {path!r} to load a job from {reason}: {NAMES}"


def test_a_folder_is_no_file(here: Path) -> None:
    assert refusal("./") == f"no file './' to load a job from (Is a directory): {NAMES}"
    assert refusal("a\0.py") == (
        f"no file 'a\\x00.py' to load a job from (embedded null byte): {NAMES}"
    )


RAISING = [
    ("1 / 0", "ZeroDivisionError: division by zero"),
    ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
    ("import plugins.nowhere", "ModuleNotFoundError: No module named 'plugins.nowhere'"),
    ("raise ModuleNotFoundError('by hand')", "ModuleNotFoundError: by hand"),
    ("raise SystemExit(2)", "SystemExit: 2"),
    ("raise ValueError('two\\nlines')", "ValueError: two lines"),
]


@pytest.mark.parametrize(("code", "what"), RAISING)
def test_a_job_that_raises_is_not_an_unknown_one(here: Path, code: str, what: str) -> None:
    (here / "broken.py").write_text(code)
    remedy = "correct it, then load it"
    for name in ("broken", "broken.py"):
        line = f"job {name!r} cannot be imported, it raises {what}: {remedy}"
        assert refusal(name) == line
        assert refusal(name) == line  # nothing of the first attempt is left
        assert refusal("plugins.demo", compute=name) == line
    assert not [name for name in sys.modules if name.startswith("broken")]


def test_a_package_whose_own_import_fails(here: Path) -> None:
    job_file(here / "package" / "job.py")
    (here / "package" / "__init__.py").write_text("import package_of_nobody")
    what = "ModuleNotFoundError: No module named 'package_of_nobody'"
    assert what in refusal("package.job")


def test_a_syntax_error_names_the_line(here: Path) -> None:
    (here / "broken.py").write_text("\ndef prepare(:\n")
    assert "it raises SyntaxError: invalid syntax (broken.py, line 2): " in refusal("broken.py")
    assert "it raises SyntaxError: invalid syntax (broken.py, line 2): " in refusal("broken")


def test_an_interruption_is_passed_on(here: Path, ctrl_c: None) -> None:
    (here / "broken.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load("broken.py")
    assert not [name for name in sys.modules if name.startswith("broken")]


@pytest.mark.parametrize("part", ["prepare", "compute", "collect"])
def test_a_lacking_function_is_named(here: Path, part: str) -> None:
    (here / "half.py").write_text(JOB.format(value=1).replace(f"def {part}", "def other"))
    assert refusal("half.py") == f"job 'half.py' has no function {part!r}: {PARTS}"
    assert refusal("half") == f"job 'half' has no function {part!r}: {PARTS}"


def test_a_lacking_function_of_an_override_is_named() -> None:
    line = f"job 'plugins.demo' has no function 'most': {PARTS}"
    assert refusal("plugins.primes", collect="plugins.demo:most") == line
    assert refusal("plugins.primes", collect="plugins.demo:") == (
        f"job 'plugins.demo' has no function '': {PARTS}"
    )


def test_what_is_no_function_is_named(here: Path) -> None:
    path = job_file(here / "job.py", 1, "collect = 3\n")
    assert refusal("job.py") == (
        f"'collect' of job 'job.py' is no function, but of type int: {PARTS}"
    )
    assert "'cost' of job" in refusal(job_file(Path(path), 1, "cost = 2.5\n"))


def test_what_is_no_job_at_all() -> None:
    assert refusal("plugins") == f"job 'plugins' has no function 'prepare': {PARTS}"
    assert refusal(None) == f"job 'None' has no function 'prepare': {PARTS}"


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


# -- what a job imports --------------------------------------------------------------------


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
