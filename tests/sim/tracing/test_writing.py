"""A world that writes a trace is the same world, and its trace is whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plugins import tracing
from plugins.tracing import measures
from sim import World
from sim.__main__ import main
from tests import TOP


def test_a_trace_is_written_and_nothing_else_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for more in ([], ["--trace", str(tmp_path / "run.trace")]):
        assert main(["--nodes", "200", "--fanout", "6", "--seed", "3", "--json", *more]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        found.append(json.loads(out))
    for same in ("digest", "result", "messages", "finished_seconds", "connections_max"):
        assert found[0][same] == found[1][same]
    trace = tracing.read(tmp_path / "run.trace")
    assert trace.run.summary == found[1]
    assert trace.run.options == {}
    assert (trace.run.job, trace.run.nodes, trace.run.seed) == ("plugins.demo", 200, 3)
    assert trace.partitions()["accepted"].count() == 200


def test_without_it_nothing_is_written_and_nothing_is_loaded(tmp_path: Path) -> None:
    code = "import sys; from sim.__main__ import main; main(['--nodes', '9']); " \
           "sys.exit('polars' in sys.modules)"  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert (run.returncode, list(tmp_path.iterdir())) == (0, [])


def test_options_that_are_not_the_defaults_are_told(tmp_path: Path) -> None:
    World(nodes=4, latency=0.1, faults=(), delay="exponential:1", trace=tmp_path / "a").run()
    told = tracing.read(tmp_path / "a").run.options
    assert told == {"latency": 0.1, "faults": [], "delay": "exponential:1"}


def test_a_world_that_is_run_in_parts_is_one_trace(tmp_path: Path) -> None:
    options: dict[str, Any] = {"nodes": 60, "fanout": 4, "lifetime": "exponential:40"}
    World(**options, trace=tmp_path / "whole").run(until=50)
    world = World(**options, trace=tmp_path / "parts")
    for until in (0, 0.05, 3, 11.123, 50):
        report = world.run(until=until)
        summary = tracing.read(tmp_path / "parts").run.summary
        assert summary is not None
        assert summary["messages"] == report.messages
        part = tracing.read(tmp_path / "parts")
        assert part.end <= until
        assert part.traffic["messages"].sum() == report.messages
    whole, parts = (tracing.read(tmp_path / name) for name in ("whole", "parts"))
    assert parts.events.equals(whole.events)
    assert parts.traffic.equals(whole.traffic)
    assert measures.connections(parts).equals(measures.connections(whole))


def test_followed_nodes_are_traced_like_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--nodes", "60", "--fanout", "4"]
    assert main([*options, "--trace", str(tmp_path / "a")]) == 0
    assert main([*options, "--trace", str(tmp_path / "b"), "--follow", "7"]) == 0
    capsys.readouterr()
    one, other = (tracing.read(tmp_path / name) for name in "ab")
    assert one.events.equals(other.events)
