"""`python -m sim --jobs FILE`: a fleet on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sim.__main__ import main
from tests.sim.running import written

QUICK = ["--nodes", "8", "--fanout", "3", "--arrival-rate", "1000", "--delay", "0.5"]
SUMS = {"job": "plugins.primes", "input": 1000, "partitions": 6}
TOML = """
[[jobs]]
name = "first"
job = "plugins.primes"
input = 1000
partitions = 6

[[jobs]]
at = 1.5
priority = 3
"""


def listed(folder: Path, *jobs: Any) -> str:
    path = folder / "jobs.json"
    path.write_text(json.dumps(jobs))
    return str(path)


def told(
    capsys: pytest.CaptureFixture[str], path: str, *more: str, code: int = 0
) -> tuple[dict[str, Any], str]:
    assert main([*QUICK, "--json", "--jobs", path, *more]) == code
    output = capsys.readouterr()
    return json.loads(output.out), output.err


def test_there_is_a_row_a_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stopped = {**SUMS, "name": "stopped", "at": 2, "cancel": 2.5}
    assert main([*QUICK, "--jobs", listed(tmp_path, {**SUMS, "name": "one"}, stopped)]) == 0
    head, one, other, *rest = capsys.readouterr().out.splitlines()
    assert head.split()[:6] == ["job", "name", "state", "priority", "waited", "seconds"]
    assert head.split()[6:] == ["partitions", "right", "result"]
    assert one.split()[:4] == ["1", "one", "done", "0"]
    assert one.split()[-2:] == ["yes", "168"]
    assert other.split()[:4] == ["2", "stopped", "cancelled", "0"]
    assert any(line.startswith("digest") for line in rest)


def test_json_has_all_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, errors = told(capsys, listed(tmp_path, SUMS, {**SUMS, "priority": 2, "at": 1}))
    one, other = report["jobs"]
    assert (one["result"], one["right"], one["state"], one["partitions"]) == (168, True, "done", 6)
    assert (other["priority"], other["submitted"], other["number"]) == (2, 1.0, 2)
    assert (report["nodes"], report["arrived"]) == (8, 8)
    assert errors == ""


def test_toml_is_read_and_the_options_hold_for_what_is_not_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "jobs.toml"
    path.write_text(TOML)
    report, _ = told(capsys, str(path), "--job", "plugins.demo", "--partitions", "5")
    assert [job["name"] for job in report["jobs"]] == ["first", "plugins.demo"]
    assert [job["partitions"] for job in report["jobs"]] == [6, 5]


def test_at_once_is_how_many_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = listed(tmp_path, SUMS, SUMS)
    alone, together = (told(capsys, path, "--at-once", n)[0]["jobs"] for n in "12")
    assert alone[1]["started"] == alone[0]["ended"]
    assert together[1]["started"] == together[0]["started"]


def test_a_job_that_fails_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = written(tmp_path, "from plugins.demo import *\ndef compute(i, n):\n    return 1 / 0\n")
    report, errors = told(capsys, listed(tmp_path, {"name": "bad", "job": bad}, SUMS), code=1)
    assert [job["state"] for job in report["jobs"]] == ["failed", "done"]
    assert "job 1 (bad): the job failed in session 1" in errors
    assert "ZeroDivisionError" in errors
    assert len(errors.splitlines()) == 1


def test_a_result_that_one_alone_would_not_have_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = "from plugins.demo import *\ncalls = []\ndef compute(i, n):\n"
    drifting = written(tmp_path, source + "    calls.append(n)\n    return len(calls)\n")
    job = {"job": drifting, "partitions": 4}
    report, errors = told(capsys, listed(tmp_path, job), code=1)
    assert report["jobs"][0]["right"] is False
    assert "its result is not that of the job run by one" in errors


def test_what_cannot_end_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = listed(tmp_path, {**SUMS, "name": "late", "at": 30})
    report, errors = told(capsys, path, "--lifetime", "5", code=1)
    assert report["left"] == 8
    assert "jobs are not over, 1 queued, and nothing more can happen" in errors


def test_faults_concern_a_fleet_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "faults.txt"
    script.write_text("at 1 crash node 0\nat 4 restart node 0 with memory\n")
    report, _ = told(capsys, listed(tmp_path, SUMS), "--faults", str(script))
    assert (report["faults"], report["crashed"]) == (2, 1)
    assert report["jobs"][0]["begun"] == 2
    assert report["jobs"][0]["right"] is True


@pytest.mark.parametrize(
    ("job", "complaint"),
    [
        (5, 'job 2 must be an object such as {"at": 5}, not 5'),
        ({"at": -1}, "job 2: at must be seconds from 0 to 1e+09, not -1"),
        ({"at": "soon"}, "job 2: at must be seconds from 0 to 1e+09, not 'soon'"),
        ({"at": True}, "job 2: at must be seconds from 0 to 1e+09, not True"),
        ({"at": 1e300}, "job 2: at must be seconds from 0 to 1e+09, not 1e+300"),
        ({"at": 5, "cancel": 4}, "job 2: cancel must be seconds from 5, which is when it comes,"),
        ({"priority": 0.5}, "job 2: priority must be a whole number, not 0.5"),
        ({"name": "x", "nodes": 3}, "job 2 (x): there is no field 'nodes'"),
        ({"name": "a\nb"}, "job 2: name must be text of one line"),
        ({"name": ""}, "job 2: name must be text of one line"),
        (
            {"partitions": 0},
            "job 2: partitions must be a whole number, 1 or more, below",
        ),
        (
            {"partitions": "7"},
            "1 or more, below 10^15, not '7'",
        ),
        ({"fanout": 1}, "job 2: fanout must be a whole number from 2 to 1000, not 1"),
        ({"delay": "soon"}, "job 2: delay"),
        ({"delay": [1]}, "job 2: delay"),
        ({"delay": -1}, "job 2: delay"),
        ({"piece_timeout": 0}, "job 2: piece_timeout must be"),
        ({"keep_going": 1}, "job 2: keep_going must be"),
        ({"job": "no.such.job"}, "job 2: no module 'no.such.job' to load a job from"),
        ({"job": 7}, "job 2: job"),
        ({"compute": ["x"]}, "job 2: compute"),
    ],
)
def test_what_cannot_be_names_job_and_field_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], job: Any, complaint: str
) -> None:
    assert main([*QUICK, "--jobs", listed(tmp_path, SUMS, job)]) == 2
    output = capsys.readouterr()
    assert complaint in output.err
    assert output.err.count("\n") == 1
    assert output.out == ""


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("jobs.json", "", "is no JSON"),
        ("jobs.json", "[]", "has no jobs"),
        ("jobs.json", '{"at": 3}', "has no jobs"),
        ("jobs.json", "[" * 100_000, "is nested too deeply"),
        ("jobs.toml", "[[jobs", "is no TOML"),
        ("none.json", None, "No such file or directory"),
        ("jobs.json", b"\xff\xfe\x00", "it is no text"),
    ],
)
def test_a_file_of_no_jobs_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: Any, complaint: str
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["--jobs", str(path)]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert "--jobs" in error
    assert error.count("\n") == 1


def test_what_does_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--at-once", "2"]) == 2
    assert "--at-once is for a fleet: give its jobs with --jobs FILE" in capsys.readouterr().err
    assert main(["--jobs", listed(tmp_path, SUMS), "--follow", "3"]) == 2
    assert "--follow does not go with --jobs" in capsys.readouterr().err
    assert main(["--jobs", listed(tmp_path, SUMS), "--at-once", "0"]) == 2
    assert "--at-once: '0' is wrong, give a whole number from 1 to 64" in capsys.readouterr().err
