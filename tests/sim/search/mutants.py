"""Cores that are wrong on purpose, each in one place: what the search has to find.

A mutant is an edit of the text of one function of the core, or of the simulator, so that it
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

from core import (
    Computation,
    Host,
    Reflector,
    Session,
    Shape,
    Worker,
    columns,
    rights,
    stragglers,
    tries,
)
from core.sessions import roles, session
from core.sessions.admission import Admission
from core.sessions.backups import Backups
from core.sessions.participant import Participant
from core.sessions.recovery import Recovery
from core.sessions.repair import Repair
from core.slots import Slots
from core.steps import Steps
from sim.search.invariants import (
    ACCUSED,
    ANSWERED,
    BOUNDED,
    ENDS,
    EQUAL,
    FORGOTTEN,
    MEMBERSHIP,
    NO_EXCEPTION,
    NOTHING_LOST,
    ONCE,
    OUTPUTS,
    RELEASED,
    RESULT,
    SOUND,
)
from sim.store import MemoryStore
from sim.world import World


@attrs.frozen
class Mutant:
    """A core in which `function` has `new` where it should have `old`."""

    wrong: str  # in words
    function: Callable[..., Any]
    old: str
    new: str
    within: int  # so many seeds: three times as many as it took, or a little more
    found_by: tuple[str, ...]  # invariants
    lied: bool = False  # it is looked for in worlds with a liar alone


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The core is wrong in this way. Raises ValueError where the core has no such text."""
    function = mutant.function
    source = dedent(inspect.getsource(function))
    if (count := source.count(mutant.old)) != 1:
        raise ValueError(f"{function.__qualname__} has {count} times, not once: {mutant.old!r}")
    wrong = _compiled(source.replace(mutant.old, mutant.new), function)
    owners = list(_owners(function))
    tables = [(table, key) for table in TABLES for key in table if table[key] is function]
    rights = [owner.__dict__[function.__name__] for owner in owners]
    for owner in owners:
        setattr(owner, function.__name__, wrong)
    for table, key in tables:
        table[key] = wrong
    try:
        yield
    finally:
        for owner, right in zip(owners, rights, strict=True):
            setattr(owner, function.__name__, right)
        for table, key in tables:
            table[key] = function


def _owners(function: Callable[..., Any]) -> Iterator[Any]:
    """The class that it is a method of, or the modules that have it by its name."""
    name, _, method = function.__qualname__.partition(".")
    if method:
        yield getattr(sys.modules[function.__module__], name)
        return
    for module in [module for path, module in sys.modules.items() if path.startswith("core.")]:
        if module.__dict__.get(name) is function:
            yield module


