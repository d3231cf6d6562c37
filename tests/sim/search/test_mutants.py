"""The search finds what is wrong, and finds nothing where nothing is.

Each wrong core is looked for first with the seed that found it last, since most of the time goes by
with the seeds before that one. Where the core has changed, and another one finds it, all are tried.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import attrs
import pytest

from core.slots import Slots
from sim.search.trial import Violation, draw, run
from tests.sim.search.mutants import MUTANTS, Mutant, applied, found

FOUND = found()
SECONDS_MAX = 10  # of this process's own time, for one run


@contextmanager
def ended_after(seconds: int) -> Iterator[None]:
    """Whatever runs by then is ended by a TimeoutError."""

    def end(signum: int, frame: object) -> None:
        raise TimeoutError(f"it was not over after {seconds} s")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def violations(seeds: Iterable[int], lied: bool = False) -> Iterator[tuple[int, Violation]]:
    """A run that never ends is one, too: an exception ends it."""
    for seed in seeds:
        trial = draw(seed)
        if lied and not trial.liars:
            continue
        with ended_after(SECONDS_MAX):
            violation = run(trial).violation
        if violation is not None:
            yield seed, violation


def test_the_core_as_it_is_keeps_what_it_promises() -> None:
    """In the worlds in which wrong ones do not."""
    assert list(violations(sorted({*FOUND.values()}))) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.wrong)
def test_a_wrong_core_is_found(mutant: Mutant) -> None:
    seeds = range(mutant.within)
    first = FOUND.get(mutant.wrong, 0)
    assert first in seeds
    with applied(mutant):
        _, violation = next(violations((first, *seeds), mutant.lied), (None, None))
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
