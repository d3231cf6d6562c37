"""Which job is given a core that is free, where a process computes several: the rule alone.

Rules it keeps:
- The highest priority goes first; a lower one gets what is left over.
- Inside a priority the seconds for which cores are held are in proportion to weights (stride
  scheduling): who had least by its weight is next. What is held counts at once, as long as it is
  likely to take.
- No core is idle while a job wants one. A job that wants none lends its share and gains no credit:
  when it wants one again it stands where the others are.
- One exception: a core that is left by the job whose turn it still is, is kept for it for a moment,
  as its next piece is on its way (anticipatory scheduling).
- A job changes only when what it is at has ended. Whoever is given short pieces one after the other
  stops when it is a slice ahead of one who waits.
- Only where it is asked for, and only for a higher priority, a piece is given back unfinished.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

SLICE_SECONDS = 0.05  # by weight, that one may be ahead of another who waits
KEPT_SHARE, KEPT_SECONDS_MAX = 0.1, 0.1  # of what a core was held for, or is to be held for next


@attrs.define(eq=False)
class Claim:
    """One job's. Seconds of cores are counted by weight: half of them for a weight of 2."""

    priority: int
    weight: float
    spent: float = 0.0  # without what is held now
    wants: bool = False  # a core, for what is to be begun
    waits_since: float = 0.0
    likely: float = 0.0  # seconds that what it begins on a core takes
    holds: list[Hold] = attrs.Factory(list)
    kept: list[float] = attrs.Factory(list)  # until when, for each core that is kept

    def had(self, now: float) -> float:
        """What it had so far."""
        return self.spent + sum(now - hold.since for hold in self.holds) / self.weight

    def charged(self, now: float) -> float:
        """The same, with what that which it holds is likely to take."""
        return self.spent + sum(hold.seconds(now) for hold in self.holds) / self.weight


@attrs.define(eq=False)
class Hold:
    """A core that a job has. `since`: from when on it is not counted yet."""

    claim: Claim
    began: float
    since: float
    until: float  # as is likely
    asked_back: bool = False
    starts: bool = False  # a process starts on it, which is not to count

    def seconds(self, now: float) -> float:
        return max(self.until, now) - self.since


