"""Cores that are wrong on purpose, each in one place: what the search has to find.

A mutant is an edit of the text of one function of the core, or of the store below it, so that it
shows what it changes and nothing else, and stops applying, with a clear error, when that text is
gone.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import dedent
from typing import Any

import attrs

from core import Computation, Host, Reflector, Worker
from sim.search.invariants import (
    BOUNDED,
    ENDS,
    EQUAL,
    MEMBERSHIP,
    NOTHING_LOST,
    ONCE,
    OUTPUTS,
    RELEASED,
    RESULT,
    SOUND,
)
from sim.store import MemoryStore


@attrs.frozen
class Mutant:
    """A core in which `function` has `new` where it should have `old`."""

    wrong: str  # in words
    function: Callable[..., Any]
    old: str
    new: str
    within: int  # so many seeds: three times as many as it took, or a little more
    found_by: tuple[str, ...]  # invariants


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The core is wrong in this way. Raises ValueError where the core has no such text."""
    function = mutant.function
    source = dedent(inspect.getsource(function))
    if (count := source.count(mutant.old)) != 1:
        raise ValueError(f"{function.__qualname__} has {count} times, not once: {mutant.old!r}")
    owner = getattr(sys.modules[function.__module__], function.__qualname__.partition(".")[0])
    right = owner.__dict__[function.__name__]
    setattr(owner, function.__name__, _compiled(source.replace(mutant.old, mutant.new), function))
    try:
        yield
    finally:
        setattr(owner, function.__name__, right)


def _compiled(source: str, function: Callable[..., Any]) -> Any:
    """What `source` defines, in the module of `function`."""
    source = f"from __future__ import annotations\n{source}"
    code = compile(source, f"<wrong {function.__qualname__}>", "exec")
    defined: dict[str, Any] = {}
    exec(code, sys.modules[function.__module__].__dict__, defined)  # noqa: S102 - the text below
    return defined[function.__name__]


