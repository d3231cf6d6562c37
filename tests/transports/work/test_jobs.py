"""Which jobs a process loads for others, and when two processes have the same one."""

from __future__ import annotations

import builtins
import math
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugins import demo, primes
from plugins.jobs.loading import JobError, load
from transports.work.jobs import allowed, called, chosen, fingerprint, own

JOB = """
from os import system
from os.path import join
from plugins.demo import prepare, collect
class Thing: pass
def compute(input, index): return {value}
def half(input, index): return input / 2
def _hidden(input, index): return 0
"""


def job_file(path: Path, value: object = 1, more: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(JOB.format(value=value) + more)
    return str(path)


def refusal(name: str, parts: dict[str, str] | None = None, allow: tuple[str, ...] = ()) -> str:
    with pytest.raises(JobError) as caught:
        chosen(name, parts or {}, allow)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 400
    return line


# -- what is allowed -----------------------------------------------------------------------


def test_the_modules_of_plugins_are() -> None:
    assert allowed("plugins.primes") == "plugins.primes"
    assert chosen("plugins.demo", {}).job == load("plugins.demo")


@pytest.mark.parametrize(
    ("name", "allow"),
    [
        ("mine.job", ["mine.job"]),
        ("mine.job", ["mine.*"]),
        ("mine.deep.job", ["other", "mine.*"]),
        ("mine", ["mine"]),
    ],
)
def test_what_is_named_is_allowed_as_well(name: str, allow: list[str]) -> None:
    assert allowed(name, allow) == name
    assert allowed("plugins.demo", allow) == "plugins.demo"


@pytest.mark.parametrize(
    ("name", "allow"),
    [
        ("mine", ["mine.*"]),
        ("mine.job", ["mine"]),
        ("mineral.job", ["mine.*"]),
        ("mine.job", ["mine.jo*"]),
        ("mine.job", ["*"]),
        ("mine.job", [".*"]),
        ("plugins", []),
        ("job.py", []),
        ("job.py", ["plugins.*", "other.py", "job"]),
    ],
)
def test_nothing_else_is(name: str, allow: list[str]) -> None:
    with pytest.raises(JobError, match=r"is not allowed here, only plugins\.\*"):
        allowed(name, allow)


def test_a_file_of_the_same_name_is_loaded_from_where_it_is_here(here: Path) -> None:
    path = job_file(here / "folder" / "job.py", 7)
    assert allowed("job.py", ["x.py", path]) == path
    found = chosen("job.py", {}, [path])
    assert (found.name, found.job.compute(None, 0)) == (path, 7)
    assert allowed("job.py", ["folder/job.py"]) == "folder/job.py"


@pytest.mark.parametrize(
    "name",
    [
        "../../x.py",
        "/x.py",
        "folder/x.py",
        "./x.py",
        "..\\x.py",
        ".x.py",
        "..py",
        "x.py\n",
        "x.py:compute",
        "x\0.py",
        "os",
        "plugins.../..",
        "plugins.",
        "plugins..demo",
        ".demo",
        "plugins.demo\n",
        "plugins.demo/..",
        "plugins.dém.o",
        "plugins.1",
        "plugins.*",
        "",
        "plugins." + "x" * 1000 + "/",
    ],
)
def test_no_name_from_elsewhere_leads_anywhere(here: Path, name: str) -> None:
    allow = (job_file(here / "x.py"), job_file(here / ".x.py"))
    assert "is not allowed here" in refusal(name, allow=allow)
    assert "is not allowed here" in refusal("plugins.demo", {"compute": f"{name}:sum"}, allow)


def test_the_line_says_what_is_allowed_and_how_to_allow_it() -> None:
    assert refusal("mine.job", allow=("my.*",)) == (
        "job 'mine.job' is not allowed here, only plugins.*, my.*: "
        "start 'join' (and 'serve') with --allow mine.job if you trust it"
    )
    assert refusal("job.py") == (
        "job 'job.py' is not allowed here, only plugins.*: "
        "start 'join' (and 'serve') with --allow FOLDER/job.py if you trust it, "
        "with the folder where it is there"
    )
    remedy = "a job is a dotted module name, or a file name that ends in .py"
    assert refusal("/job.py").endswith(remedy)


def test_what_is_allowed_but_not_there_is_said(here: Path) -> None:
    assert "no module 'plugins.nowhere' to load a job from" in refusal("plugins.nowhere")
    assert "no file 'nowhere.py' to load a job from" in refusal("nowhere.py", allow=("nowhere.py",))


# -- functions named apart -----------------------------------------------------------------


def test_parts_are_looked_up_in_the_same_way(here: Path) -> None:
    path = job_file(here / "folder" / "job.py", 7)
    parts = {"compute": "job.py:half", "collect": "plugins.primes"}
    found = chosen("plugins.demo", parts, [path])
    assert found.parts == {"compute": f"{path}:half", "collect": "plugins.primes"}
    assert found.job.compute(3, 0) == 1.5
    assert found.job.collect is primes.collect
    assert found.job.prepare is demo.prepare
    assert "'other.py' is not allowed here" in refusal("plugins.demo", {"compute": "other.py:half"})
    assert "'builtins' is not allowed here" in refusal("plugins.demo", {"collect": "builtins:eval"})


@pytest.mark.parametrize(
    "name", ["system", "join", "Thing", "_hidden", "nothing", "half.x", "", "__doc__"]
)
def test_only_public_functions_of_the_file_itself(here: Path, name: str) -> None:
    path = job_file(here / "job.py")
    line = refusal("plugins.demo", {"compute": f"job.py:{name}"}, (path,))
    assert line == f"{name!r} is no function of the job 'job.py': name another"


@pytest.mark.parametrize(
    "name", ["plugins.jobs.loading:load", "plugins.console.tables:rows", "plugins.jobs.loading"]
)
def test_what_jobs_are_loaded_with_is_no_job(name: str) -> None:
    refusal("plugins.demo", {"compute": name})


def test_there_are_no_other_parts() -> None:
    assert refusal("plugins.demo", {"spec": "plugins.demo"}) == (
        "a job has no part 'spec', only prepare, compute, collect"
    )


# -- what it is called ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "over_the_wire"),
    [
        ("plugins.demo", "plugins.demo"),
        ("/home/me/job.py", "job.py"),
        ("../job.py", "job.py"),
        ("/home/me/job.py:half", "job.py:half"),
        ("plugins.demo:half", "plugins.demo:half"),
        ("a:b/job.py", "job.py"),
    ],
)
def test_folders_are_nobody_elses_business(name: str, over_the_wire: str) -> None:
    assert called(name) == over_the_wire