class Shares:
    """Of the cores of one process. All times are seconds of one clock."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self._claims: dict[Claim, None] = {}  # in the order in which they came
        self._reached: dict[int, float] = {}  # what those of a priority had who had least

    def enter(self, priority: int, weight: float) -> Claim:
        """A job is there."""
        claim = Claim(priority, weight)
        self._claims[claim] = None
        return claim

    def leave(self, claim: Claim) -> None:
        """It is over; what it held is free."""
        del self._claims[claim]
        self._forget(claim.priority)

    def weigh(self, claim: Claim, priority: int, weight: float, now: float) -> None:
        """From now on it has that priority and weight. Where the priority is another, it stands
        where those are who have it already."""
        claim.spent = claim.had(now)
        for hold in claim.holds:
            hold.since = now
        claim.weight = weight
        if priority != claim.priority:
            before, claim.priority = claim.priority, priority
            self._forget(before)
            claim.spent = self._reach(priority, now, without=claim)

    def want(self, claim: Claim, wants: bool, now: float) -> None:
        """It has something to begin, or nothing."""
        if wants and not claim.wants:
            claim.waits_since = now
            reached = self._reach(claim.priority, now, without=claim)
            if not _is_active(claim, now):
                claim.spent = max(claim.spent, reached)
        claim.wants = wants

    # -- cores -----------------------------------------------------------------------------

    @property
    def free(self) -> int:
        """How many nobody holds."""
        return self.cores - sum(len(claim.holds) for claim in self._claims)

    def upcoming(self, now: float) -> Claim | None:
        """Whose turn it is to take a core; nobody's where none is free, or wanted."""
        free, first = self.free, self._first(now)
        if first is None or free <= 0:
            return None
        kept = [until for other in self._ahead(first, now) for until in other.kept if until > now]
        return first if free > len(kept) else None

    def take(self, claim: Claim, likely: float, now: float) -> Hold:
        """It has one core more, likely for so many seconds."""
        hold = Hold(claim, now, now, now)
        claim.holds.append(hold)
        self.expect(hold, likely, now)
        claim.waits_since = now
        if claim.kept:
            claim.kept.pop(0)
        return hold

    def expect(self, hold: Hold, seconds: float, now: float) -> None:
        """So long it is likely to be held from now on."""
        hold.until, hold.claim.likely = now + seconds, seconds

    def started(self, hold: Hold, now: float) -> None:
        """What its process took to start does not count, and is no credit: it stands with all."""
        claim, hold.starts, hold.since = hold.claim, False, now
        reached = self._reach(claim.priority, now, without=claim)
        claim.spent += max(0.0, reached - claim.had(now))

    def give_back(self, hold: Hold, now: float) -> None:
        """That core is free again."""
        claim, held = hold.claim, now - hold.began
        if claim in self._claims:
            self._reach(claim.priority, now)
            claim.holds.remove(hold)
            claim.spent += (now - hold.since) / claim.weight
            claim.kept = [until for until in claim.kept if until > now]
            first = self._first(now)
            if not claim.wants:
                worth = max(held, 0.0 if first is None else first.likely)
                claim.kept.append(now + min(KEPT_SHARE * worth, KEPT_SECONDS_MAX))

    def kept_until(self, now: float) -> float | None:
        """When a core is not kept any more, if others wait for it."""
        first = self._first(now)
        if first is None or self.free <= 0:
            return None
        kept = [until for other in self._ahead(first, now) for until in other.kept if until > now]
        return min(kept, default=None)

    def goes_on(self, claim: Claim, now: float) -> bool:
        """Whether it may have more pieces begun on a core that it has, rather than leave that."""
        had = claim.had(now)
        return not any(
            other.priority > claim.priority
            or (other.priority == claim.priority and other.charged(now) + SLICE_SECONDS < had)
            for other in self._claims
            if other.wants and other is not claim
        )

    def to_give_back(self, after: float, now: float) -> Hold | None:
        """What is to be given back unfinished: a job has waited for so many seconds, and only
        those of a lower priority have the cores. Of the lowest one, what began last."""
        first = self._first(now)
        holds = [hold for claim in self._claims for hold in claim.holds]
        if first is None or len(holds) < self.cores or now - first.waits_since < after:
            return None
        if any(hold.asked_back or hold.claim.priority >= first.priority for hold in holds):
            return None
        return min(holds, key=lambda hold: (hold.claim.priority, -hold.began))

    # -- who is next -----------------------------------------------------------------------

    def _first(self, now: float) -> Claim | None:
        """Of those who want a core."""
        wanting = [claim for claim in self._claims if claim.wants]
        return min(wanting, key=lambda claim: _turn(claim, now), default=None)

    def _ahead(self, first: Claim, now: float) -> Iterator[Claim]:
        """Those who want nothing at this moment, but whose turn it would be."""
        turn = _turn(first, now)
        return (one for one in self._claims if one.kept and _turn(one, now) < turn)

    def _reach(self, priority: int, now: float, without: Claim | None = None) -> float:
        """What those of that priority had who had least; that never becomes less."""
        active = [
            claim.had(now)
            for claim in self._claims
            if claim.priority == priority and claim is not without and _is_active(claim, now)
        ]
        reached = max(self._reached.get(priority, 0.0), min(active, default=0.0))
        self._reached[priority] = reached
        return reached

    def _forget(self, priority: int) -> None:
        """What is not needed where nobody has it any more."""
        if not any(claim.priority == priority for claim in self._claims):
            self._reached.pop(priority, None)


def _turn(claim: Claim, now: float) -> tuple[int, float]:
    return -claim.priority, claim.charged(now)


def _is_active(claim: Claim, now: float) -> bool:
    return claim.wants or bool(claim.holds) or any(until > now for until in claim.kept)
