"""Lobbies that are wrong: who has which slot, who is sent where, and what hosts know of that.

They are looked for in worlds of `sim.search.lobby.trial`.
"""

from __future__ import annotations

from core.lobby import Lobby, LobbySlots, Resident, Usher
from core.lobby.guide import Below
from sim.search.invariants import AT_HOME, BOUNDED, COUNTED, MEMBERSHIP, NO_EXCEPTION, SOUND
from tests.sim.search.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "who does not listen may have any slot",
        LobbySlots.free,
        "if not listens:",
        "if False:",
        6,
        (SOUND,),
    ),
    Mutant(
        "the slot of one who has gone is never free",
        Lobby.left,
        "self.slots.release(slot, now)",
        "pass",
        6,
        (SOUND,),
    ),
    Mutant(
        "who does not listen is sent ever deeper below one leader",
        Usher._spaces,
        "return 0 if leads or",
        "return 0 if",
        60,
        (BOUNDED,),
    ),
    Mutant(
        "who comes is sent to the child session with the most nodes",
        Usher._fewest,
        "nodes < fewest",
        "nodes > fewest",
        60,
        (BOUNDED,),
    ),
    Mutant(
        "the host above is told nothing",
        Resident.hear,
        "type(reply) is Counted",
        "False",
        6,
        (COUNTED,),
    ),
    Mutant(
        "who was on the way once is counted for ever",
        Below.estimate,
        "now - self.sent_at >= ON_THEIR_WAY_SECONDS",
        "False",
        60,
        (COUNTED,),
    ),
    Mutant(
        "small changes are never told",
        Usher._look,
        "due <= now or",
        "",
        60,
        (COUNTED,),
    ),
    Mutant(
        "who comes with a team has it wait below another slot",
        Usher.seated,
        "self._open(number)",
        "pass",
        200,
        (AT_HOME, MEMBERSHIP),
    ),
    Mutant(
        "whoever is turned away looks for where it was again and again",
        Resident.pause,
        "self._forget_below()",
        "pass",
        400,
        (COUNTED, AT_HOME),
    ),
    Mutant(
        "who is seated elsewhere goes on looking for where it was",
        Resident._settle,
        "self._forget_below()",
        "pass",
        60,
        (AT_HOME,),
    ),
    Mutant(
        "a child session is believed to be where nobody leads it",
        Usher.way,
        "self._open(child)\n        return child",
        "return child",
        200,
        (AT_HOME, NO_EXCEPTION),
    ),
)
