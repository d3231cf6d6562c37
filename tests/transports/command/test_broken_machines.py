"""A machine on which nothing works, or nothing ends, costs no result."""

from __future__ import annotations

import pytest

from tests.running import Programs

OF_ONE_MACHINE = """
import os, threading

def there(function):
    if os.environ.get("RAISES"):
        raise RuntimeError("this machine is broken")
    if os.environ.get("HANGS") == function:
        threading.Event().wait()

def prepare(input, sizes):
    there("prepare")
    return [None] * len(sizes)

def compute(input, index):
    there("compute")
    return 1

def collect(outputs):
    there("collect")
    return sum(outputs)
"""


@pytest.mark.parametrize(
    ("broken", "fanout", "more"),
    [
        ({"RAISES": "1"}, 6, ()),
        ({"HANGS": "compute"}, 60, ()),
        ({"HANGS": "compute"}, 6, ("--piece-timeout", 1)),
        ({"HANGS": "prepare"}, 6, ()),
        ({"HANGS": "collect"}, 6, ("--piece-timeout", 1)),
    ],
    ids=str,
)
def test_one_broken_machine_of_three_costs_no_result(
    run: Programs, broken: dict[str, str], fanout: int, more: tuple[object, ...]
) -> None:
    """In a tree, or in one session for all. What else may hang where is for the search."""
    job = run.job(OF_ONE_MACHINE)
    host = run.host("--job", job, "--partitions", 60, "--fanout", fanout, "--wait-nodes", 6, *more)
    joined = [
        run.join(host, "--nodes", 2, "--allow", job, env=environment)
        for environment in (broken, {}, {})
    ]
    assert host.report(seconds=60)["result"] == 60  # each step that hangs is waited for
    for one in joined:
        one.ended()


STUCK = """
import os, time

def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    try:
        os.close(os.open(input, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return 1
    time.sleep(1000)  # the first; whoever tries it again does it at once

def collect(outputs):
    return sum(outputs)
"""


@pytest.mark.parametrize("shape", [(3, 9, 3), (2, 2, 2)], ids=["tree", "one session"])
def test_a_piece_that_others_have_done_holds_nobody_up(
    run: Programs, shape: tuple[int, int, int]
) -> None:
    nodes, partitions, fanout = shape
    options = ("--nodes", nodes, "--partitions", partitions, "--fanout", fanout, "--processes", 2)
    job = ("--job", run.job(STUCK), "--input", run.folder / "mark")
    assert run.start(*options, *job, "--json").report(seconds=20.0)["result"] == partitions
