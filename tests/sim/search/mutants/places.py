"""Who is let in, who leads, and where a team goes."""

from __future__ import annotations

from core import Host, Session
from core.sessions.admission import Admission
from core.sessions.participant import Participant
from sim.search.invariants import ANSWERED, BOUNDED, ENDS, MEMBERSHIP, NOTHING_LOST, RELEASED, SOUND
from tests.sim.search.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "a leader that is lost is not replaced",
        Session._left,
        "if heir is not None:",
        "if False:",
        48,
        (SOUND, ENDS),
    ),
    Mutant(
        "a new leader is not told what there is to do",
        Session._appoint,
        "self.model.direct_leader(now)",
        "pass",
        48,
        (ENDS,),
    ),
    Mutant(
        "a team stays behind when its leader goes on",
        Session._moved,
        "self.told += [(node, m.Go(moved.place)) for node in self.people if node != moved.node]",
        "pass",
        48,
        (RELEASED, MEMBERSHIP, NOTHING_LOST),
    ),
    Mutant(
        "arrivals are forgotten when their session never opens",
        Host._give_up,
        "self.carrier.reply(self, link, Place(session, (self.address,)), m.Absent())",
        "pass",
        750,
        (RELEASED, ENDS, ANSWERED),
    ),
    Mutant(
        "who came before the leader is not let in",
        Admission._begin,
        "self.arrive(*waiting)",
        "pass",
        12,
        (RELEASED, ENDS, NOTHING_LOST, ANSWERED),
    ),
    Mutant(
        "there is no end to the standbys of a session",
        Admission._has_room,
        "return len(self.standbys) < min(bound, 2 * bound - state.workers)",
        "return True",
        6,
        (BOUNDED,),
    ),
    Mutant(
        "who is turned away never comes back",
        Participant.retry,
        "self.enter(place)",
        "pass",
        6,
        (RELEASED,),
    ),
    Mutant(
        "one of several incarnations of a session is taken for the other",
        Participant.at,
        "place.is_at(self.place)",
        "place.session == self.place.session",
        84,
        (MEMBERSHIP, ENDS),
    ),
    Mutant(
        "a standby is never called",
        Admission.ordered,
        "self.call_standby()",
        "break",
        54,
        (SOUND,),
    ),
    Mutant(
        "arrivals are sent to whoever led a session first",
        Admission.noted,
        "self._locate(command.child)",
        "self._redirect(command.child)",
        12,
        (ANSWERED, NOTHING_LOST),
    ),
    Mutant(
        "who stands by when a session is opened anew is not sent over",
        Admission.waiting,
        "(*waiting, *self.standbys.values())",
        "waiting",
        2000,
        (ANSWERED, RELEASED),
    ),
)
