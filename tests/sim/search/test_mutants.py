"""The search finds what is wrong, and finds nothing where nothing is."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from core.slots import Slots
from sim.search.trial import Violation, draw, run
from tests.sim.search.mutants import MUTANTS, Mutant, applied

FIRST = 0  # of the seeds, for all
CONTROLS = 60


def violations(seeds: int, lied: bool = False) -> Iterator[tuple[int, Violation]]:
    for seed in range(FIRST, FIRST + seeds):
        trial = draw(seed)
        if lied and not trial.liars:
            continue
        violation = run(trial).violation
        if violation is not None:
            yield seed, violation


def test_the_core_as_it_is_keeps_what_it_promises() -> None:
    assert list(violations(CONTROLS)) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.wrong)
def test_a_wrong_core_is_found(mutant: Mutant) -> None:
    with applied(mutant):
        _, violation = next(violations(mutant.within, mutant.lied), (None, None))
    assert violation is not None
    assert violation.invariant in mutant.found_by


def test_a_mutant_is_gone_afterwards() -> None:
    before = Slots.__dict__["release"]
    mutant = next(mutant for mutant in MUTANTS if mutant.function == Slots.release)
    with applied(mutant):
        assert Slots.__dict__["release"] is not before
    assert Slots.__dict__["release"] is before


def test_a_mutant_of_a_core_that_has_changed_says_so() -> None:
    mutant = attrs.evolve(MUTANTS[0], old="if slots.forgotten:")
    with (
        pytest.raises(ValueError, match=r"finish has 0 times, not once: 'if slots.forgotten:'"),
        applied(mutant),
    ):
        pass
