"""Values too large for a message: they pass by, and outlive who had them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.running import Programs
from tests.transports.command.jobs_for_tests import LARGE


def large(run: Programs, size: int) -> tuple[object, ...]:
    return ("--job", run.job(LARGE), "--input", json.dumps({"size": size}))


def hashes(parts: int, size: int) -> list[str]:
    return [hashlib.sha256(bytes([97 + part]) * size).hexdigest() for part in range(parts)]


def test_values_of_100_mb_pass_the_root_without_staying_in_its_memory(run: Programs) -> None:
    size, memory_max = 100 * 2**20, 100 * 2**20
    options = ("--nodes", 2, "--partitions", 2, "--processes", 2, "--json")
    found: dict[str, Any] = run.start(*large(run, size), *options).report(seconds=60.0)
    assert found["result"]["hashes"] == hashes(2, size)
    assert found["peak_rss_bytes"] < memory_max


def test_large_values_survive_the_process_that_had_them(run: Programs) -> None:
    size = 2**20
    go, last = run.folder / "go", 15
    host = run.host(*large(run, size), "--partitions", last + 1, "--fanout", 4, "--wait-nodes", 12)
    waits = {"env": {"WAITS": str(last), "GO": str(go)}}
    allow = ("--nodes", 4, "--allow", run.folder / "job.py")
    joins = [run.join(host, *allow, **waits) for _ in range(3)]
    for join in joins:
        join.says("4 nodes for job.py")
    joins[0].says("nodes=4")  # somebody who is in a session here
    joins[0].kill()
    go.touch()
    expected = [found for found in hashes(4, size) for _ in range(4)]
    assert host.report()["result"]["hashes"] == expected
    for join in joins[1:]:
        join.ended()