# What is done for a message or a command is looked up there.
TABLES: tuple[dict[Any, Any], ...] = (
    Computation.handles,
    session._OWN,
    Participant.actions,
    Worker.actions,
    roles.JUDGED,
    rights.RIGHTS,
)


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
        Slots.finish,
        "if not self.done[i]:",
        "if True:",
        9,
        (ONCE, SOUND),
    ),
    Mutant(
        "a slot is freed twice",
        Slots.release,
        "self.free += 1",
        "self.free += 2",
        5,
        (SOUND,),
    ),
    Mutant(
        "a slot that is done is counted as no longer free, though it was taken",
        Slots.accept,
        "if self.worker[i] is None:",
        "if True:",
        5,
        (SOUND,),
    ),
    Mutant(
        "the slot of a lost worker is not freed",
        Slots.forget,
        "self.drop(node)",
        "pass",
        5,
        (SOUND,),
    ),
    Mutant(
        "a helper that is lost is still thought to help",
        Slots.drop,
        "if helper == node]",
        "if False]",
        174,
        (SOUND,),
    ),
    Mutant(
        "who failed a slot keeps it",
        Computation._failed,
        "slots.drop(node)",
        "pass",
        66,
        (SOUND,),
    ),
    Mutant(
        "a job that fails is tried for ever",
        Steps._give_up,
        "final or (len(tried) >= tries.TRIES and not others)",
        "False",
        135,
        (ENDS,),
    ),
    Mutant(
        "nobody is told that the job has failed for good",
        Steps.direct,
        "self.model.people.tell(leader, self.abort)",
        "pass",
        135,
        (ENDS,),
    ),
    Mutant(
        "outputs are combined in the wrong order",
        Worker._collect,
        "outputs_left(self.model.slots)",
        "outputs_left(self.model.slots)[::-1]",
        5,
        (OUTPUTS, RESULT),
    ),
    Mutant(
        "what comes late takes the place of what was first",
        Slots.finish,
        "if self.worker[i] == node:",
        "self.outputs[i], self.seconds[i] = output, now - self.started[i]\n"
        "    if self.worker[i] == node:",
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
        Slots.claim,
        "if self.worker[i] is not None:",
        "if False:",
        440,
        (SOUND,),
    ),
    Mutant(
        "a helper has no rest when the one it helps is lost",
        Slots.release,
        "self.rest(helper)",
        "pass",
        210,
        (SOUND,),
    ),
    Mutant(
        "a helper has no rest when the one it helps is done",
        Slots.accept,
        "self.rest(self.helpers.pop(i))",
        "del self.helpers[i]",
        21,
        (SOUND,),
    ),
    Mutant(
        "a helper is sent without a word to the model",
        stragglers.helped,
        "slots.helpers[i] = node",
        "pass",
        9,
        (SOUND,),
    ),
    Mutant(
        "three nodes of one broken process are enough",
        Steps._give_up,
        "tries.failed_for_good(tried) and not",
        "len(tried) >= tries.TRIES and not",
        50,
        (SOUND,),
    ),
    Mutant(
        "whether the rest is to go on is not said below",
        Shape.child,
        "self.keep_going,",
        "False,",
        430,
        (RESULT, ENDS),
    ),
    Mutant(
        "a slot that fails has one try",
        Steps._give_up,
        "len(tried) >= tries.TRIES and not others",
        "True",
        57,
        (RESULT, SOUND),
    ),
    Mutant(
        "who had a piece for too long has nothing when it answers",
        Slots.answered,
        "self.aside.pop(node, None) is not None",
        "self.aside.pop(node, None) is self",
        2000,
        (SOUND,),
    ),
    Mutant(
        "a failure counts twice",
        Slots.fail,
        "*tried)",
        "*tried, *tried)",
        730,
        (RESULT,),
    ),
    Mutant(
        "the submitter counts as one who may try what failed",
        tries.who_may_try,
        "{*people.observers, *busy}",
        "{*busy}",
        150,
        (ENDS,),
    ),
    Mutant(
        "a failure of prepare or collect that is heard twice counts twice",
        Steps._fail,
        "if node in self.asked and failed.before == tried.count(node) and self.present():",
        "if self.present() and (self.asked.append(node) or True):",
        200,
        (RESULT, ENDS),
    ),
    # -- the model: who leads, and where the team goes -------------------------------------
    Mutant(
        "a leader that is lost is not replaced",
        Session._left,
        "if self.people:",
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
    # -- replicas --------------------------------------------------------------------------
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
    # -- recovery --------------------------------------------------------------------------
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
        "m.Restored(facts, None)",
        "m.Restored({i - 1: fact for i, fact in facts.items() if i}, None)",
        84,
        (OUTPUTS,),
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
    Mutant(
        "who leads a session is not told its input when it becomes known",
        Computation._prepared,
        "self.people.tell(worker, m.Supply(i, m.Given(slots.inputs[i])))",
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
        "and place.route[-1] == here.route[-1]",
        "",
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
    # -- memory ---------------------------------------------------------------------------
    Mutant(
        "what is kept of sessions below is never forgotten",
        Backups.forget,
        "del self.facts[session]",
        "pass",
        5,
        (FORGOTTEN,),
    ),
    Mutant(
        "the log for mending is never cut",
        Repair.count,
        "self._log = [entry for entry in self._log if entry[0] > vote.seq]",
        "pass",
        12,
        (FORGOTTEN,),
    ),
    # -- the end ---------------------------------------------------------------------------
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
    # -- the end of a run -------------------------------------------------------------------
    Mutant(
        "a run is given up while something is on its way for long",
        World._look_for_end,
        "max(clock.ticks(STANDSTILL_SECONDS), STANDSTILL_TIMES * self._longest)",
        "clock.ticks(STANDSTILL_SECONDS)",
        1000,
        (ENDS,),
    ),
    # -- who may say what, in worlds with a liar -------------------------------------------
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
