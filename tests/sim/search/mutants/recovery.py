"""What is brought back after a loss, and to whom."""

from __future__ import annotations

from core import Computation, Host, Reflector
from core.sessions.admission import Admission
from core.sessions.participant import Participant
from core.sessions.recovery import Recovery
from core.slots import Slots
from sim.search.invariants import (
    ANSWERED,
    ENDS,
    MEMBERSHIP,
    NO_EXCEPTION,
    NOTHING_LOST,
    ONCE,
    OUTPUTS,
    RELEASED,
    SOUND,
)
from tests.sim.search.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "what a replica does not know is forgotten when it is brought",
        Computation.merge,
        "for i, (output, seconds, *lost) in facts.items():",
        "slots.done[:] = bytes([i in facts for i in range(len(slots))])\n"
        "    for i, (output, seconds, *lost) in facts.items():",
        18,
        (ONCE, OUTPUTS, SOUND),
    ),
    Mutant(
        "outputs of a replica that is brought are ignored",
        Computation.merge,
        "if not 0 <= i < len(slots) or slots.done[i]:",
        "if True:",
        48,
        (NOTHING_LOST, ENDS),
    ),
    Mutant(
        "nobody is asked for the replica that is known to be newer",
        Admission.arrive,
        "if past and reflector.recovery.is_new(node, past):",
        "if False:",
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "who is to bring a replica is not told",
        Recovery.ask,
        "self.reflector.reply(link, m.SendState())",
        "pass",
        69,
        (RELEASED, ENDS, NOTHING_LOST, ANSWERED),
    ),
    Mutant(
        "a replica that is brought is not taken in",
        Recovery.transferred,
        "self._merge(state)",
        "pass",
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "the first replica is taken, not the one that knows most",
        Recovery.is_new,
        "past.seq > brought",
        "past.seq > 0 and not brought",
        1500,
        (NOTHING_LOST,),
    ),
    Mutant(
        "an older leader's people are not sent over",
        Host.open,
        "old.close(opener)",
        "pass",
        530,
        (RELEASED, MEMBERSHIP, ENDS),
    ),
    Mutant(
        "who leads a session below does not find its slot",
        Admission._seat,
        "reply = self._redirect(child)",
        "reply = m.TurnedAway(ASK_AGAIN_SECONDS)",
        850,
        (NOTHING_LOST, RELEASED, ENDS),
    ),
    Mutant(
        "a newer assignment of a session has no newer epoch",
        Slots.give,
        "self.assigned[i] += 1",
        "self.assigned[i] = 1",
        48,
        (ENDS, MEMBERSHIP),
    ),
    Mutant(
        "an older leader that comes back keeps its people",
        Host.open,
        "old is not None and old.state.epoch >= opening.epoch",
        "old is not None",
        159,
        (ENDS, MEMBERSHIP, NO_EXCEPTION),  # it goes on for ever
    ),
    Mutant(
        "a new leader does not get the outcome that its team has",
        Participant.lead_on,
        "if below.outcome:",
        "if False:",
        680,
        (ENDS,),
    ),
    Mutant(
        "whoever lost a host does not look for the session again",
        Participant._look_up,
        "self._seek_above(up)",
        "pass",
        18,
        (RELEASED, ENDS, MEMBERSHIP, NOTHING_LOST, ANSWERED),
    ),
    Mutant(
        "a root that was opened anew never lets those in who come back",
        Admission.admit,
        "reflector.carrier.call_later(RETURN_SECONDS, self._begin)",
        "pass",
        21,
        (ENDS, ANSWERED),
    ),
    Mutant(
        "a host that loses a connection does not tell the session",
        Reflector.lose,
        "self.order(m.Left(node))",
        "pass",
        5,
        (MEMBERSHIP, ENDS),
    ),
)
