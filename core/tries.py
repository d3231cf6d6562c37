"""What has failed: whose turn it is to try again, and when that is enough.

Rules it keeps:
- Tries count processes: what is wrong with a machine is wrong with all its nodes.
- What TRIES processes failed has failed for good. Where fewer are in a session it is tried TRIES
  times in all, and then the session gives up: that is a try of its slot in the session above.
  Who is at something may be the only one who can do it, so it is waited for an hour.
- Whose process has failed gets nothing for a while, each time for twice as long, until it succeeds.
  Where what it failed at is lost, that was not its fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.sessions.messages import Node, process_of
from core.sessions.model import Membership

TRIES: Final = 3
# Until nobody counts on who is at it, if nothing says how long it takes.
HOPELESS_SECONDS: Final = 3600.0
TRIES_ALONE: Final = 13  # of a step, in which that time has passed
SECONDS_MAX: Final = 1e9  # that anything takes, whatever somebody says
BACKOFF_SECONDS: Final = 0.5
BACKOFFS_MAX: Final = 12  # times that a backoff is doubled


def processes_of(nodes: Iterable[Node]) -> set[int]:
    """Those of all `nodes`."""
    return {process_of(node) for node in nodes}


def who_may_try(
    tried: Iterable[Node], people: Membership, busy: Iterable[Node | None] = ()
) -> list[Node]:
    """Whose turn it is: in join order, of no process that has tried, and not busy for ever."""
    been, barred = processes_of(tried), {*people.observers, *busy}
    return [n for n in people.people if process_of(n) not in been and n not in barred]


def backoff_seconds(times: int) -> float:
    """For how many seconds who has failed so often is to have nothing."""
    return BACKOFF_SECONDS * 2.0 ** min(times - 1, BACKOFFS_MAX)


class Backoffs(dict[int, tuple[int, float]]):
    """Of processes that fail: how often they have, and until when they are to have nothing."""

    __slots__ = ()

    def present(self) -> set[int]:
        """Who is to have nothing now."""
        return {process for process, (_, until) in self.items() if until}

    def begin(self, process: int, now: float) -> None:
        """It has failed; in a backoff already that was another of its nodes, meanwhile."""
        times, until = self.get(process, (0, 0.0))
        if until <= now:
            self[process] = times + 1, now + backoff_seconds(times + 1)

    def cancel(self, process: int) -> bool:
        """It has succeeded, and its backoff ends; whether it had failed."""
        return self.pop(process, None) is not None

    def end(self, now: float) -> None:
        """Those whose time is over may have something again."""
        for process, (times, until) in self.items():
            if until <= now:
                self[process] = times, 0.0


def failed_for_good(tried: Iterable[Node]) -> bool:
    """Whether so many processes cannot all be broken."""
    return len(processes_of(tried)) >= TRIES
