"""All is over: who is told, and when a run is given up."""

from __future__ import annotations

from core import Reflector, Session
from core.sessions.admission import Admission
from core.sessions.participant import Participant
from sim.search.invariants import ENDS, MEMBERSHIP, RELEASED
from sim.world import World
from tests.sim.search.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "only the leader is told that it is over",
        Session._ended,
        "for node in self.people]",
        "for node in list(self.people)[:1]]",
        5,
        (RELEASED,),
    ),
    Mutant(
        "who arrives when it is over is not told",
        Admission._seat,
        "if state.ended:",
        "if False:",
        5,
        (RELEASED,),
    ),
    Mutant(
        "that it is over is not said in the sessions below",
        Participant._stop,
        "below.say(ended)",
        "pass",
        5,
        (MEMBERSHIP, RELEASED),
    ),
    Mutant(
        "standbys are not told that it is over",
        Reflector._over,
        "self.admission.dismiss(reply)",
        "pass",
        6,
        (RELEASED,),
    ),
    Mutant(
        "a run is given up while something is on its way for long",
        World._look_for_end,
        "max(clock.ticks(STANDSTILL_SECONDS), STANDSTILL_TIMES * self._longest)",
        "clock.ticks(STANDSTILL_SECONDS)",
        1000,
        (ENDS,),
    ),
)
