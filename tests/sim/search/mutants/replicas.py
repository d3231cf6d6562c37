"""Replicas that differ, and what mends them."""

from __future__ import annotations

from core import Session, columns
from core.sessions.repair import Repair
from core.slots import Slots
from sim.search.invariants import ENDS, EQUAL, FORGOTTEN, SOUND
from tests.sim.search.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "a model depends on a clock that is not the session's",
        Slots.give,
        "= node, now",
        "= node, now + __import__('time').perf_counter()",
        5,
        (EQUAL,),
    ),
    Mutant(
        "a model depends on where it is in memory",
        Slots.accept,
        "= seconds if 0 <= seconds < SECONDS_MAX else 0.0",
        "= seconds + id(self) % 4096",
        5,
        (EQUAL,),
    ),
    Mutant(
        "a snapshot forgets who is idle",
        columns.as_plain,
        "_plain(getattr(of, name))",
        "[] if name == 'idle' else _plain(getattr(of, name))",
        9,
        (EQUAL,),
    ),
    Mutant(
        "a snapshot forgets which slots were given back",
        columns.as_plain,
        "_plain(getattr(of, name))",
        "[] if name == 'queue' else _plain(getattr(of, name))",
        12,
        (EQUAL, ENDS, SOUND),
    ),
    Mutant(
        "a copy forgets which slots were never given",
        columns.take_on,
        "_loaded(getattr(into, name), plain[name])",
        "0 if name == 'fresh' else _loaded(getattr(into, name), plain[name])",
        5,
        (EQUAL,),
    ),
    Mutant(
        "a copy forgets how fast people are",
        columns.take_on,
        "_loaded(getattr(into, name), plain[name])",
        "{} if name == 'paces' else _loaded(getattr(into, name), plain[name])",
        66,
        (EQUAL,),
    ),
    Mutant(
        "a copy has the people in another order",
        Session.restore,
        'dict.fromkeys(snapshot["people"])',
        'dict.fromkeys(sorted(snapshot["people"]))',
        12,
        (EQUAL,),
    ),
    Mutant(
        "a participant's replica that differs is not repaired",
        Repair.count,
        "carrier.repair(reflector, members[outvoted], outvoted)",
        "pass",
        147,
        (EQUAL,),
    ),
    Mutant(
        "the log for mending is never cut",
        Repair.count,
        "self._log = [entry for entry in self._log if entry[0] > vote.seq]",
        "pass",
        12,
        (FORGOTTEN,),
    ),
)
