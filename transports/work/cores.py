"""The cores of one process, as its jobs share them: the rule of `shares.py`, by the loop's clock.

Rules it keeps:
- A computing process holds a core for as long as it has calls. There are never more that do than
  there are cores, however many jobs are computed.
- What a job weighs is told by its number, maybe before it is here; and may change at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
import trio

from transports.work.shares import Claim, Hold, Shares


@attrs.frozen
class Weight:
    """Of a job: those of the highest priority go first, by weight among themselves."""

    priority: int = 0
    weight: float = 1.0


class Cores:
    """Those of one process. `weights`: of the jobs, by number, as the root has told them."""

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._weights: dict[int, Weight] = {}
        self._preempt_after: float | None = None
        self._shares = Shares(count)
        self._parts: dict[Claim, Part] = {}

    @property
    def free(self) -> int:
        """How many nobody holds."""
        return self._shares.free

    def part(self, number: int = 0) -> Part:
        """What the job of that number has of them, until it leaves."""
        weight = self._weights.get(number, Weight())
        claim = self._shares.enter(weight.priority, weight.weight)
        self._parts[claim] = part = Part(self, self._shares, claim, number)
        return part

    def weigh(self, weights: Mapping[int, Weight], preempt_after: float | None = None) -> None:
        """What jobs weigh from now on; of all others nothing is known. `preempt_after`: seconds for
        which only a lower priority may have all cores while a higher one waits; None: any time."""
        self._weights, self._preempt_after = dict(weights), preempt_after
        for claim, part in self._parts.items():
            now = weights.get(part.number)
            if now is not None and (now.priority, now.weight) != (claim.priority, claim.weight):
                self._shares.weigh(claim, now.priority, now.weight, trio.current_time())
        self.assign()

    def assign(self) -> float | None:
        """Have whoever is next begin something on each core that is free. Returns until when one
        is kept for a job though others want it."""
        while (claim := self._shares.upcoming(trio.current_time())) is not None:
            self._parts[claim].begin()
        return self._shares.kept_until(trio.current_time())

    def preempt(self) -> None:
        """Have a piece given back unfinished, if that is to be."""
        if self._preempt_after is not None:
            hold = self._shares.to_give_back(self._preempt_after, trio.current_time())
            if hold is not None:
                hold.asked_back = True
                self._parts[hold.claim].give_up(hold)

    def forget(self, claim: Claim) -> None:
        """That job is over."""
        if self._parts.pop(claim, None) is not None:
            self._shares.leave(claim)
            self.assign()


def _nothing(*_: Hold) -> None:
    pass


@attrs.define(eq=False)
class Part:
    """What one job has of the cores. `begin` is called when it is its turn: it takes a core, or
    wants none any more. `give_up`, when it is to give one back at once."""

    _cores: Cores
    _shares: Shares
    _claim: Claim
    number: int
    begin: Callable[[], None] = _nothing
    give_up: Callable[[Hold], None] = _nothing

    @property
    def most(self) -> int:
        """The cores that there are."""
        return self._cores.count

    def want(self, wants: bool) -> None:
        """There is something to begin, or nothing."""
        self._shares.want(self._claim, wants, trio.current_time())

    def assign(self) -> float | None:
        """As `Cores.assign`."""
        return self._cores.assign()

    def preempt(self) -> None:
        """As `Cores.preempt`."""
        self._cores.preempt()

    def take(self, starts: bool) -> Hold:
        """A core, when it is its turn. `starts`: for a process that is to say when it is there."""
        hold = self._shares.take(self._claim, 0.0, trio.current_time())
        hold.starts = starts
        return hold

    def started(self, hold: Hold) -> None:
        """Its process is there."""
        self._shares.started(hold, trio.current_time())

    def expect(self, hold: Hold, seconds: float) -> None:
        """So long it is likely to be held from now on."""
        self._shares.expect(hold, seconds, trio.current_time())

    def give_back(self, hold: Hold) -> None:
        self._shares.give_back(hold, trio.current_time())

    def goes_on(self) -> bool:
        """Whether more may be begun on a core that it has."""
        return self._shares.goes_on(self._claim, trio.current_time())

    def leave(self) -> None:
        """The job is over here; its cores are free."""
        self._cores.forget(self._claim)
