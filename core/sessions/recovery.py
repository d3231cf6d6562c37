"""Recovery: what comes back after a loss, and is merged.

Rules it keeps:
- Nobody waits for replicas. A reopened session begins with what its host or leader knows, and asks
  whoever comes later and may know more, at any time.
- Of each earlier incarnation the replica that came furthest is enough: replicas of one incarnation
  are prefixes of one history. If its bringer is lost, the next one who has it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.sessions import messages as m
from core.sessions.messages import Epoch, Facts, Node
from core.sessions.session import Session

if TYPE_CHECKING:
    from core.sessions.admission import Waiting
    from core.sessions.reflector import Reflector


ASKS_MAX = 20  # times that somebody is asked who each time is lost instead


class Recovery:
    """What one session takes in of its earlier incarnations."""

    __slots__ = ("asked", "known", "reflector", "returned", "transferring")

    def __init__(self, reflector: Reflector) -> None:
        self.reflector = reflector
        self.asked: dict[Node, int] = {}  # how often
        self.transferring: dict[Node, Waiting] = {}
        self.returned: dict[Node, None] = {}  # who takes part, and says that it did so before
        self.known: dict[Epoch, int] = {}  # how much of each incarnation's replica was brought

    def is_new(self, node: Node, past: m.Past) -> bool:
        """Whether that replica may know more. One of this incarnation is behind the one here."""
        state, brought = self.reflector.state, self.known.get(past.epoch, 0)
        new = past.epoch != state.epoch and past.seq > brought and not state.moved
        return new and self.asked.get(node, 0) < ASKS_MAX and self.believes(node, past)

    def believes(self, node: Node, past: m.Past) -> bool:
        """Whether `node` has followed that incarnation; without a key whoever says so."""
        reflector = self.reflector
        return past.seq > 0 and (not reflector.key or past.seal == reflector.seal(node, past.epoch))

    def claims(self, node: Node, past: m.Past) -> tuple[int, ...]:
        """What `node` is to keep of what it claims: what it was given here, or may have been.

        What an earlier incarnation gave it, nobody else may know by now.
        """
        state = self.reflector.state
        if past.epoch != state.epoch:
            return past.claims if past.claims and self.believes(node, past) else ()
        return tuple([i for i in past.claims if state.model.room.gave(i, node)])

    def ask(self, link: Any, arrival: m.Arrive) -> None:
        """Have that arrival bring its replica, before it is seated."""
        assert arrival.past is not None
        self.asked[arrival.node] = self.asked.get(arrival.node, 0) + 1
        self.known[arrival.past.epoch] = arrival.past.seq
        self.transferring[arrival.node] = link, arrival
        self.reflector.reply(link, m.SendState())

    def transferred(self, node: Node, state: Session) -> None:
        """The replica that was asked for is here."""
        reflector = self.reflector
        link, arrival = self.transferring.pop(node)
        if not reflector.state.moved:  # else it brings that there
            self._merge(state)
        if node not in reflector.members:
            reflector.arrive(link, arrival)

    def restore(self, state: Session) -> None:
        """Begin with what another replica of this session knows."""
        self.known[state.epoch] = state.seq
        self._merge(state)

    def learn(self, facts: Facts) -> None:
        """Take in what was kept of this session elsewhere."""
        if facts.keys() - self.reflector.state.model.facts():
            self.reflector.order(m.Restored(facts, None))

    def _merge(self, state: Session) -> None:
        self.reflector.order(m.Restored(state.model.facts(), state.model.context()))

    def lose(self, node: Node) -> None:
        """`node` has gone: if it was to bring a replica, ask the next who has it."""
        self.returned.pop(node, None)
        _, unsent = self.transferring.pop(node, (None, None))
        if unsent and unsent.past:
            self.known.pop(unsent.past.epoch, None)
            for waiting in [*self.reflector.admission.standbys.values()]:
                self.reflector.arrive(*waiting)
