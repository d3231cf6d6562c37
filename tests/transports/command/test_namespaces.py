"""Two machines, as far as the network can tell: the link between them is cut and comes back.

This takes the ten seconds of real time for which the link is cut.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from time import monotonic

import pytest

from tests.processes import until
from tests.running import TOKEN, Programs
from tests.transports.command.jobs_for_tests import WAITING

CUT_SECONDS = 10.0
HEARTBEAT_SECONDS = 2.0
BACK_SECONDS = 15.0  # waits between tries are 5 s at most, and one may have begun during the cut
NOT_ALLOWED = ("not permitted", "Permission denied", "not supported", "Unknown device type")
HERE, THERE = "10.99.7.1", "10.99.7.2"
PORT = 7411


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=10)


@pytest.fixture
def namespaces() -> Iterator[tuple[str, str]]:
    """The names of two, with a link between them."""
    if shutil.which("ip") is None:
        pytest.skip("no program `ip` here to make network namespaces with")
    names = tuple(f"million-{secrets.token_hex(4)}-{end}" for end in "ab")
    try:
        for name in names:
            ip("netns", "add", name)
        ends = ["veth", "peer", "name", "cable", "netns", names[1]]
        ip("link", "add", "name", "cable", "netns", names[0], "type", *ends)
        for name, address in zip(names, (HERE, THERE), strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "cable", "up")
        yield names[0], names[1]
    except subprocess.CalledProcessError as error:
        if not any(reason in error.stderr for reason in NOT_ALLOWED):
            raise
        pytest.skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
    finally:
        remove(names)


def remove(names: tuple[str, ...]) -> None:
    for name in names:
        if os.path.exists(f"/run/netns/{name}"):
            ip("netns", "delete", name)


def test_a_link_that_is_cut_for_ten_seconds(run: Programs, namespaces: tuple[str, str]) -> None:
    go, half, partitions = run.folder / "go", 60, 240
    value = json.dumps({"go": str(go), "half": half})
    here, there = (("ip", "netns", "exec", name) for name in namespaces)
    common = {"env": {"MILLION_NODES_TOKEN": TOKEN}}
    lasting = ("--heartbeat", HEARTBEAT_SECONDS)
    job = ("--job", run.job(WAITING), "--input", value, "--partitions", partitions)
    where = f"{HERE}:{PORT}"
    host = run.host(*job, "--fanout", 8, *lasting, "-v", listen=where, prefix=here, **common)
    allow = ("--nodes", 12, "--cores", 6, *lasting, "--allow", run.folder / "job.py")
    near = run.join(where, *allow, listen=f"{HERE}:0", prefix=here, **common)
    far = run.join(where, *allow, listen=f"{THERE}:0", prefix=there, **common)
    for join in (near, far):
        join.says("12 nodes for job.py")
        join.says("nodes=12")  # each is in sessions of the other
    ip("-n", namespaces[0], "link", "set", "cable", "down")
    end = monotonic() + CUT_SECONDS
    for join in (near, far):
        join.says(f"it said nothing for {HEARTBEAT_SECONDS:g} s")
    until(lambda: monotonic() > end)
    met = far.stderr.count(" met ")
    ip("-n", namespaces[0], "link", "set", "cable", "up")
    until(lambda: far.stderr.count(" met ") > met, "they meet again", BACK_SECONDS)
    go.touch()
    assert host.report()["result"] == sum(range(partitions))
    near.ended()
    far.ended()
