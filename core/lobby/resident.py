"""The participant of a lobby: one node's own side of one session in which it is at home.

Rules it keeps:
- Where it leads a session below, it tells the session above what is at home there, now and
  whenever it leads that anew.
- Whoever is turned away asks again after a while, twice as long each time, so that a million who
  find no place do not come as one.
"""

from __future__ import annotations

from typing import Any, Final

from core.lobby.messages import Counted, Settle
from core.sessions import states
from core.sessions.messages import Address, Lead, Node, Place
from core.sessions.participant import Participant
from core.sessions.port import Port

PAUSE_MAX: Final = 600.0  # seconds
TIMES_MAX: Final = 7  # from 5 s on: by then it is longer


class Resident(Participant):
    """A node's view of one lobby session."""

    __slots__ = ("turned_away",)

    def __init__(
        self, port: Port, node: Node, address: Address | None, place: Place, observes: bool = False
    ) -> None:
        super().__init__(port, node, address, place, observes)
        self.turned_away = 0  # times in a row

    def pause(self, seconds: float) -> float:
        """Up to a quarter longer or shorter, by its number, which spreads those who came as one."""
        self._forget_below()
        seconds = max(1.0, min(PAUSE_MAX, seconds)) * 2.0**self.turned_away
        self.turned_away = min(self.turned_away + 1, TIMES_MAX)
        spread = (self.node * 2_654_435_761 + self.turned_away * 40_503) % 65_536 / 65_536
        return min(PAUSE_MAX, seconds) * (0.75 + spread / 2)

    def hear(self, reply: Any) -> None:
        """What its own host counted, which it passes on."""
        if type(reply) is Counted and self.state is states.LEADING and not self.is_root:
            self.hand_up(Counted(self.number, reply.nodes, reply.spaces, reply.asked))

    def _settle(self, settle: Settle) -> None:
        """It has a slot."""
        self.turned_away = 0
        self._forget_below()

    def _forget_below(self) -> None:
        """Whoever does not listen leads nothing: where it was before somebody else may be."""
        below = self.below if self.address is None else None
        while below is not None:
            lower = below.below
            if below.state is not states.GONE:
                below.retire()
            below.below = self  # for whoever still knows the node by that view
            self.below, below = None, lower

    def _lead(self, lead: Lead) -> None:
        self.turned_away = 0
        self._told_to_lead(lead)


Resident.actions = {**Participant.actions, Lead: Resident._lead, Settle: Resident._settle}
