"""What a process holds for others: its reflectors, and the arrivals that wait for one to open."""

from __future__ import annotations

from typing import Any, Final

from mypy_extensions import mypyc_attr

from core.sessions import messages as m
from core.sessions.admission import Waiting
from core.sessions.backups import Backups
from core.sessions.carrier import Carrier, Link
from core.sessions.messages import Address, Node, Place
from core.sessions.model import Kind
from core.sessions.reflector import Reflector
from core.sessions.roles import COUNTS, JUDGED, OFFENCE, key_below
from core.sessions.store import Store

Arrive: Final = m.Arrive  # as a constant of this module it is found faster
OPENING_SECONDS: Final = 5.0  # an arrival waits at most so long for its session to be opened


@mypyc_attr(allow_interpreted_subclasses=True)
class Host:
    """The reflectors of one process, whose models are of one kind.

    With a `store`, sessions begin here with what that holds of them.
    """

    __slots__ = (
        "address", "backups", "carrier", "keys", "kind", "reflectors", "root_key", "store",
        "stored", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        address: Address,
        carrier: Carrier,
        kind: Kind,
        store: Store | None = None,
        key: bytes = b"",
    ) -> None:
        self.address = address
        self.carrier = carrier
        self.kind = kind
        self.store = store
        self.stored = {state.name: state for state in (store.load(kind) if store else ())}
        self.backups = Backups(self, {n: s.model.facts() for n, s in self.stored.items()})
        self.keys: dict[tuple[Node, str], bytes] = {}  # of sessions, as each node was given them
        self.root_key = key
        self.reflectors: dict[str, Reflector] = {}
        self.waiting: dict[str, dict[Node, Waiting]] = {}  # until it is open here

    def open(self, opener: Node, opening: m.Open) -> None:
        """Open a session here and let those in that waited for it.

        Where it is open under an older assignment, its people come over to the new one; where
        its team has moved on, it may be opened again under any. Who opens it anew has its key.
        It begins with all that is known of it here.
        """
        session = opening.place.session
        self.waiting.get(session, {}).pop(opener, None)  # of an opening before, which did not count
        old = self.reflectors.get(session)
        if old is not None and old.state.epoch >= opening.epoch and not old.state.moved:
            return
        if old is not None and old.locked and old.key != self.key(opener, opening.place):
            return
        known = old.state if old else self.stored.pop(session, None)
        self.reflectors[session] = reflector = Reflector(self, opening, opener, self.carrier)
        if known is not None:
            reflector.recovery.restore(known)
        if old is not None:
            old.close(opener)
        self.backups.confirm(reflector)
        if session in self.backups.facts:
            reflector.recovery.learn(self.backups.facts.pop(session))
        for link, arrival in self.waiting.pop(session, {}).values():
            reflector.admission.arrive(link, arrival)

    def unlock(self) -> None:
        """The root was opened anew by who does not know its key: all keys are others by now."""
        self.keys.clear()
        for reflector in self.reflectors.values():
            reflector.locked = False

    def receive(self, link: Link, node: Node, session: str, call: Any) -> None:
        """A call from `node`, which `link` leads to."""
        reflector, kind = self.reflectors.get(session), type(call)
        if kind is Arrive and call.node == node and not call.observes:  # nearly all
            if reflector is not None:
                return reflector.admission.arrive(link, call)
            return self.wait(link, session, call)
        if kind not in JUDGED:
            if kind is m.Leave:
                self.waiting.get(session, {}).pop(node, None)
            if reflector is not None:
                reflector.receive(link, node, call)
            return None
        verdict = JUDGED[kind](self, self.carrier.owns(self, node), node, session, call)
        if verdict is OFFENCE:
            self.carrier.offended(self, link, Place(session, (self.address,)), call)
        elif verdict is COUNTS:
            if kind is m.Open:
                self.open(node, call)
            elif kind is m.Backup and self.carrier.owns(self, node):
                self.backups.claim(node, call.session, call.facts)
            elif kind is m.Backup:
                self.backups.add(call.session, call.facts)
            elif kind is m.Key:
                self.keys[node, call.session] = call.key
            elif reflector is not None:
                reflector.admission.arrive(link, call)
            else:
                self.wait(link, session, call)
        return None

    def key(self, node: Node, place: Place) -> bytes:
        """That of the session at `place`, as `node` was given it, or one above it.

        b"" where it is not known: then whoever comes is believed.
        """
        if place.parent() is None:
            return self.root_key
        return self.key_given(node, place.session)

    def key_given(self, node: Node, session: str) -> bytes:
        """That of `session`, by what `node` was given of it or of one above it; else b""."""
        top = session
        while top and (node, top) not in self.keys:
            top = top.rpartition("-")[0]
        return key_below(self.keys[node, top], top, session) if top else b""

    def close(self) -> None:
        """The process ends: nothing is ordered here any more, and nobody answered."""
        self.waiting.clear()
        for reflector in self.reflectors.values():
            reflector.closed = True

    def lose(self, node: Node) -> None:
        """`node` is not connected any more."""
        for reflector in list(self.reflectors.values()):
            reflector.lose(node)
        for arrivals in self.waiting.values():
            arrivals.pop(node, None)

    def wait(self, link: Link, session: str, arrival: m.Arrive) -> None:
        """Have that arrival wait until its session is opened here."""
        if session not in self.waiting:
            self.waiting[session] = {}
            self.carrier.call_later(OPENING_SECONDS, lambda: self._give_up(session))
        self.waiting[session].pop(arrival.node, None)
        self.waiting[session][arrival.node] = link, arrival

    def _give_up(self, session: str) -> None:
        for link, _ in self.waiting.pop(session, {}).values():
            self.carrier.reply(self, link, Place(session, (self.address,)), m.Absent())
