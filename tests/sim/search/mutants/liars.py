"""Who may say what. Looked for in worlds with a liar."""

from __future__ import annotations

from core import rights
from core.sessions import roles
from core.sessions.participant import Participant
from core.sessions.recovery import Recovery
from core.steps import Steps
from sim.search.invariants import (
    ACCUSED,
    ENDS,
    MEMBERSHIP,
    NO_EXCEPTION,
    OUTPUTS,
    RELEASED,
    RESULT,
    SOUND,
)
from tests.sim.search.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "anybody may say that all is over",
        roles._of_leader,
        "if ends and not reflector.carrier.is_end(message):",
        "if False:",
        160,
        (ENDS,),
        lied=True,
    ),
    Mutant(
        "anybody may say what was asked of one",
        Steps.takes,
        " and node in self.asked",
        "",
        3930,
        (RESULT, ENDS, OUTPUTS),
        lied=True,
    ),
    Mutant(
        "outputs are taken from whoever brings them",
        rights._gave,
        "node not in slots.ever(i)",
        "False",
        760,
        (OUTPUTS,),
        lied=True,
    ),
    Mutant(
        "anybody may say what only a reflector says",
        roles.of_message,
        "role is REFLECTOR or ",
        "",
        900,
        (SOUND, MEMBERSHIP, NO_EXCEPTION),
        lied=True,
    ),
    Mutant(
        "a session is opened under a newer epoch than was assigned",
        roles.of_open,
        "if opening.epoch > current or opening.again:",
        "if opening.epoch > current: return COUNTS\n    if opening.again:",
        2200,
        (ENDS, MEMBERSHIP, RELEASED),
        lied=True,
    ),
    Mutant(
        "whoever says so has outputs kept",
        roles.of_backup,
        "COUNTS if model.room.holder(child) == node else PASSED_OVER",
        "COUNTS",
        750,
        (OUTPUTS,),
        lied=True,
    ),
    Mutant(
        "a replica is believed without its seal",
        Recovery.believes,
        "past.seal == reflector.seal(node, past.epoch)",
        "True",
        8000,
        (OUTPUTS,),
        lied=True,
    ),
    Mutant(
        "that all is over is believed of any host",
        Participant.answered,
        "case m.Stop() if self.port.is_end(reply.ended):",
        "case m.Stop():",
        1450,
        (MEMBERSHIP, RELEASED, ENDS, ACCUSED),
        lied=True,
    ),
)
