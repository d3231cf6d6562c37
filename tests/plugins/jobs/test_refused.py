"""Every line that says why a job cannot be loaded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plugins.jobs.loading import NAMES, PARTS, load
from tests.plugins.jobs.files import JOB, job_file, refusal


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
