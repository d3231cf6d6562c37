"""A trace of a fleet: each session is called by the number of its job."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins import tracing
from sim.report import main
from tests.sim.fleet.fleets import fleet, job


def test_a_trace_says_of_which_job_a_session_is(tmp_path: Path) -> None:
    there = fleet(at_once=2, trace=tmp_path / "a.trace")
    there.submit(job(), partitions=9)
    there.submit(job(), partitions=20, fanout=5)
    report = there.run()
    trace = tracing.read(tmp_path / "a.trace")
    sessions = trace.sessions()
    roots = dict(sessions.filter(sessions["parent"].is_null())["session", "partitions"].rows())
    assert roots == {"1": 9, "2": 20}
    assert {name.partition("-")[0] for name in sessions["session"]} == {"1", "2"}
    accepted = trace.events.filter(trace.events["event"] == "accepted")["partition"].drop_nulls()
    assert len(accepted) == 29
    assert trace.run.summary is not None
    assert trace.run.summary["digest"] == report.digest


def test_a_traced_fleet_is_the_same_fleet(tmp_path: Path) -> None:
    digests = []
    for options in ({}, {"trace": tmp_path / "a.trace"}):
        there = fleet(faults="light", at_once=2, **options)
        for value in range(4):
            there.submit(job(3.0), input=value, at=5.0 * value)
        digests.append(there.run().digest)
    assert digests[0] == digests[1]


def test_a_page_of_pictures_shows_one_tree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = fleet(trace=tmp_path / "a.trace")
    there.submit()
    there.run()
    assert main([str(tmp_path / "a.trace"), "--out", str(tmp_path / "page.html")]) == 2
    error = capsys.readouterr().err
    assert "is of a fleet: each of its jobs has a tree of its own" in error
    assert error.count("\n") == 1
