"""What another process may say to this one.

The wire format has seen to the types, but of what the core has as plain data. What is left is that,
and what only a transport can know. Nothing that is let through here makes the core fail, whatever
it means.

Rules it keeps:
- Who speaks for a node is the process that the node belongs to, and it listens where it says.
  Sessions are those of the computation, a place has an address for each level, and what is large is
  a handle.
- Whether a node may say that is the core's to judge (`core/sessions/roles.py`, `core/rights.py`).
  What that lets through to be ordered passes here where it is heard: else a host would lose those
  who follow it by what somebody else has said.
- One process has one vote.
- What a session's host says is believed, as far as it fits together, but that all is over.
- What is late, or comes twice, is no offence: it does not count, or the core knows what to do
  with it. What somebody takes part in it may lie about.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any, assert_never

import msgspec

from core import Host, Session, Shape
from core import messages as m
from core.losses import may_be_lost
from core.messages import Facts, Message, Node, Place, Reply, Value
from core.sessions.messages import NODE_BITS
from core.sessions.votes import HOST
from transports.net.greeting import name_of
from transports.net.wire import Hello, RemoteProtocolError, Said
from transports.process import soundness
from transports.process.keys import KEY_BYTES
from transports.values.handles import LARGE_BYTES

DIGEST_LENGTH_MAX = 100
TRIED_MAX = 1000  # who tried in a child session that gave up
LOST_MAX = 1000  # pieces that were lost, of which is told beside what is known of one session
WAITED_FOR_MAX = 20_000  # sessions that somebody waits for here

Item = Said | Message | Reply  # what is judged


class Trust:
    """The rules for one computation: `root` is its shape, `host` the one that is spoken to."""

    def __init__(self, root: Shape, host: Host) -> None:
        self._root = root
        self._host = host

    # -- what is said to a host ----------------------------------------------------------------

    def check(self, hello: Hello, session: str, node: Node, call: Said) -> bool:
        """Whether it counts that the process of `hello` says this of its `node`.

        Raises RemoteProtocolError for what cannot be.
        """
        self._check_node(hello, node)
        shape = self.shape(session)
        match call:
            case m.Arrive():
                _insist(call.address in (None, name_of(hello)), call, "from another address")
                _check_pace(call.about, call)
                if call.past is not None:
                    self._check_past(session, shape, call.past, call)
                return session in self._host.reflectors or self._may_wait(session)
            case m.Open():
                return self._may_open(session, call)
            case m.Kept():
                self._check_kept(call)
                return self._may_keep(call)
            case m.Key():
                self._check_key(call)
            case m.Brought():
                self._check_brought(session, shape, node, call)
            case m.Vote():
                _insist(call.digests.keys() <= soundness.FIELDS, call, "on such fields")
                lengths = map(len, call.digests.values())
                _insist(max(lengths, default=0) <= DIGEST_LENGTH_MAX, call, "of such digests")
                return self._may_vote(session, node, call)
            case m.Leave():
                pass
            case (
                m.Given() | m.Prepared() | m.Collected() | m.Finished() | m.Failed() | m.Moved()
                | m.Ended()
            ):  # fmt: skip
                self._check_content(call)
            case _:
                assert_never(call)
        return True

    def _check_node(self, hello: Hello, node: Node) -> None:
        index = node - (hello.number << NODE_BITS)
        if not 0 <= index < hello.nodes:
            raise RemoteProtocolError(f"it speaks for node {node}, which is not one of its own")

    def shape(self, session: str) -> Shape:
        """The shape of a session of this computation. Raises RemoteProtocolError for another."""
        if reflector := self._host.reflectors.get(session):
            known: Shape = reflector.model.shape
            return known
        shape = self._root
        for part in session.split("-")[1:]:
            if shape.leaf or int(part) >= shape.slots:
                raise RemoteProtocolError(f"there is no session {session!r:.60}")
            shape = shape.child(int(part))
        if shape.session != session:
            raise RemoteProtocolError(f"there is no session {session!r:.60}")
        return shape

    def _may_wait(self, session: str) -> bool:
        waiting = self._host.waiting
        return session in waiting or len(waiting) < WAITED_FOR_MAX

    def _may_open(self, session: str, call: m.Open) -> bool:
        """Not by a way that is not, or is no longer, that of the session above."""
        self._check_place(call.place, call)
        _typed(call.plan, soundness.Plan, call, "of such a shape")
        _insist(session == call.place.session, call, "elsewhere")
        above = self._host.reflectors.get(session.rpartition("-")[0])
        return above is None or above.place.route == call.place.route[:-1]

    def _may_vote(self, session: str, node: Node, vote: m.Vote) -> bool:
        """Unless another node of its process has."""
        reflector = self._host.reflectors.get(session)
        ballot = reflector.repair.ballots.get(vote.seq) if reflector else None
        others = ballot.votes.keys() - {node, HOST} if ballot else ()
        return all(other >> NODE_BITS != node >> NODE_BITS for other in others)

    def _check_past(self, session: str, shape: Shape, past: m.Past, call: Said) -> None:
        _check_slots(shape, past.claims, call)
        _insist(past.seq >= 0, call, "with such a past")
        _insist(len(past.epoch) in (0, session.count("-") + 1), call, "with such an epoch")
        if past.bound:
            self.shape(past.bound)

    def _check_kept(self, kept: m.Kept) -> None:
        _check_facts(self.shape(kept.session), kept.facts, kept)

    def _may_keep(self, kept: m.Kept) -> bool:
        """What is kept of a session has to fit into one frame again."""
        before = self._host.backups.kept.get(kept.session, {})
        return _pieces({**before, **kept.facts}) <= LOST_MAX

    def _check_key(self, key: m.Key) -> None:
        self.shape(key.session)
        _insist(len(key.key) in (0, KEY_BYTES), key, "of such a length")

    def _check_brought(self, session: str, shape: Shape, node: Node, brought: m.Brought) -> None:
        state = self._state(session, shape, brought.snapshot, soundness.BROUGHT, brought)
        reflector = self._host.reflectors.get(session)
        if reflector is not None and node in reflector.members:  # it may become the host's own
            _insist(state.moved is None, brought, "of a session that is elsewhere")

    def _state(
        self,
        session: str,
        shape: Shape,
        snapshot: dict[str, Value],
        most: soundness.Most,
        item: Item | None = None,
    ) -> Session:
        """The state of that session. Raises RemoteProtocolError."""
        try:
            state = soundness.restored(snapshot, shape, most)
        except ValueError as error:
            raise RemoteProtocolError(f"no replica of {session}: {error}") from error
        model: Any = state.model
        _check_small((model.input, state.ended and state.ended.result), item)
        _check_small(model.steps.collected, item)
        _check_small(model.slots.outputs, item)
        _check_small(model.slots.inputs or (), item)
        if state.moved is not None:
            self._check_place(state.moved, item)
        return state

    def _check_place(self, place: Place, item: Item | None = None) -> None:
        self.shape(place.session)
        good = place.session.count("-") + 1 == len(place.route)
        _insist(good, item, "by such a way")

    def _check_content(self, message: Message) -> None:
        """Of these, each is well formed."""
        match message:
            case m.Given():
                _check_small((message.input,), message)
            case m.Prepared():
                _check_small(message.inputs, message)
            case m.Collected():
                _check_small((message.output,), message)
            case m.Finished():
                _check_distinct(message.slots, message)
                _check_small(message.outputs, message)
            case m.Failed():
                _insist(len(message.tried) <= TRIED_MAX, message, "after so many tries")
                check_failure(message.failure)
            case m.Moved():
                self._check_place(message.place, message)
            case m.Ended():
                _check_ended(message, message)
            case _:  # a host says no other than these
                pass

    def _check_fits(self, shape: Shape, message: Message) -> None:
        """Of these, each may be ordered in a session of that shape, which its host has judged."""
        match message:
            case m.Prepared():
                _insist(len(message.inputs) == shape.slots, message, "of so many inputs")
            case m.Finished():
                _check_slots(shape, message.slots, message)
                many = 0 < len(message.slots) == len(message.outputs)
                _insist(many, message, "of so many outputs")
                _insist(0 <= message.seconds < math.inf, message, "in such a time")
                _check_lost(shape, message, message.lost)
            case m.Failed():
                _check_slots(shape, () if message.slot is None else (message.slot,), message)
                within = soundness.is_within(message.failure.session, shape.session)
                _insist(within, message, "of another session")
            case m.Ended():
                self._check_end(message, message)
            case m.Joined():
                _check_slots(shape, message.claims, message)
                _check_pace(message.about, message)
            case m.Restored():
                _check_facts(shape, message.facts, message)
                _check_context(shape, message.context, message)
            case m.Given() | m.Collected() | m.Moved() | m.Left() | m.Late():
                pass
            case _:
                assert_never(message)

    def _check_end(self, ended: m.Ended, item: Item) -> None:
        _insist(self._host.carrier.is_end(ended), item, "that is not the submitter's")

    # -- what a host says ----------------------------------------------------------------------

    def check_answer(self, session: str, reply: Reply, listens: bool) -> None:
        """Whether a host of `session` may answer so. Raises RemoteProtocolError."""
        self.shape(session)
        match reply:
            case m.Redirect():
                self._check_place(reply.place, reply)
            case m.TurnedAway():
                _insist(0 <= reply.seconds < math.inf, reply, "for such a time")
            case m.Kept():
                _insist(listens, reply, "to one that hosts nothing")
                self._check_kept(reply)
            case m.Key():
                _insist(listens, reply, "to one that hosts nothing")
                self._check_key(reply)
            case m.Stop():
                _check_ended(reply.ended, reply)
                self._check_end(reply.ended, reply)
            case m.Wait() | m.Absent() | m.Bring():
                pass
            case _:
                assert_never(reply)

    def followed(self, place: Place, snapshot: dict[str, Value]) -> Session:
        """The state of the session at `place`, as another host will take it from here.

        Raises RemoteProtocolError.
        """
        self._check_place(place)
        shape = self.shape(place.session)
        return self._state(place.session, shape, snapshot, soundness.FOLLOWED)

    def check_ordered(self, state: Session, time: float, message: Message) -> None:
        """Whether that can be the next message of a session. Raises RemoteProtocolError."""
        session = state.name
        _insist(-math.inf < time < math.inf, message, "at such a time")
        if type(message) is m.Joined:
            _insist(message.node not in state.people, message, "of somebody who is there")
        self._check_content(message)
        self._check_fits(self.shape(session), message)


def _check_slots(shape: Shape, slots: Collection[int], item: Item) -> None:
    """They are of that shape, none twice."""
    _insist(all(0 <= slot < shape.slots for slot in slots), item, "of slots that are not there")
    _check_distinct(slots, item)


def _check_distinct(slots: Collection[int], item: Item) -> None:
    _insist(len({*slots}) == len(slots), item, "of the same slot twice")


def _check_pace(about: Value, item: Item) -> None:
    pace = _typed(about, float | None, item, "with such a pace")
    _insist(pace is None or 0 <= pace < math.inf, item, "with such a pace")


def _check_facts(shape: Shape, facts: Facts, item: Item) -> None:
    _check_slots(shape, facts, item)
    lossy = {i: fact for i, fact in facts.items() if type(fact) is list and len(fact) == 3}
    whole = {i: fact for i, fact in facts.items() if i not in lossy} if lossy else facts
    outputs = [*_typed(whole, soundness.Facts, item, "of such outputs").values()]
    losses = _typed(lossy, soundness.LossyFacts, item, "of such losses")
    _insist(all(may_be_lost(shape, i, f[2]) for i, f in losses.items()), item, "of such losses")
    _insist(_pieces(lossy) <= LOST_MAX, item, "of so many losses")
    outputs += [fact[:2] for fact in losses.values()]
    _insist(all(0 <= s < math.inf for _, s in outputs), item, "in such a time")
    _check_small([output for output, _ in outputs], item)


def _pieces(facts: Facts) -> int:
    """Of how many pieces that were lost these tell, which have the right types."""
    return sum(len(fact[2][1]) for fact in facts.values() if len(fact) == 3)


def _check_lost(shape: Shape, finished: m.Finished, lost: m.Loss | None) -> None:
    """It is what one child session may have lost."""
    if lost is not None:
        good = not shape.leaf and len(finished.slots) == 1
        good = good and may_be_lost(shape, finished.slots[0], lost)
        _insist(good, finished, "of such losses")


def _check_context(shape: Shape, plain: Value, item: Item) -> None:
    context = _typed(plain, soundness.Context | None, item, "of such a context")
    if context is not None:
        inputs = context.inputs
        _insist(inputs is None or len(inputs) == shape.slots, item, "of so many inputs")
        _check_small((context.input, *(inputs or ())), item)
        _check_slots(shape, [i for i, _ in context.had], item)


def _check_ended(ended: m.Ended, item: Item) -> None:
    _check_small((ended.result,), item)
    _typed(ended.failure, soundness.Failure | None, item, "with such a failure")
    _typed(ended.lost, soundness.Loss | None, item, "with such losses")


def _typed(plain: Value, kind: Any, item: Item, what: str) -> Any:
    """What the core has as plain data, if it is of that kind."""
    try:
        return msgspec.convert(plain, kind)
    except (msgspec.ValidationError, OverflowError):
        _insist(False, item, what)


def _check_small(values: Iterable[Value], item: Item | None) -> None:
    """Whatever is larger travels as a handle."""
    for value in values:
        kind = type(value)
        if kind is int or kind is float or value is None or kind is bool:
            continue
        if len(msgspec.msgpack.encode(value)) > LARGE_BYTES:
            _insist(False, item, f"with a value above {LARGE_BYTES} bytes")


def check_failure(failure: m.Failure | None) -> None:
    """Whether it is one that may be told. Raises RemoteProtocolError."""
    if failure is not None and len(failure.error) > soundness.ERROR_LENGTH_MAX:
        raise RemoteProtocolError("a failure of such a length")


def _insist(holds: bool, item: Item | None, what: str) -> None:
    if not holds:
        name = type(item).__name__ if item is not None else "Follow"
        raise RemoteProtocolError(f"{name} {what}")
