"""An option that cannot be is named in one line."""

from __future__ import annotations

import pytest

from sim.__main__ import main
from tests.sim.running import process


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nodes", "0"],
        ["--nodes", "-3"],
        ["--nodes", "nan"],
        ["--nodes", "2.5"],
        ["--nodes", "many"],
        ["--partitions", "0"],
        ["--partitions", "-1"],
        ["--partitions", "1" + "0" * 400],
        ["--fanout", "1"],
        ["--fanout", "1001"],
        ["--fanout", "-2"],
        ["--seed", "first"],
        ["--listening", "1.5"],
        ["--listening", "-0.5"],
        ["--listening", "nan"],
        ["--tick", "0"],
        ["--tick", "-0.001"],
        ["--tick", "nan"],
        ["--tick", "-inf"],
        ["--arrival-rate", "0"],
        ["--arrival-rate", "-5"],
        ["--arrival-rate", "inf"],
        ["--service-time", "-1"],
        ["--service-time", "nan"],
        ["--latency", "soon"],
        ["--latency", "-1"],
        ["--latency", "nan"],
        ["--latency", ""],
        ["--latency", "uniform:1"],
        ["--latency", "uniform:2,1"],
        ["--latency", "recorded:a_file_of_another_kind"],
        ["--delay", "places:no_such_file.csv"],
        ["--arrivals", "no_such_file.csv"],
        ["--arrivals", ""],
        ["--lifetime", "uniform:1,2,3"],
        ["--lifetime", "lognormal:1,1e6"],
        ["--delay", "exponential:-1"],
        ["--delay", "poisson:1"],
        ["--replicas", "some"],
        ["--job", "no.such.job"],
        ["--job", "no_such_job.py"],
        ["--job", ""],
        ["--job", "core"],  # has no functions of a job
        ["--prepare", "plugins.demo:nothing"],
        ["--compute", "core"],
        ["--collect", "no_such_job.py:collect"],
        ["--follow", "-1"],
        ["--follow", "1001"],
        ["--follow", "x"],
    ],
    ids=" ".join,
)
def test_a_bad_option_is_named_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, arguments, arguments[1].partition(":")[0][:40])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--node", "5"], "--node"),
        (["--frobnicate"], "--frobnicate"),
        (["1000"], "1000"),
        (["--nodes"], "--nodes"),
        (["--nodes", "--json"], "--nodes"),
        (["--nodes", "5", "--follow", "6"], "6"),
        (["--input", "[" * 100_000], "--input"),
        (["--latency", "recorded:no_such_file.csv"], "'no_such_file.csv': no such file"),
        (["--latency", "places:no_such_file.csv"], "'no_such_file.csv': no such file"),
    ],
)
def test_bad_arguments_are_named_in_one_line(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, arguments, named)


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str], named: str) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert len(err) < 400
    assert named in err
    for noise in ("usage", "Traceback"):
        assert noise not in err


def test_a_bad_option_ends_the_process_with_code_2() -> None:
    run = process("--json", "--fanout", "1")
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)
