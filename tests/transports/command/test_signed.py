"""Jobs whose code travels, signed: to nodes that trust the key, and to no others."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.processes import free_port
from tests.running import PROGRAM, TOKEN, Program, Programs
from tests.transports.command.asking import Terminal
from transports import Fleet, Refused
from transports.signing.keys import line_of, make

JOB = """
import time

import helper

def prepare(input, sizes):
    return [input for _ in sizes]

def compute(input, index):
    print("at partition", index)
    time.sleep(input)
    return helper.twice(index)

def collect(outputs):
    return sum(outputs)
"""
HELPER = "def twice(x):\n    return 2 * x\n"
WITH_TOKEN = {"env": {"MILLION_NODES_TOKEN": TOKEN}}


class OfTrust:
    """A fleet whose root trusts the keys in `trusted`; jobs are in a folder that no node knows."""

    def __init__(self, run: Programs) -> None:
        self.run, self.folder = run, run.folder / "mine"
        self.folder.mkdir(mode=0o700)
        self.job = self.folder / "job.py"
        self.job.write_text(JOB)
        (self.folder / "helper.py").write_text(HELPER)
        self.trusted = run.folder / "trusted"
        self.trusted.write_text(self.made("key"))
        self.trusted.chmod(0o644)
        self.address = f"127.0.0.1:{free_port()}"
        self.root = self.start("serve", "--listen", self.address, "--trust", self.trusted)
        self.root.says("fleet at ")

    def made(self, name: str) -> str:
        """The line of a new key."""
        return line_of(make(self.folder / name).public) + "\n"

    def start(self, *words: object) -> Program:
        return self.run.start(*words, **WITH_TOKEN)

    def join(self, *words: object) -> Program:
        joined = self.start("join", self.address, "--nodes", 2, "--cores", 1, *words)
        joined.says("2 nodes in the fleet")
        return joined

    def submit(self, *words: object, key: str = "key") -> Program:
        words = ("--job", self.job, "--partitions", 6, *words)
        return self.start("submit", self.address, *words, "--sign", self.folder / key)

    def stop(self, *members: Program) -> None:
        self.start("stop", self.address).ended()
        for program in (*members, self.root):
            program.ended()


@pytest.fixture
def fleet(run: Programs) -> OfTrust:
    return OfTrust(run)


def test_a_file_travels_to_who_trusts_its_key_and_others_stay_for_other_jobs(
    fleet: OfTrust,
) -> None:
    stranger, member = fleet.join(), fleet.join("--trust", fleet.trusted)
    assert fleet.submit("--input", 0, "--json").report()["result"] == 30
    stranger.says("the job is signed, and no key is trusted here")
    (fleet.folder / "helper.py").write_text(HELPER.replace("2", "3"))  # it is as it is sent
    assert fleet.submit("--input", 0, "--json").report()["result"] == 45
    primes = ("--job", "plugins.primes", "--input", 100)
    assert fleet.start("submit", fleet.address, *primes, "--json").report()["result"] == 25
    installed = fleet.submit("--job", "plugins.primes", "--input", 100, "--json")
    assert installed.report()["result"] == 25
    calls = ("--map", "math:isqrt", "--over", 5, "--sign", fleet.folder / "key")
    roots = fleet.start("submit", fleet.address, *calls, "--json")
    assert roots.report()["result"] == [0, 1, 1, 1, 2]
    called_by_a_program(fleet)
    refused_in_a_line(fleet)
    declined = [line for line in stranger.stderr.splitlines() if "no key is trusted" in line]
    assert len(declined) == 1  # it is said once, however many jobs are alike
    fleet.stop(stranger, member)
    (told,) = [line for line in fleet.root.stderr.splitlines() if "no key is trusted" in line]
    assert told.startswith(f"{PROGRAM}: the process at 127.0.0.1:")


def test_what_travels_is_told_on_a_terminal(fleet: OfTrust) -> None:
    """Of a job, and of calls."""
    member = fleet.join("--trust", fleet.trusted)
    helper = ("--map", f"{fleet.folder / 'helper.py'}:twice", "--over", 3)
    for words, what in ((("--job", fleet.job, "--input", 0), "job.py"), (helper, "helper.py")):
        terminal = Terminal()
        more = {**WITH_TOKEN, "stderr": terminal.end}
        sign = ("--sign", fleet.folder / "key")
        submit = fleet.run.start("submit", fleet.address, *words, *sign, **more)
        terminal.shows("bytes in all")
        assert "signed and sent: " in terminal.shown
        assert what in terminal.shown
        submit.ended()
        terminal.close()
    fleet.stop(member)


def refused_in_a_line(fleet: OfTrust) -> None:
    fleet.made("other")
    refused = fleet.submit("--input", 0, key="other").ended(5).stderr
    assert refused.startswith(f"{PROGRAM}: the root at {fleet.address} refuses it: ")
    assert refused.endswith("which is not trusted here\n")
    unsigned = fleet.start("submit", fleet.address, "--job", fleet.job).ended(5).stderr
    assert "--sign" in unsigned  # as there is a key that is trusted
    (fleet.folder / "key").chmod(0o644)
    assert "chmod 600" in fleet.submit().ended(2).stderr


def called_by_a_program(fleet: OfTrust) -> None:
    token = fleet.run.folder / "token"
    token.write_text(TOKEN)
    key = fleet.folder / "key"
    with Fleet.connect(fleet.address, token, key=key) as connected:
        assert [*connected.map(lambda x: {"square": x * x}, [1, 2])] == [
            {"square": 1},
            {"square": 4},
        ]
        with pytest.raises(ZeroDivisionError) as raised:
            [*connected.map(lambda x: 1 // x, [0])]
        assert "in <lambda>" in str(raised.value.__cause__)
        assert connected.map_reduce(abs, range(-10, 0), reduce=sum) == 55
        with connected.executor() as executor:
            assert executor.submit(pow, 2, 10).result() == 1024
            with pytest.raises(TypeError, match=r"set \{1\}: use sorted"):
                executor.submit(lambda: {1}).result()
        assert connected.run(fleet.job, 0, partitions=2) == 3
    with Fleet.connect(fleet.address, token, key=key, trust_nodes=True) as connected:
        assert [*connected.map(lambda x: {x}, [1])] == [{1}]
        assert connected.map_reduce(abs, [-1, 2], reduce=sum) == 3
    assert trio.run(awaited, Fleet.connect(fleet.address, token, key=key)) == [[1, 4], 3]
    with Fleet.connect(fleet.address, token) as connected, pytest.raises(Refused):
        connected.map(abs, [1])


async def awaited(fleet: Fleet) -> list[Any]:
    """The same in a loop."""
    async with fleet as connected:
        squares = [square async for square in connected.map(lambda x: x * x, [1, 2])]
        return [squares, await connected.map_reduce(abs, [-1, 2], reduce=sum)]


def test_a_key_that_is_removed_stops_its_jobs_where_it_was_trusted(
    fleet: OfTrust, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.write_text(fleet.trusted.read_text())
    here.chmod(0o644)
    member = fleet.join("--trust", here)
    slow = fleet.submit("--input", 60)
    member.says("at partition")
    here.write_text("nonsense\n")
    member.signal(signal.SIGHUP)
    member.says("is no key: 'nonsense'")
    here.write_text("\n")
    member.signal(signal.SIGHUP)
    member.says("the key of the job is not trusted here any more")
    failed = slow.ended(1)
    assert "not trusted here any more" in failed.stderr
    fleet.trusted.write_text("\n")
    fleet.root.signal(signal.SIGHUP)
    fleet.root.says("0 keys trusted from now on")
    assert "which is not trusted here" in fleet.submit().ended(5).stderr
    fleet.stop(member)
