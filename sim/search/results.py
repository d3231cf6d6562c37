"""What comes of a trial: of one run, or of two that should be alike."""

from __future__ import annotations

import attrs

from sim.search.invariants import IN_TIME, LIVES
from sim.search.trial import Outcome, Trial

Source = int | Trial  # a seed to draw from, or what was drawn once


@attrs.frozen
class Run:
    """What came of a trial in one worker."""

    trial: Trial | None  # None where not even that could be had
    outcome: Outcome
    hash_seed: int

    @property
    def broken_off(self) -> bool:
        violation = self.outcome.violation
        return violation is not None and violation.invariant in (LIVES, IN_TIME)

    def differs(self, other: Run) -> bool:
        return _compared(self.outcome) != _compared(other.outcome)


def _compared(outcome: Outcome) -> tuple[object, ...]:
    violation = outcome.violation
    return outcome.digest, outcome.messages, outcome.probes, violation and violation.invariant


@attrs.frozen
class Result:
    """What came of a source: of one run, or of two under different hash seeds."""

    source: Source
    runs: tuple[Run, ...]

    @property
    def run(self) -> Run:
        """The one to be told of: that which was broken off, else the first."""
        return next((run for run in self.runs if run.broken_off), self.runs[0])

    @property
    def differs(self) -> bool:
        return not self.run.broken_off and self.runs[0].differs(self.runs[-1])

    @property
    def fails(self) -> bool:
        return self.run.outcome.violation is not None or self.differs


def seed_of(source: Source) -> int:
    """The seed, given or drawn from."""
    return source if isinstance(source, int) else source.seed
