"""What a person sees of what happened in a job: where it raised, and what it printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.processes import free_port, until
from tests.running import PROGRAM, TOKEN, Program, Programs
from transports import Fleet
from transports.fleet.errors import JobUnknown

# The first try of piece 3 raises, whoever makes it; with an input piece 5 does not end.
FLAKY = """
import os, time

def prepare(input, sizes):
    return [input for _ in sizes]

def compute(input, index):
    print("piece", index)
    if index == 3:
        os.system("echo from a shell")
        try:
            os.mkdir({tried!r})
        except FileExistsError:
            return 1
        raise ValueError("no luck")
    while index == 5 and input:
        time.sleep(0.1)
    return 1

def collect(outputs):
    return sum(outputs)
"""
WITH_TOKEN: dict[str, Any] = {"env": {"MILLION_NODES_TOKEN": TOKEN}}


@pytest.fixture
def job(run: Programs) -> Path:
    return run.job(FLAKY.format(tried=str(run.folder / "tried")))


def served(run: Programs, address: str, job: Path, *more: object) -> Program:
    root = run.start("serve", "--listen", address, "--allow", job, *more, **WITH_TOKEN)
    root.says("fleet at ")
    return root


def log(run: Programs, address: str, number: int) -> dict[str, Any]:
    return run.start("log", address, number, "--json", **WITH_TOKEN).report()


def test_what_happened_is_there_while_it_runs_and_when_all_have_begun_anew(
    run: Programs, job: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    store = ("--store", run.folder / "store")
    root = served(run, address, job, *store)
    node = run.start("join", address, "--nodes", 4, "--allow", job, **WITH_TOKEN)
    submit = ("submit", address, "--job", job, "--input", "true", "--partitions", 8, "--detach")
    run.start(*submit, **WITH_TOKEN).ended()
    found = until(lambda: _with_all(log(run, address, 1)))
    assert found["state"] == "running"
    (raised,), (printed,) = found["raised"], found["printed"]
    assert (raised["session"], raised["partition"], raised["times"]) == ("1", 3, 1)
    assert raised["error"].endswith("ValueError: no luck\n")
    assert "piece 3" in printed["text"].splitlines()
    until(lambda: printed["text"] in node.stderr)  # it is shown there as well
    until(lambda: _is_stored(run.folder / "store"))
    root.kill()
    node.interrupt()
    node.ended(130)
    root = served(run, address, job, *store)
    again = log(run, address, 1)
    assert (again["raised"], again["printed"]) == ([raised], [])
    run.start("cancel", address, 1, **WITH_TOKEN).ended()
    said = run.start("log", address, 1, **WITH_TOKEN).ended().stdout
    assert said.startswith("job               1, job.py, cancelled\n")
    assert "raised 1 time:\nTraceback" in said
    unknown = run.start("log", address, 7, **WITH_TOKEN).ended(2)
    assert unknown.stderr.startswith(f"{PROGRAM}: there is no job 7")
    assert unknown.stderr.count("\n") == 1
    root.interrupt()
    root.ended(130)


def _with_all(found: dict[str, Any]) -> dict[str, Any] | None:
    """That, if what is to happen has."""
    printed = any("from a shell\n" in one["text"] for one in found["printed"])
    return found if printed and found["raised"] else None


def _is_stored(store: Path) -> bool:
    """As far as can be seen from outside: the root has it open."""
    wal = store.with_name(store.name + "-wal")
    return any(b"no luck" in file.read_bytes() for file in (store, wal) if file.exists())


def test_a_program_has_it_too(job: Path) -> None:
    with Fleet(nodes=2, processes=1) as fleet:
        done = fleet.submit(str(job), partitions=8)
        assert done.result() == 8
        found = done.log()
        assert [(one.partition, one.times) for one in found.raised] == [(3, 1)]
        assert "from a shell" in found.printed[0].text
        assert "ValueError: no luck" in str(found)
        with pytest.raises(JobUnknown):
            fleet.job(99).log()
