"""What another process may say to this one.

The wire format has seen to the types. What is left is whether it can be true. Nothing that is let
through here makes the core fail, whatever it means.

Rules it keeps:
- Who speaks for a node is the process that the node belongs to. Sessions, slots and shapes are
  those of the computation, a place has an address for each level, and what is large is a handle.
- The root is the submitter's own: nobody else gives it an input, cuts that, or ends it.
- A session is opened here from elsewhere only where the session above is here, too, and has given
  the assignment. What is to be kept here is of a session below one here in which
  its process takes part.
- One process has one vote.
- What a session's host says is believed, as far as it fits together.
- What is late, or comes twice, is no offence: it does not count, or the core knows what to do
  with it. What somebody takes part in it may lie about.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import assert_never

import msgspec

from core import Computation, Host, Shape
from core import messages as m
from core.cutting import ROOT
from core.messages import Message, Node, Outputs, Place, Reply, Value
from core.votes import HOST
from transports import soundness
from transports.blobs import LARGE_BYTES
from transports.greeting import name_of
from transports.wire import NODE_BITS, Hello, RemoteProtocolError, Said

ERROR_LENGTH_MAX = 100_000  # of the text of a failure
DIGEST_LENGTH_MAX = 100
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
                _insist(call.node == node, call, "of another node")
                _insist(call.address in (None, name_of(hello)), call, "from another address")
                _insist(not call.observes, call, "as the submitter")
                _insist(call.pace is None or 0 <= call.pace < math.inf, call, "with such a pace")
                if call.past is not None:
                    self._check_past(session, shape, call.past, call)
                return session in self._host.reflectors or self._may_wait(session)
            case m.Open():
                return self._may_open(session, shape, call)
            case m.Kept():
                self._check_kept(call)
                return call.session.startswith(session + "-") and self._takes_part(session, node)
            case m.Brought():
                self._check_brought(session, shape, node, call)
            case m.Vote():
                _insist(call.digests.keys() <= soundness.FIELDS, call, "on such fields")
                lengths = map(len, call.digests.values())
                _insist(max(lengths, default=0) <= DIGEST_LENGTH_MAX, call, "of such digests")
                return self._may_vote(session, node, call)
            case m.Leave():
                pass
            case m.Given() | m.Prepared() | m.Finished() | m.Failed() | m.Moved() | m.Ended():
                self._check_message(session, shape, call)
                of_node = call.node if isinstance(call, m.Finished | m.Failed | m.Moved) else node
                _insist(of_node == node, call, "of another node")
                if isinstance(call, m.Given | m.Prepared | m.Moved | m.Ended):
                    _insist(session != ROOT or self._leads(node), call, "in the root")
            case _:
                assert_never(call)
        return True

    def _check_node(self, hello: Hello, node: Node) -> None:
        index = node - (hello.number << NODE_BITS)
        if not 0 <= index < hello.nodes:
            raise RemoteProtocolError(f"it speaks for node {node}, which is not one of its own")

    def has_place(self, session: str, node: Node) -> bool:
        """Whether what `node` says there is heard."""
        reflector = self._host.reflectors.get(session)
        return reflector is not None and (node in reflector.members or node == reflector.opener)

    def _takes_part(self, session: str, node: Node) -> bool:
        """Whether some node of the same process does."""
        reflector = self._host.reflectors.get(session)
        members: Iterable[Node] = reflector.members if reflector else ()
        return any(other >> NODE_BITS == node >> NODE_BITS for other in members)

    def shape(self, session: str) -> Shape:
        """The shape of a session of this computation. Raises RemoteProtocolError for another."""
        if reflector := self._host.reflectors.get(session):
            return reflector.model.shape
        shape = self._root
        for part in session.split("-")[1:]:
            if shape.leaf or int(part) >= shape.slots:
                raise RemoteProtocolError(f"there is no session {session!r:.60}")
            shape = shape.child(int(part))
        if shape.session != session:
            raise RemoteProtocolError(f"there is no session {session!r:.60}")
        return shape

    def _leads(self, node: Node) -> bool:
        reflector = self._host.reflectors.get(ROOT)
        return reflector is not None and reflector.model.leader == node

    def _may_wait(self, session: str) -> bool:
        waiting = self._host.waiting
        return session in waiting or len(waiting) < WAITED_FOR_MAX

    def _may_open(self, session: str, shape: Shape, call: m.Open) -> bool:
        """It is told to by the session above, which is here: it does not listen itself."""
        self._check_place(call.place, call)
        _insist(session == call.shape.session == call.place.session, call, "elsewhere")
        _insist(session != ROOT, call, "of the root")
        _insist(call.shape == shape and not call.again, call, "of another shape")
        _insist(call.place.address == self._host.address, call, "at another host")
        _insist(len(call.epoch) == len(call.place.route), call, "with such an epoch")
        up, _, slot = session.rpartition("-")
        above = self._host.reflectors.get(up)
        if above is None or above.place.route != call.place.route[:-1]:
            return False
        return call.epoch <= (*above.model.epoch, above.model.slots[int(slot)].assigned)

    def _may_vote(self, session: str, node: Node, vote: m.Vote) -> bool:
        """Unless another node of its process has."""
        reflector = self._host.reflectors.get(session)
        ballot = reflector.ballots.get(vote.seq) if reflector else None
        others = ballot.votes.keys() - {node, HOST} if ballot else ()
        return all(other >> NODE_BITS != node >> NODE_BITS for other in others)

    def _check_past(self, session: str, shape: Shape, past: m.Past, call: Said) -> None:
        _check_slots(shape, past.holding, call)
        _insist(past.seq >= 0, call, "with such a past")
        _insist(len(past.epoch) in (0, session.count("-") + 1), call, "with such an epoch")
        if past.bound:
            self.shape(past.bound)

    def _check_kept(self, kept: m.Kept) -> None:
        _check_slots(self.shape(kept.session), kept.outputs, kept)
        _check_outputs(kept.outputs, kept)

    def _check_brought(self, session: str, shape: Shape, node: Node, brought: m.Brought) -> None:
        model = self._model(session, shape, brought.snapshot, brought)
        _check_small((model.input, model.ended and model.ended.result), brought)
        _check_small([slot.output for slot in model.slots], brought)
        _check_small([slot.input for slot in model.slots], brought)
        reflector = self._host.reflectors.get(session)
        if reflector is not None and node in reflector.members:  # the model may become the host's
            _insist(model.moved is None, brought, "of a session that is elsewhere")

    def _model(
        self,
        session: str,
        shape: Shape,
        snapshot: dict[str, Value],
        item: Item | None = None,
        whole: bool = True,
    ) -> Computation:
        """The model of that session. Raises RemoteProtocolError."""
        try:
            model = soundness.restored(snapshot, shape, whole)
        except ValueError as error:
            raise RemoteProtocolError(f"no replica of {session}: {error}") from error
        if model.moved is not None:
            self._check_place(model.moved, item)
        return model

    def _check_place(self, place: Place, item: Item | None = None) -> None:
        self.shape(place.session)
        good = place.session.count("-") + 1 == len(place.route)
        _insist(good, item, "by such a way")

    def _check_message(self, session: str, shape: Shape, message: Message) -> None:
        """Of these, each may be ordered in that session."""
        match message:
            case m.Given():
                _check_small((message.input,), message)
            case m.Prepared():
                _insist(len(message.inputs) == shape.slots, message, "of so many inputs")
                _check_small(message.inputs, message)
            case m.Finished():
                _check_slots(shape, message.slots, message)
                many = 0 < len(message.slots) == len(message.outputs)
                _insist(many, message, "of so many outputs")
                _insist(0 <= message.seconds < math.inf, message, "in such a time")
                _check_small(message.outputs, message)
            case m.Failed():
                _check_slots(shape, () if message.slot is None else (message.slot,), message)
                _check_text(message.failure.error, message)
            case m.Moved():
                self._check_place(message.place, message)
            case m.Ended():
                _check_small((message.result,), message)
                if message.failure is not None:
                    _check_text(message.failure.error, message)
            case m.Joined():
                _check_slots(shape, message.holding, message)
                pace = message.pace
                _insist(pace is None or 0 <= pace < math.inf, message, "with such a pace")
            case m.Restored():
                self._model(session, shape, message.snapshot, message, whole=False)
            case m.Left() | m.Late():
                pass
            case _:
                assert_never(message)

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
            case m.Wait() | m.Absent() | m.Bring() | m.Stop():
                pass
            case _:
                assert_never(reply)

    def followed(self, place: Place, snapshot: dict[str, Value]) -> Computation:
        """The model of the session at `place`. Raises RemoteProtocolError."""
        self._check_place(place)
        return self._model(place.session, self.shape(place.session), snapshot)

    def check_ordered(self, session: str, time: float, message: Message) -> None:
        """Whether that can be the next message of `session`. Raises RemoteProtocolError."""
        _insist(-math.inf < time < math.inf, message, "at such a time")
        self._check_message(session, self.shape(session), message)


def _check_slots(shape: Shape, slots: Iterable[int], item: Item) -> None:
    """They are of that shape, none twice."""
    distinct = set(slots)
    _insist(all(0 <= slot < shape.slots for slot in distinct), item, "of slots that are not there")
    _insist(len(distinct) == len([*slots]), item, "of the same slot twice")


def _check_outputs(outputs: Outputs, item: Item) -> None:
    _insist(all(0 <= s < math.inf for _, s in outputs.values()), item, "in such a time")
    _check_small([output for output, _ in outputs.values()], item)


def _check_small(values: Iterable[Value], item: Item) -> None:
    """Whatever is larger travels as a handle."""
    for value in values:
        kind = type(value)
        if kind is int or kind is float or value is None or kind is bool:
            continue
        if len(msgspec.msgpack.encode(value)) > LARGE_BYTES:
            _insist(False, item, f"with a value above {LARGE_BYTES} bytes")


def _check_text(text: str, item: Item) -> None:
    _insist(len(text) <= ERROR_LENGTH_MAX, item, "of such a length")


def _insist(holds: bool, item: Item | None, what: str) -> None:
    if not holds:
        name = type(item).__name__ if item is not None else "Follow"
        raise RemoteProtocolError(f"{name} {what}")
