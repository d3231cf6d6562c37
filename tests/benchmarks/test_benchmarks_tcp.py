"""The benchmarks of TCP run, and prove what they print. How fast is no test's business."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

from tests.benchmarks.tcp import __main__ as command
from tests.benchmarks.tcp import (
    busy,
    fleet_killing,
    killing,
    peers,
    placing,
    reflector,
    shares,
    soak,
)
from tests.benchmarks.tcp.figures import share_of_cores
from tests.benchmarks.tcp.fleets import standing
from tests.benchmarks.tcp.killing import interior_hosts
from tests.benchmarks.tcp.measuring import TOP, Contender, Measured, Outcome, measure
from tests.benchmarks.tcp.predicted import Link, formed, formed_simulated, service_seconds

GOOD = {"result": 10, "seconds": 1.0}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "tests.benchmarks.tcp", "--quick", "--runs", "1", *arguments]
    return subprocess.run(line, cwd=TOP, capture_output=True, text=True, check=False, timeout=60)


# -- what is measured ----------------------------------------------------------------------


def test_contenders_run_in_turn() -> None:
    log: list[str] = []

    def note(name: str) -> dict[str, Any]:
        log.append(name)
        return GOOD

    found = measure([Contender(name, 10, partial(note, name)) for name in ("a", "b")], 3)
    assert log == ["a", "b"] * 3
    assert [len(one.reports) for one in found] == [3, 3]


def test_what_is_not_installed_is_said_and_not_tried_again() -> None:
    found = measure([Contender("a peer", 10, lambda: {"missing": "it is not here"})], 3)
    outcome = Outcome()
    outcome.wall("noop", found[0])
    outcome.ratio("noop", Measured("ours", 10, [GOOD]), found[0], "<= 1/5")
    (row,) = outcome.rows
    assert (row.figure, len(found[0].reports)) == ("not measured", 1)
    assert row.proof == "it is not here"
    assert outcome.wrong == []


@pytest.mark.parametrize("name", ["job", "map"])
def test_a_standing_fleet_is_proven(name: str) -> None:
    assert standing(name, name, 120).run()["result"] == 120


@pytest.mark.parametrize(
    "changed", [{"result": 9}, {"result": None}, {"failure": {"session": "0"}}], ids=str
)
def test_what_is_not_proven_is_noticed(changed: dict[str, Any]) -> None:
    assert Measured("all well", 10, [GOOD, GOOD]).proven
    outcome = Outcome()
    outcome.wall("noop", Measured("not so", 10, [GOOD, {**GOOD, **changed}]))
    assert outcome.wrong == ["not so"]
    assert " WRONG" in outcome.rows[0].proof


def test_a_wrong_result_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome()
    outcome.wall("rollup", Measured("a run", 7, [GOOD]))
    monkeypatch.setitem(command.BENCHMARKS, "rollup", lambda scale, runs: outcome)
    assert command.main(["--only", "rollup"]) == 1
    assert capsys.readouterr().out.endswith("WRONG: a run\n")


def test_the_share_of_two_cores() -> None:
    assert share_of_cores(pieces=200, piece_seconds=0.01, seconds=1.25) == pytest.approx(0.8)


def test_the_service_time_is_where_the_line_meets_what_was_measured() -> None:
    line = {0.0: 0.5, 1e-4: 0.7}
    assert service_seconds(line.__getitem__, 1e-4, measured=1.1) == pytest.approx(3e-4)


def test_interior_sessions_are_counted_where_they_are() -> None:
    root = {"session": "0", "children": {"0": "h:1", "1": "h:2", "2": "h:2"}}
    other = {"session": "0-1", "children": {"0": "h:3"}}
    assert interior_hosts({"sessions": [root, other]}) == {"h:1": 1, "h:2": 2}
    assert interior_hosts({}) == {}


QUICK = {"rollup": "100 x 75 ms, 100 nodes", "many": "100 connections, host memory each"}


def test_quick_figures_are_proven() -> None:
    ran = run(*(word for name in QUICK for word in ("--only", name)), "--peers-python", "none")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = [re.split(r" {2,}", line) for line in ran.stdout.splitlines()]
    assert {row[0]: row[1] for row in rows if " verified" in row[-1] and len(row) > 2} == QUICK
    assert ran.stdout.endswith("every result verified\n")


def test_what_is_published_reaches_everyone_in_order() -> None:
    found = reflector.publish(3, 0.2, window=2)
    assert found["result"] == [3, True]
    assert found["delivered"] == 3 * found["published"] > 0


def test_the_answer_is_right_when_the_root_is_killed() -> None:
    ran = killing.run(200, (killing.kill_root, 0.3), Random(1))
    assert (ran.result, ran.failure, ran.left_behind) == (shares.whole(200), None, 0)


def test_any_process_of_a_fleet_may_be_killed_while_jobs_run() -> None:
    """One after the other, each started again where nobody else does so."""
    random = Random(1)
    with fleet_killing.scene() as found:
        for victim in fleet_killing.VICTIMS[1:]:
            assert fleet_killing.run(found, victim, random).right, victim


def test_what_a_fleet_takes_does_not_grow_with_its_jobs(tmp_path: Path) -> None:
    """All kinds of them, a few times; a thousand are given by `--only soak`."""
    outcome = Outcome()
    with soak.served(tmp_path) as soaking:
        soak.soak_one(outcome, "served", soaking, jobs=4 * soak.KINDS, warm=2 * soak.KINDS)
    assert outcome.wrong == []
    assert {row.what.split(",")[0].strip() for row in outcome.rows[1:]} == soak.WHO


def test_what_grows_is_noticed() -> None:
    less = soak.Taken(bytes=2**25, descriptors=20, threads=1, processes=2)
    assert not soak.grown(less, less)
    for more in ({"bytes": 2**26}, {"descriptors": 21}, {"threads": 2}, {"processes": 3}):
        assert soak.grown(less, attrs.evolve(less, **more))


def test_a_tree_forms_on_tcp_and_in_the_simulator() -> None:
    found = formed(20).run()
    assert found["result"] == 20
    assert 0 < found["seconds"] < found["finished_seconds"]
    assert formed_simulated(Link(0.001, 0.0001), 20) > 0


# -- the jobs ------------------------------------------------------------------------------


def test_the_share_of_a_partition_counts_once_and_in_its_place() -> None:
    outputs = [shares.compute(None, index) for index in range(6)]
    whole = shares.whole(6)
    assert shares.collect([shares.collect(outputs[:2]), shares.collect(outputs[2:])]) == whole
    for wrong in (outputs[::-1], outputs[:3] + outputs[4:], [*outputs[:3], *outputs[2:]]):
        with pytest.raises(ValueError, match="is next, not"):
            shares.collect(wrong)
    outputs[3][2] = outputs[2][2]
    assert shares.collect(outputs) != whole


def test_busy_pieces_come_to_what_is_computed_without_the_loops() -> None:
    outputs = [busy.compute(50, index) for index in range(7)]
    assert busy.collect([busy.collect(outputs[:3]), busy.collect(outputs[3:])]) == busy.whole(50, 7)
    assert busy.bare(50, 7, 2)["result"] == busy.whole(50, 7)


def test_a_tree_has_formed_when_the_last_node_of_all_is_placed(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("[5.0, 6.5]")
    (tmp_path / "2").write_text("[5.25, 7.0]")
    assert placing.formed_seconds(tmp_path) == 2.0


@pytest.mark.parametrize("name", ["pool", "pool_rollup"])
def test_the_peer_that_is_always_there(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(peers, "FANOUT", 3)
    monkeypatch.setattr(peers, "DELAY_SECONDS", 0.001)
    assert peers.report(name, 12)["result"] == 12
