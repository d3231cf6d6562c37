"""What others are to keep, told together: one message for what was done within a moment.

Rules it keeps:
- What comes after a quiet moment is told at once. What follows closely waits until the moment is
  over, and is then one message for each session.
- Who has gone elsewhere meanwhile tells nothing: whoever has its place is asked anew.
- So what is lost with a process that is killed is, at most, what was done in one such moment. One
  that is told to go tells all before.
"""

from __future__ import annotations

from collections.abc import Callable

from core import messages as m
from core.messages import Facts, Place
from core.sessions.chain import View
from transports.process.queue import Queue

MOMENT_SECONDS = 0.2


class Gathered:
    """`say` has the host of a place told."""

    def __init__(self, queue: Queue, say: Callable[[View, Place, m.Backup], None]) -> None:
        self._queue = queue
        self._say = say
        self._waiting: dict[tuple[View, str], tuple[Place, Facts]] = {}  # and session
        self._gathers = False

    def tell(self, view: View, place: Place, backup: m.Backup) -> None:
        """Have the host of `place`, where `view` is, keep that."""
        if not self._gathers:
            self._gathers = True
            self._queue.call_later(MOMENT_SECONDS, self._over)
            return self._say(view, place, backup)
        before, facts = self._waiting.get((view, backup.session), (place, {}))
        known = facts if before == place else {}  # what it was told elsewhere is told here anew
        self._waiting[view, backup.session] = place, {**known, **backup.facts}
        return None

    def tell_all(self) -> None:
        """Without waiting any longer."""
        waiting, self._waiting = self._waiting, {}
        for (view, session), (place, facts) in waiting.items():
            if view.takes_part and view.place == place:
                self._say(view, place, m.Backup(session, facts))

    def _over(self) -> None:
        self._gathers = bool(self._waiting)
        if self._gathers:
            self._queue.call_later(MOMENT_SECONDS, self._over)
        self.tell_all()
