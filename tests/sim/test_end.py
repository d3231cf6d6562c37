"""A run is over when nothing can happen any more, however far away what happens is."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sim import World
from sim.command import summary
from sim.faults.script import read

WIDE = {"nodes": 50, "fanout": 5, "partitions": 200, "delay": 2.0}


@pytest.mark.parametrize(
    ("faults", "options"),
    [
        ("at 3 crash node 0\nat 1200 restart node 0 with memory", {}),
        ("at 3 crash node 0\nat 1199.999 restart node 0 with memory", {}),
        ("at 3 crash node 0\nat 600 restart node 0", {}),
        ("at 3 partition node 0\nat 1800 heal", {}),
        ("at 15 crash nodes 1-50\nat 1200 restart nodes 1-50", {}),
        ("at 3 crash 50 % of the nodes silently", {"heartbeat": 2000.0}),
        ("at 3 slow node 3 by 10000", {}),
        ("at 3 slow node 3 by 10000", {"heartbeat": 1e6}),
        ("at 3 crash node 0\nat 1200 restart node 0", {"latency": 700.0, "heartbeat": 1e4}),
        ("at 3 crash node 3", {"service_time": 700.0, "heartbeat": 1e6, "nodes": 20}),
        ("at 3 crash node 3", {"arrival_rate": 1 / 600}),
    ],
)
def test_what_comes_late_still_comes(faults: str, options: dict[str, Any]) -> None:
    world = World(**{**WIDE, "faults": read(faults), **options})
    report = world.run()
    assert report.failure is None
    assert report.result == 200
    assert report.faults == len(faults.splitlines())


@pytest.mark.parametrize(
    ("faults", "options", "why"),
    [
        ("at 3 crash node 0", {}, "the submitter crashed and was not restarted"),
        ("at 15 crash nodes 1-50", {}, "nothing more can happen"),
        ("at 15 crash nodes 1-50 silently", {"heartbeat": 2000.0}, "nothing more can happen"),
        ("at 3 partition node 0", {}, ""),
        ("at 3 crash node 0", {"heartbeat": 2000.0}, "the submitter crashed"),
    ],
)
def test_what_never_comes_is_not_waited_for(faults: str, options: dict[str, Any], why: str) -> None:
    began = time.process_time()
    world = World(**{**WIDE, "faults": read(faults), **options})
    report = summary.with_cause(world.run())
    assert time.process_time() - began < 60
    assert report.finished_seconds is None
    assert report.failure is not None
    assert why in report.failure.error
