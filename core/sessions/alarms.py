"""Alarms: that something is late in a session is noticed, though nothing happens there.

Rules it keeps:
- Nothing ticks while nobody waits: a timer is set when somebody is idle, or when the model has
  something to look at in any case.
- What is late is ordered, like all that changes a session.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from core.sessions import messages as m

if TYPE_CHECKING:
    from core.sessions.admission import Admission


class Alarms:
    """The timers of one session."""

    __slots__ = ("_look_at", "door", "watching")

    def __init__(self, door: Admission) -> None:
        self.door = door
        self.watching = False
        self._look_at: float | None = None

    def watch(self) -> None:
        """Somebody is idle or stands by: see to it that what is late is noticed."""
        self._set(self._due())

    def _due(self) -> float | None:
        """When something is late, if somebody waits for it."""
        door = self.door
        waited_for = door.reflector.live and (door.room.idle or door.standbys)
        return door.room.due() if waited_for else None

    def _set(self, due: float | None) -> None:
        if due is not None:
            self.watching, carrier = True, self.door.reflector.carrier
            carrier.call_later(max(0.0, due - carrier.now), self._ring)

    def _ring(self) -> None:
        self.watching = False
        door, due = self.door, self._due()
        if due is not None and due <= door.reflector.carrier.now:
            if not door.room.idle:
                door.call_standby()
            door.reflector.order(m.Alarm())
            due = self._due()
        self._set(due)

    def look(self, when: float) -> None:
        """Have the model look then, if that is still what it wants."""
        if when != self._look_at:
            self._look_at, carrier = when, self.door.reflector.carrier
            carrier.call_later(max(0.0, when - carrier.now), partial(self._looked, when))

    def _looked(self, when: float) -> None:
        self._look_at, reflector = None, self.door.reflector
        if not reflector.live or self.door.room.look != when:
            return
        if when <= reflector.carrier.now:
            reflector.order(m.Alarm())
        else:  # by a hair
            self.look(when)
