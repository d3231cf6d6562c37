"""What another process may say to this one: who decides whether it is believed.

What is said has the right types, and is looked at by itself in `wellformed.py`; a whole replica in
`soundness.py`. What is left is what depends on who says it, and on what is so here by now. Nothing
that is let through makes the core fail, whatever it means.

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
from typing import assert_never

from core import Host, Session, Shape
from core import messages as m
from core.messages import Message, Node, Place, Reply, Value
from core.sessions.messages import NODE_BITS
from core.sessions.votes import HOST
from transports.net.errors import RemoteProtocolError
from transports.net.greeting import name_of
from transports.net.wire import Hello, Said
from transports.process import soundness
from transports.process.keys import KEY_BYTES
from transports.process.wellformed import (
    LOST_MAX,
    Item,
    check_content,
    check_ended,
    check_facts,
    check_fits,
    check_pace,
    check_slots,
    check_values,
    insist,
    pieces,
    typed,
)

DIGEST_LENGTH_MAX = 100
WAITED_FOR_MAX = 20_000  # sessions that somebody waits for here


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
                return self._may_arrive(hello, session, shape, call)
            case m.Open():
                return self._may_open(session, call)
            case m.Backup():
                return self._may_keep(call)
            case m.Key():
                self._check_key(call)
            case m.StateTransfer():
                self._check_transfer(session, shape, node, call)
            case m.Vote():
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

    def _may_arrive(self, hello: Hello, session: str, shape: Shape, call: m.Arrive) -> bool:
        """Unless too many sessions are waited for here."""
        insist(call.address in (None, name_of(hello)), call, "from another address")
        check_pace(call.about, call)
        if call.past is not None:
            self._check_past(session, shape, call.past, call)
        open_here, waited_for = self._host.reflectors, self._host.waiting
        known = session in open_here or session in waited_for
        return known or len(waited_for) < WAITED_FOR_MAX

    def _may_open(self, session: str, call: m.Open) -> bool:
        """Not by a way that is not, or is no longer, that of the session above."""
        self._check_place(call.place, call)
        typed(call.plan, soundness.Plan, call, "of such a shape")
        insist(session == call.place.session, call, "elsewhere")
        above = self._host.reflectors.get(session.rpartition("-")[0])
        return above is None or above.place.route == call.place.route[:-1]

    def _may_vote(self, session: str, node: Node, vote: m.Vote) -> bool:
        """Unless another node of its process has."""
        insist(vote.digests.keys() <= soundness.FIELDS, vote, "on such fields")
        lengths = map(len, vote.digests.values())
        insist(max(lengths, default=0) <= DIGEST_LENGTH_MAX, vote, "of such digests")
        reflector = self._host.reflectors.get(session)
        ballot = reflector.repair.ballots.get(vote.seq) if reflector else None
        others = ballot.votes.keys() - {node, HOST} if ballot else ()
        return all(other >> NODE_BITS != node >> NODE_BITS for other in others)

    def _check_past(self, session: str, shape: Shape, past: m.Past, call: Said) -> None:
        check_slots(shape, past.claims, call)
        insist(past.seq >= 0, call, "with such a past")
        insist(len(past.epoch) in (0, session.count("-") + 1), call, "with such an epoch")
        if past.bound:
            self.shape(past.bound)

    def _check_kept(self, kept: m.Backup) -> None:
        check_facts(self.shape(kept.session), kept.facts, kept)

    def _may_keep(self, kept: m.Backup) -> bool:
        """What is kept of a session has to fit into one frame again."""
        self._check_kept(kept)
        before = self._host.backups.facts.get(kept.session, {})
        return pieces({**before, **kept.facts}) <= LOST_MAX

    def _check_key(self, key: m.Key) -> None:
        self.shape(key.session)
        insist(len(key.key) in (0, KEY_BYTES), key, "of such a length")

    def _check_transfer(
        self, session: str, shape: Shape, node: Node, sent: m.StateTransfer
    ) -> None:
        state = self._state(session, shape, sent.snapshot, soundness.TRANSFERRED, sent)
        reflector = self._host.reflectors.get(session)
        if reflector is not None and node in reflector.members:  # it may become the host's own
            insist(state.moved is None, sent, "of a session that is elsewhere")

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
        check_values(state, item)
        if state.moved is not None:
            self._check_place(state.moved, item)
        return state

    def _check_place(self, place: Place, item: Item | None = None) -> None:
        self.shape(place.session)
        good = place.session.count("-") + 1 == len(place.route)
        insist(good, item, "by such a way")

    def _check_content(self, message: Message) -> None:
        """That it is well formed."""
        check_content(message)
        if type(message) is m.Moved:
            self._check_place(message.place, message)

    def _check_fits(self, shape: Shape, message: Message) -> None:
        """That it may be ordered in a session of that shape, which its host has judged."""
        check_fits(shape, message)
        if type(message) is m.Ended:
            self._check_end(message, message)

    def _check_end(self, ended: m.Ended, item: Item) -> None:
        insist(self._host.carrier.is_end(ended), item, "that is not the submitter's")

    # -- what a host says ----------------------------------------------------------------------

    def check_answer(self, session: str, reply: Reply, listens: bool) -> None:
        """Whether a host of `session` may answer so. Raises RemoteProtocolError."""
        self.shape(session)
        match reply:
            case m.Redirect():
                self._check_place(reply.place, reply)
            case m.TurnedAway():
                insist(0 <= reply.seconds < math.inf, reply, "for such a time")
            case m.Backup():
                insist(listens, reply, "to one that hosts nothing")
                self._check_kept(reply)
            case m.Key():
                insist(listens, reply, "to one that hosts nothing")
                self._check_key(reply)
            case m.Stop():
                check_ended(reply.ended, reply)
                self._check_end(reply.ended, reply)
            case m.Wait() | m.Absent() | m.SendState():
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
        insist(-math.inf < time < math.inf, message, "at such a time")
        if type(message) is m.Joined:
            insist(message.node not in state.people, message, "of somebody who is there")
        self._check_content(message)
        self._check_fits(self.shape(session), message)