MUTANTS = (
    # -- the model: slots and what came of them --------------------------------------------
    Mutant(
        "a publication that comes twice counts twice",
        Computation._finished,
        "if not slot.done:",
        "if True:",
        9,
        (ONCE, SOUND),
    ),
    Mutant(
        "a slot is freed twice",
        Computation._release,
        "self.free += 1",
        "self.free += 2",
        5,
        (SOUND,),
    ),
    Mutant(
        "a slot that is done is counted as no longer free, though it was taken",
        Computation._accept,
        "if slot.worker is None:",
        "if True:",
        5,
        (SOUND,),
    ),
    Mutant(
        "the slot of a lost worker is not freed",
        Computation._left,
        "self._drop(node)",
        "pass",
        5,
        (SOUND,),
    ),
    Mutant(
        "a helper that is lost is still thought to help",
        Computation._drop,
        "if slot.helper == node:",
        "if False:",
        174,
        (SOUND,),
    ),
    Mutant(
        "who failed a slot keeps it",
        Computation._failed,
        "self._drop(node)",
        "pass",
        12,
        (SOUND,),
    ),
    Mutant(
        "a job that fails is tried for ever",
        Computation._failed,
        "tries >= TRIES",
        "False",
        135,
        (ENDS,),
    ),
    Mutant(
        "nobody is told that the job has failed for good",
        Computation._direct,
        "self._tell(self.leader, m.Abort(self.failure))",
        "pass",
        135,
        (ENDS,),
    ),
    Mutant(
        "outputs are combined in the wrong order",
        Worker.on,
        "[slot.output for slot in self._model.slots]",
        "[slot.output for slot in reversed(self._model.slots)]",
        5,
        (OUTPUTS, RESULT),
    ),
    Mutant(
        "what comes late takes the place of what was first",
        Computation._finished,
        "if slot.worker == node:",
        "slot.output, slot.seconds = output, now - slot.started\n        if slot.worker == node:",
        9,
        (ONCE,),
    ),
    Mutant(
        "whoever publishes a second time is given more",
        Computation._finished,
        "if held:",
        "if True:",
        111,
        (SOUND,),
    ),
    Mutant(
        "a newcomer keeps slots that others have by now",
        Computation._keeps,
        "if not self.slots[i].done and self.slots[i].worker is None:",
        "if not self.slots[i].done:",
        111,
        (SOUND,),
    ),
    Mutant(
        "a helper has no rest when the one it helps is lost",
        Computation._release,
        "    self.idle[helper] = None",
        "    pass",
        210,
        (SOUND,),
    ),
    Mutant(
        "a helper has no rest when the one it helps is done",
        Computation._accept,
        "self.idle[slot.helper] = None",
        "pass",
        21,
        (SOUND,),
    ),
    Mutant(
        "a helper is sent without a word to the model",
        Computation._double,
        "slot.helper = node",
        "pass",
        9,
        (SOUND,),
    ),
    Mutant(
        "a slot that fails has one try",
        Computation._failed,
        "tries >= TRIES",
        "tries >= 1",
        12,
        (RESULT,),
    ),
    Mutant(
        "a failure counts twice",
        Computation._failed,
        "slot.failed += (node,)",
        "slot.failed += (node, node)",
        108,
        (RESULT,),
    ),
    # -- the model: who leads, and where the team goes -------------------------------------
    Mutant(
        "a leader that is lost is not replaced",
        Computation._left,
        "if self.people:",
        "if False:",
        48,
        (SOUND, ENDS),
    ),
    Mutant(
        "a new leader is not told what there is to do",
        Computation._appoint,
        "self._direct()",
        "pass",
        48,
        (ENDS,),
    ),
    Mutant(
        "a team stays behind when its leader goes on",
        Computation._move,
        "self._told += [(person, m.Go(place)) for person in self.people if person != node]",
        "pass",
        48,
        (RELEASED, MEMBERSHIP, NOTHING_LOST),
    ),
    # -- replicas --------------------------------------------------------------------------
    Mutant(
        "a model depends on a clock that is not the session's",
        Computation._take,
        "slot.worker, slot.started = node, now",
        "slot.worker, slot.started = node, now + __import__('time').perf_counter()",
        5,
        (EQUAL,),
    ),
    Mutant(
        "a model depends on where it is in memory",
        Computation._accept,
        "now - slot.started",
        "now - slot.started + id(self) % 4096",
        5,
        (EQUAL,),
    ),
    Mutant(
        "a snapshot forgets who is idle",
        Computation.snapshot,
        '"idle": list(self.idle)',
        '"idle": []',
        9,
        (EQUAL,),
    ),
    Mutant(
        "a snapshot forgets which slots were given back",
        Computation.snapshot,
        '"queue": list(self.queue)',
        '"queue": []',
        5,
        (EQUAL, ENDS),
    ),
    Mutant(
        "a copy forgets which slots were never given",
        Computation.restore,
        "**snapshot,",
        "**snapshot, 'fresh': 0,",
        5,
        (EQUAL,),
    ),
    Mutant(
        "a copy forgets how fast people are",
        Computation.restore,
        "Participant(**p)",
        "Participant(**{**p, 'pace': None})",
        66,
        (EQUAL,),
    ),
    Mutant(
        "a copy has the people in another order",
        Computation.restore,
        'in snapshot["people"]',
        'in sorted(snapshot["people"])',
        12,
        (EQUAL,),
    ),
    Mutant(
        "a participant's replica that differs is not repaired",
        Reflector._count,
        "self.carrier.repair(self, self.members[outvoted], outvoted)",
        "pass",
        147,
        (EQUAL,),
    ),
    # -- recovery --------------------------------------------------------------------------
    Mutant(
        "what a replica does not know is forgotten when it is brought",
        Computation._restored,
        "if theirs.done and not mine.done:",
        "mine.done = theirs.done\n        if theirs.done and not mine.done:",
        5,
        (ONCE, OUTPUTS, SOUND),
    ),
    Mutant(
        "outputs of a replica that is brought are ignored",
        Computation._restored,
        "if theirs.done and not mine.done:",
        "if False:",
        48,
        (NOTHING_LOST, ENDS),
    ),
    Mutant(
        "nobody is asked for the replica that is known to be newer",
        Reflector.arrive,
        "if past and self._is_new(past):",
        "if False:",
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "who is to bring a replica is not told",
        Reflector.arrive,
        "self.carrier.reply(self.host, link, self.place, m.Bring())",
        "pass",
        69,
        (RELEASED, ENDS, NOTHING_LOST),
    ),
    Mutant(
        "a replica that is brought is not taken in",
        Reflector._brought,
        "self.order(m.Restored(brought.snapshot))",
        "pass",
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "the first replica is taken, not the one that knows most",
        Reflector._is_new,
        "past.seq > brought",
        "past.seq > 0 and not brought",
        295,
        (NOTHING_LOST,),
    ),
    Mutant(
        "a host that is back ignores its store",
        Host.__init__,
        "store.load() if store else ()",
        "()",
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "a host that is back knows the root alone",
        Host.__init__,
        "for session, model in self.stored.items()",
        "for session, model in ()",
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "what is finished is not stored",
        Reflector.order,
        "if self.host.store is not None:",
        "if self.host.store is not None and type(message) is not m.Finished:",
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "a store loses the last message",
        MemoryStore.load,
        "_replay(*log)",
        "_replay(*log[:2], log[2][:-1])",
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "a store has the first message alone",
        MemoryStore.load,
        "_replay(*log)",
        "_replay(*log[:2], log[2][:1])",
        111,
        (NOTHING_LOST,),
    ),
    Mutant(
        "an older leader's people are not sent over",
        Host.open,
        "old.close(opener)",
        "pass",
        111,
        (RELEASED, MEMBERSHIP, ENDS),
    ),
    Mutant(
        "who leads a session below does not find its slot",
        Reflector._seat,
        "reply = self._redirect(slot)",
        "reply = m.TurnedAway(ASK_AGAIN_SECONDS)",
        69,
        (NOTHING_LOST, RELEASED, ENDS),
    ),
    Mutant(
        "what the parent's host keeps is of the wrong slot",
        Host._keep,
        "**outputs}",
        "**{max(0, slot - 1): output for slot, output in outputs.items()}}",
        5,
        (OUTPUTS,),
    ),
    Mutant(
        "what was kept elsewhere is learnt for the wrong slot",
        Reflector.learn,
        "known.slots[i]",
        "known.slots[i - 1]",
        5,
        (OUTPUTS,),
    ),
    Mutant(
        "a newer assignment of a session has no newer epoch",
        Computation._take,
        "slot.assigned += 1",
        "slot.assigned = 1",
        48,
        (ENDS, MEMBERSHIP),
    ),
    Mutant(
        "an older leader that comes back keeps its people",
        Host.open,
        "old is not None and old.model.epoch >= opening.epoch",
        "old is not None",
        48,
        (ENDS, MEMBERSHIP),
    ),
    Mutant(
        "a new leader does not get the outcome that its team has",
        Worker._lead,
        "if below.outcome:",
        "if False:",
        21,
        (ENDS,),
    ),
    Mutant(
        "whoever lost a host does not look for the session again",
        Worker._look_up,
        "self._seek_above(up)",
        "pass",
        18,
        (RELEASED, ENDS, MEMBERSHIP, NOTHING_LOST),
    ),
    Mutant(
        "a root that was opened anew never lets those in who come back",
        Reflector._admit,
        "self.carrier.call_later(RETURN_SECONDS, self._begin)",
        "pass",
        21,
        (ENDS,),
    ),
    Mutant(
        "a host that loses a connection does not tell the session",
        Reflector.lose,
        "self.order(m.Left(node))",
        "pass",
        5,
        (MEMBERSHIP, ENDS),
    ),
    Mutant(
        "who leads a session is not told its input when it becomes known",
        Computation._prepare,
        "self._tell(slot.worker, m.Supply(i, slot.input))",
        "pass",
        5,
        (ENDS,),
    ),
    # -- arrivals --------------------------------------------------------------------------
    Mutant(
        "arrivals are forgotten when their session never opens",
        Host._give_up,
        "self.carrier.reply(self, link, Place(session, (self.address,)), m.Absent())",
        "pass",
        12,
        (RELEASED, ENDS),
    ),
    Mutant(
        "who came before the leader is not let in",
        Reflector._begin,
        "self.arrive(*waiting)",
        "pass",
        12,
        (RELEASED, ENDS, NOTHING_LOST),
    ),
    Mutant(
        "there is no end to the spares of a session",
        Reflector._has_room,
        "return len(self.spares) < min(fanout, 2 * fanout - people)",
        "return True",
        6,
        (BOUNDED,),
    ),
    Mutant(
        "who is turned away never comes back",
        Worker.retry,
        "self.enter(place)",
        "pass",
        6,
        (RELEASED,),
    ),
    Mutant(
        "one of several incarnations of a session is taken for the other",
        Worker.at,
        "and place.route[-1] == here.route[-1]",
        "",
        84,
        (MEMBERSHIP, ENDS),
    ),
    Mutant(
        "a spare is never called",
        Reflector.order,
        "self._call_spare()",
        "break",
        54,
        (SOUND,),
    ),
    # -- the end ---------------------------------------------------------------------------
    Mutant(
        "only the leader is told that it is over",
        Computation.apply,
        "for n in self.people]",
        "for n in list(self.people)[:1]]",
        5,
        (RELEASED,),
    ),
    Mutant(
        "who arrives when it is over is not told",
        Reflector._seat,
        "if model.ended:",
        "if False:",
        5,
        (RELEASED,),
    ),
    Mutant(
        "that it is over is not said in the sessions below",
        Worker._stop,
        "self.port.send(below, below.place, ended)",
        "pass",
        5,
        (MEMBERSHIP, RELEASED),
    ),
    Mutant(
        "spares are not told that it is over",
        Reflector._over,
        "self._dismiss_spares(reply)",
        "pass",
        6,
        (RELEASED,),
    ),
    Mutant(
        "what one process alone knows is not kept in another",
        Computation._keep,
        "if together and",
        "if False and",
        30,
        (NOTHING_LOST,),
    ),
    Mutant(
        "what is to be kept is not sent",
        Worker._keep,
        "if kept.outputs and",
        "if False and",
        30,
        (NOTHING_LOST,),
    ),
    Mutant(
        "of what is kept only the last is",
        Host._keep,
        "{**self.kept.get(session, {}), **outputs}",
        "dict(outputs)",
        69,
        (NOTHING_LOST,),
    ),
)
