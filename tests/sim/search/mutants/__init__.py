"""Cores that are wrong on purpose, each in one place: what the search has to find.

A mutant is an edit of the text of one function of the core, or of the simulator, so that it
shows what it changes and nothing else, and stops applying, with a clear error, when that text is
gone. `mutant.py` does so; every other file holds the mutants of one concern. `found.json` has the
seed with which each was found last, as `tests.sim.search.finding` keeps it.
"""

import json
from pathlib import Path

from tests.sim.search.mutants import (
    backups,
    computation,
    ending,
    liars,
    places,
    recovery,
    replicas,
    store,
)
from tests.sim.search.mutants.mutant import Mutant, applied

__all__ = ["FOUND_FILE", "MUTANTS", "Mutant", "applied", "found"]

FOUND_FILE = Path(__file__).with_name("found.json")

MUTANTS = (
    *computation.MUTANTS,
    *places.MUTANTS,
    *replicas.MUTANTS,
    *recovery.MUTANTS,
    *store.MUTANTS,
    *backups.MUTANTS,
    *ending.MUTANTS,
    *liars.MUTANTS,
)


def found() -> dict[str, int]:
    """The seed that found each mutant last, by what is wrong with it."""
    seeds: dict[str, int] = json.loads(FOUND_FILE.read_text("utf-8"))
    return seeds
