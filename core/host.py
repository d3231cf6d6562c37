"""What a process holds for others.

Its reflectors, the arrivals that wait for one to open, and what it keeps of sessions that are
in one other process only.
"""

from __future__ import annotations

from collections.abc import Iterable

from core import messages as m
from core.messages import Address, Call, Node, Place
from core.reflector import Carrier, Link, Reflector
from core.store import Store

OPENING_SECONDS = 5.0  # an arrival waits at most so long for its session to be opened


class Host:
    """The reflectors of one process, the arrivals that wait for one, and what else it keeps.

    With a `store`, sessions begin here with what that holds of them.
    """

    __slots__ = ("address", "carrier", "kept", "reflectors", "store", "stored", "waiting")

    def __init__(self, address: Address, carrier: Carrier, store: Store | None = None) -> None:
        self.address = address
        self.carrier = carrier
        self.store = store
        self.stored = {model.shape.session: model for model in (store.load() if store else ())}
        self.kept = {session: model.outputs() for session, model in self.stored.items()}
        self.reflectors: dict[str, Reflector] = {}
        self.waiting: dict[str, list[tuple[Link, m.Arrive]]] = {}

    def open(self, opener: Node, opening: m.Open) -> None:
        """Open a session here and let those in that waited for it.

        Where it is open under an older assignment, its people come over to the new one; where
        its team has moved on, it may be opened again under any.
        It begins with all that is known of it here.
        """
        session = opening.shape.session
        old = self.reflectors.get(session)
        if old is not None and old.model.epoch >= opening.epoch and not old.model.moved:
            return
        known = old.model if old else self.stored.pop(session, None)
        self.reflectors[session] = reflector = Reflector(self, opening, opener, self.carrier)
        if known is not None:
            reflector.restore(known)
        if old is not None:
            old.close(opener)
        if session in self.kept:
            reflector.learn(self.kept.pop(session))
        for link, arrival in self.waiting.pop(session, ()):
            reflector.arrive(link, arrival)

    def receive(self, link: Link, node: Node, session: str, call: Call) -> None:
        """A call from `node`, which `link` leads to."""
        reflector = self.reflectors.get(session)
        if isinstance(call, m.Arrive):
            if reflector is None or reflector.orphaned:
                self._wait(link, session, call)
            else:
                reflector.arrive(link, call)
        elif isinstance(call, m.Open):
            self.open(node, call)
        elif isinstance(call, m.Kept):
            self._keep(call.session, call.outputs)
        else:
            if isinstance(call, m.Leave):
                self._forget(session, node)
            if reflector is not None:
                reflector.receive(node, call)

    def _keep(self, session: str, outputs: m.Outputs) -> None:
        for slot in outputs:
            self.forget(f"{session}-{slot}")
        reflector = self.reflectors.get(session)
        if reflector is None or reflector.model.moved:
            self.kept[session] = {**self.kept.get(session, {}), **outputs}
        else:
            reflector.learn(outputs)

    def known(self, top: str) -> list[m.Kept]:
        """All outputs that are known here of the session `top` and of those below it."""
        reflectors = self.reflectors
        found = [m.Kept(session, self.kept[session]) for session in within(self.kept, top)]
        found += [m.Kept(s, reflectors[s].model.outputs()) for s in within(reflectors, top)]
        return [kept for kept in found if kept.outputs]

    def forget(self, top: str) -> None:
        """Nobody will ask for the session `top` again, nor for those below it."""
        for session in within(self.kept, top):
            del self.kept[session]

    def close(self) -> None:
        """The process ends: nothing is ordered here any more, and nobody answered."""
        self.waiting.clear()
        for reflector in self.reflectors.values():
            reflector.closed = True

    def lose(self, node: Node) -> None:
        """`node` is not connected any more."""
        for reflector in list(self.reflectors.values()):
            reflector.lose(node)
        for session in self.waiting:
            self._forget(session, node)

    def _forget(self, session: str, node: Node) -> None:
        waiting = self.waiting.get(session, [])
        waiting[:] = [entry for entry in waiting if entry[1].node != node]

    def _wait(self, link: Link, session: str, arrival: m.Arrive) -> None:
        if session not in self.waiting:
            self.waiting[session] = []
            self.carrier.call_later(OPENING_SECONDS, lambda: self._give_up(session))
        self._forget(session, arrival.node)
        self.waiting[session].append((link, arrival))

    def _give_up(self, session: str) -> None:
        for link, _ in self.waiting.pop(session, ()):
            self.carrier.reply(self, link, Place(session, (self.address,)), m.Absent())


def within(sessions: Iterable[str], top: str) -> list[str]:
    """Those of `sessions` that are `top` or lie below it."""
    below = top + "-"
    return [session for session in sessions if session == top or session.startswith(below)]
