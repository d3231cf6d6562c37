"""That something has become slower is noticed, and that it has not is not called so."""

from __future__ import annotations

import pytest

from tests.benchmarks.__main__ import Command
from tests.benchmarks.check import PAIRS, TOLERANCE, Check, checks, core_seconds, main

KEPT = 2.0


def check(*ratios: float) -> Check:
    """One whose pairs come to these, one after the other."""
    measured = iter(ratios)
    return Check("ours / theirs", KEPT, lambda: next(measured), lambda: 1.0)


def test_what_is_slower_than_it_was_is_the_exit_code() -> None:
    slow = [KEPT * TOLERANCE * 1.01] * PAIRS
    assert main([check(*slow), check(*[KEPT] * PAIRS)]) == 1


def test_the_best_pair_counts() -> None:
    assert main([check(KEPT * 3, KEPT * TOLERANCE * 0.99, KEPT * 3)]) == 0


def test_nothing_is_measured_after_a_good_pair() -> None:
    """Where `next` would have no more."""
    assert main([check(KEPT * 3, KEPT)]) == 0


def test_a_wrong_result_is_no_figure() -> None:
    wrong = Command("a run", 8, ("-c", "print('{\"result\": 7}')"))
    with pytest.raises(SystemExit, match="a run: WRONG, not 8"):
        core_seconds(wrong)()


def test_the_work_of_processes_that_were_started_in_turn_counts() -> None:
    """As the bots of a deployment are."""
    work = "sum(range(20_000_000))"
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{work}'])"
    idle = Command("idle", 1, ("-c", "print('{\"result\": 1}')"))
    busy = Command("busy", 1, ("-c", f"{inner}; print('{{\"result\": 1}}')"))
    assert core_seconds(busy)() > 2 * core_seconds(idle)()


def test_every_figure_that_is_kept_can_be_measured_here() -> None:
    assert {found.name.split(" / ")[1] for found in checks()} == {
        "bare SimPy",
        "ProcessPoolExecutor(2).map",
    }
    assert all(found.kept > 0 for found in checks())
