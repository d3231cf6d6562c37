"""The search in lobbies finds what is wrong, and finds nothing where nothing is."""

from __future__ import annotations

import pytest

from sim.search.lobby import home
from sim.search.lobby.trial import draw, run
from tests.sim.search.mutants import applied
from tests.sim.search.mutants.lobbies import MUTANTS
from tests.sim.search.mutants.mutant import Mutant
from tests.sim.search.test_seeds import first_fresh

BATCHES, BATCH = 4, 10
FOUND = {  # the seed that found it, where that was not one of the first
    "who does not listen is sent ever deeper below one leader": 190,
    "who comes with a team has it wait below another slot": 94,
    "whoever is turned away looks for where it was again and again": 133,
    "who is seated elsewhere goes on looking for where it was": 25,
    "who comes is sent to the child session with the most nodes": 3,
    "small changes are never told": 3,
    "a child session is believed to be where nobody leads it": 14,
}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_fresh_lobbies(batch: int) -> None:
    first = first_fresh() + batch * BATCH
    for seed in range(first, first + BATCH):
        violation = run(draw(seed)).violation
        assert violation is None, f"python -m sim.search --lobby --seed {seed}"


def test_lobbies_as_they_are_keep_what_they_promise() -> None:
    """In the worlds in which wrong ones do not."""
    assert all(run(draw(seed)).violation is None for seed in (*FOUND.values(), *range(4)))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.wrong)
def test_a_wrong_lobby_is_found(mutant: Mutant) -> None:
    seeds = [FOUND.get(mutant.wrong, 0), *range(mutant.within)]
    with applied(mutant):
        violations = (run(draw(seed)).violation for seed in seeds)
        violation = next((found for found in violations if found is not None), None)
    assert violation is not None
    assert violation.invariant in mutant.found_by


def test_two_runs_of_a_trial_are_alike() -> None:
    assert run(draw(3)).digest == run(draw(3)).digest


@pytest.mark.parametrize(
    ("nodes", "fanout", "levels"), [(1, 4, 3), (4, 4, 3), (5, 4, 4), (16, 4, 5), (10**6, 32, 7)]
)
def test_how_deep_a_lobby_may_become(nodes: int, fanout: int, levels: int) -> None:
    assert home.levels_max(nodes, fanout) == levels
