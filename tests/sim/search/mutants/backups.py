"""What one process alone knows is kept in another one."""

from __future__ import annotations

from core import Session
from core.sessions.backups import Backups
from core.sessions.participant import Participant
from core.sessions.recovery import Recovery
from sim.search.invariants import FORGOTTEN, NOTHING_LOST, OUTPUTS
from tests.sim.search.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "what the parent's host keeps is of the wrong slot",
        Backups.add,
        "**facts}",
        "**{max(0, i - 1): fact for i, fact in facts.items()}}",
        70,
        (OUTPUTS, NOTHING_LOST),
    ),
    Mutant(
        "what was kept elsewhere is learnt for the wrong slot",
        Recovery.learn,
        "restorable(facts, None)",
        "restorable({i - 1: fact for i, fact in facts.items() if i}, None)",
        84,
        (OUTPUTS,),
    ),
    Mutant(
        "what is kept of sessions below is never forgotten",
        Backups.forget,
        "del self.facts[session]",
        "pass",
        5,
        (FORGOTTEN,),
    ),
    Mutant(
        "what one process alone knows is not kept in another",
        Session._back_up,
        "if together and",
        "if False and",
        30,
        (NOTHING_LOST,),
    ),
    Mutant(
        "what is to be kept is not sent",
        Participant._back_up,
        "if backup.facts and",
        "if False and",
        30,
        (NOTHING_LOST,),
    ),
    Mutant(
        "of what is kept only the last is",
        Backups.add,
        "{**self.facts.get(session, {}), **facts}",
        "dict(facts)",
        69,
        (NOTHING_LOST,),
    ),
)
