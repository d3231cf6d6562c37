"""The search in fleets finds what is wrong with them, and nothing where nothing is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from sim.search import report
from sim.search.__main__ import main
from sim.search.fleets import trial
from sim.search.fleets.probes import NAMES
from sim.search.shrink import shrink
from sim.search.trial import Violation
from sim.search.worker import from_plain, to_plain
from tests.sim.search.mutants import applied, fleets
from tests.sim.search.mutants.mutant import Mutant
from tests.sim.search.test_mutants import ended_after
from tests.sim.search.test_seeds import first_fresh

FRESH = 12
SECONDS_MAX = 20  # of this process's own time, for one run


def violations(seeds: Iterable[int]) -> Iterator[tuple[int, Violation]]:
    for seed in seeds:
        with ended_after(SECONDS_MAX):
            violation = trial.run(trial.draw(seed)).violation
        if violation is not None:
            yield seed, violation


def test_fresh_seeds() -> None:
    found = list(violations(range(first_fresh(), first_fresh() + FRESH)))
    assert found == [], [f"python -m sim.search --fleets --seed {seed}" for seed, _ in found]


@pytest.mark.parametrize("mutant", fleets.MUTANTS, ids=lambda mutant: mutant.wrong)
def test_a_wrong_fleet_is_found(mutant: Mutant) -> None:
    first = fleets.FOUND.get(mutant.wrong, 0)
    with applied(mutant):
        _, violation = next(violations((first, *range(mutant.within))), (None, None))
    assert violation is not None
    assert violation.invariant in mutant.found_by


def test_those_are_kept_that_are_right() -> None:
    """In the fleets in which wrong ones are found."""
    assert list(violations(sorted({*fleets.FOUND.values()}))) == []


def test_a_seed_is_the_same_trial_and_the_same_run() -> None:
    one, other = trial.draw(7), from_plain(to_plain(trial.draw(7)))
    assert one == other
    assert trial.run(one) == trial.run(other)
    assert trial.draw(8) != one


def test_a_fleet_that_fails_is_told_saved_made_smaller_and_run_again(tmp_path: Path) -> None:
    (mutant,) = (m for m in fleets.MUTANTS if m.wrong == "nobody is told that a job is over")
    with applied(mutant):
        seed, violation = next(violations(range(mutant.within)))
        drawn = trial.draw(seed)
        path = tmp_path / "failure.json"
        report.save(path, drawn, violation)
        assert report.load(path) == drawn

        def fails(one: trial.Trial) -> bool:
            return trial.run(one).violation is not None

        small = shrink(drawn, fails, runs_max=30).trial
        assert fails(small)
    assert 1 <= len(small.jobs) < len(drawn.jobs)
    assert len(small.faults) <= len(drawn.faults)


def test_the_command_line_draws_fleets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fleets", "--seed", "1", "--share-twice", "0"]) == 0
    told = capsys.readouterr().out
    assert "jobs        at 0.0, priority" in told
    assert any(name in told for name in NAMES)


def test_a_saved_trial_knows_what_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fleets", "--replay", "failure.json"]) != 0
    assert "--fleets does not go with --replay" in capsys.readouterr().err
