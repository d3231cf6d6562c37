"""What the submitter's store keeps, and what is made of it."""

from __future__ import annotations

from core import Host, Reflector
from sim.search.invariants import NOTHING_LOST
from sim.store import MemoryStore
from tests.sim.search.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "a host that is back ignores its store",
        Host.__init__,
        "store.load(kind) if store else ()",
        "()",
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "a host that is back knows the root alone",
        Host.__init__,
        "for n, s in self.stored.items()",
        "for n, s in ()",
        410,
        (NOTHING_LOST,),
    ),
    Mutant(
        "what is finished is not stored",
        Reflector.order,
        "if host.store is not None:",
        'if host.store is not None and type(message).__name__ != "Finished":',
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "a store loses the last message",
        MemoryStore.load,
        "plan), log)",
        "plan), log[:-1])",
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "a store has the first message alone",
        MemoryStore.load,
        "plan), log)",
        "plan), log[:1])",
        111,
        (NOTHING_LOST,),
    ),
)
