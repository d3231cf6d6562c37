"""Cores that are wrong on purpose, each in one place: what the search has to find.

A mutant is an edit of the text of one function of the core, or of the simulator, so that it
shows what it changes and nothing else, and stops applying, with a clear error, when that text is
gone. `mutant.py` does so; every other file holds the mutants of one concern.
"""

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

__all__ = ["MUTANTS", "Mutant", "applied"]

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
