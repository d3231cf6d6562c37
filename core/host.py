"""What a process holds for others: its reflectors, and the arrivals that wait for one to open."""

from __future__ import annotations

from core import messages as m
from core.messages import Address, Call, Node, Place
from core.reflector import Carrier, Link, Reflector

OPENING_SECONDS = 5.0  # an arrival waits at most so long for its session to be opened


class Host:
    """The reflectors of one process, and the arrivals that wait for one to be opened."""

    __slots__ = ("address", "carrier", "reflectors", "waiting")

    def __init__(self, address: Address, carrier: Carrier) -> None:
        self.address = address
        self.carrier = carrier
        self.reflectors: dict[str, Reflector] = {}
        self.waiting: dict[str, list[tuple[Link, m.Arrive]]] = {}

    def open(self, opener: Node, opening: m.Open) -> None:
        """Open a session here and let those in that waited for it.

        Where it is open under an older assignment, its people come over to the new one.
        """
        session = opening.shape.session
        old = self.reflectors.get(session)
        if old is not None and old.model.epoch >= opening.epoch:
            return
        reflector = Reflector(self, opening, opener, self.carrier)
        self.reflectors[session] = reflector
        if old is not None and not old.model.moved:
            reflector.restore(old.model)
            old.close(opener)
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
        elif reflector is not None:
            reflector.receive(node, call)
        elif isinstance(call, m.Leave):
            self._forget(session, node)

    def close(self) -> None:
        """The process ends: nothing is ordered here any more."""
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