def test_what_a_host_calls_its_job_is_found_by_who_allows_it(here: Path) -> None:
    theirs, mine = job_file(here / "a" / "job.py"), job_file(here / "b" / "job.py")
    hosted = own(theirs, {"compute": f"{theirs}:half"})
    parts = {part: called(name) for part, name in hosted.parts.items()}
    found = chosen(called(hosted.name), parts, [mine])
    assert fingerprint(found.job) == fingerprint(hosted.job)


# -- the same code -------------------------------------------------------------------------


def test_what_a_job_imports_from_its_folder_counts(tmp_path: Path) -> None:
    prints = []
    for folder, value in (("a", 2), ("b", 2), ("c", 3)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"beside_{folder}.py").write_text("unused = 0\n")
        (tmp_path / folder / "helper_of_job.py").write_text(f"K = {value}\n")
        job = tmp_path / folder / "job.py"
        job.write_text("import helper_of_job\n" + JOB.format(value=1))
        sys.modules.pop("helper_of_job", None)
        prints.append(fingerprint(load(job)))
    assert prints[0] == prints[1] != prints[2]


def test_the_same_source_elsewhere_is_the_same_job(here: Path) -> None:
    one, same = job_file(here / "a" / "job.py", 1), job_file(here / "b" / "other.py", 1)
    Path(same).write_bytes(Path(same).read_bytes().replace(b"\n", b"\r\n"))
    assert fingerprint(load(one)) == fingerprint(load(same))
    assert len(fingerprint(load(one))) == 64


def test_another_source_is_another(here: Path) -> None:
    seen = {
        fingerprint(load("plugins.demo")),
        fingerprint(load("plugins.primes")),
        fingerprint(load(job_file(here / "a.py", 1))),
        fingerprint(load(job_file(here / "b.py", 2))),
        fingerprint(load(job_file(here / "c.py", 1, "# a word\n"))),
        fingerprint(load("plugins.demo", compute="a.py:half")),
        fingerprint(load("plugins.demo", prepare="a.py:compute")),
    }
    assert len(seen) == 7


def test_a_module_without_source_stands_by_its_name() -> None:
    of = {
        function: fingerprint(load(SimpleNamespace(prepare=max, compute=min, collect=function)))
        for function in (builtins.sum, builtins.max, math.fsum, math.prod)
    }
    assert len(set(of.values())) == 4
    assert fingerprint(load("plugins.demo", collect="builtins:sum")) == fingerprint(
        load(SimpleNamespace(prepare=demo.prepare, compute=demo.compute, collect=sum))
    )


def test_what_is_put_around_a_function_does_not_count() -> None:
    job = load(SimpleNamespace(prepare=demo.prepare, compute=partial(demo.compute), collect=sum))
    plain = load(SimpleNamespace(prepare=demo.prepare, compute=demo.compute, collect=sum))
    assert fingerprint(job) == fingerprint(plain)
