"""Recovery: what comes back after a loss, and is merged.

Rules it keeps:
- Nobody waits for replicas. A reopened session begins with what its host or leader knows, and asks
  whoever comes later and may know more, at any time.
- Of each earlier incarnation the replica that came furthest is enough: replicas of one incarnation
  are prefixes of one history. If its bringer is lost, the next one who has it is asked. Where not
  all that it names is to be had, each process that comes is asked, which may have that.
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

    __slots__ = ("asked", "known", "lacking", "reflector", "returned", "transferring")

    def __init__(self, reflector: Reflector) -> None:
        self.reflector = reflector
        self.asked: dict[Node, int] = {}  # how often
        self.transferring: dict[Node, Waiting] = {}
        self.returned: dict[Node, None] = {}  # who takes part, and says that it did so before
        self.known: dict[Epoch, int] = {}  # how much of each incarnation's replica was brought
        self.lacking: dict[Epoch, set[Any]] = {}  # whose was not enough: by which processes

    def is_new(self, node: Node, past: m.Past) -> bool:
        """Whether that replica may know more. One of this incarnation is behind the one here."""
        state, brought = self.reflector.state, self.known.get(past.epoch, 0)
        new = past.seq > brought or self._may_have(node, past.epoch)
        new = new and past.epoch != state.epoch and not state.moved
        return new and self.asked.get(node, 0) < ASKS_MAX and self.believes(node, past)

    def _may_have(self, node: Node, epoch: Epoch) -> bool:
        """Whether its process may have what that incarnation named, and others have not."""
        brought = self.lacking.get(epoch)
        return brought is not None and self.reflector.carrier.party(node) not in brought

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
        if arrival.past.epoch in self.lacking:  # one of each process is enough
            self.lacking[arrival.past.epoch].add(self.reflector.carrier.party(arrival.node))
        self.transferring[arrival.node] = link, arrival
        self.reflector.reply(link, m.SendState())

    def transferred(self, node: Node, state: Session) -> None:
        """The replica that was asked for is here."""
        reflector = self.reflector
        link, arrival = self.transferring.pop(node)
        if not reflector.state.moved:  # else it brings that there
            self._merge(state)
            if state.model.facts().keys() - reflector.state.model.facts():
                brought = self.lacking.setdefault(state.epoch, set())
                brought.add(reflector.carrier.party(node))
            else:
                self.lacking.pop(state.epoch, None)
        if node not in reflector.members:
            reflector.admission.arrive(link, arrival)

    def restore(self, state: Session) -> None:
        """Begin with what another replica of this session knows."""
        self.known[state.epoch] = state.seq
        self._merge(state)

    def learn(self, facts: Facts) -> None:
        """Take in what was kept of this session elsewhere."""
        restored = self.reflector.carrier.restorable(facts, None)
        if restored.facts.keys() - self.reflector.state.model.facts():
            self.reflector.order(restored)

    def _merge(self, state: Session) -> None:
        facts, context = state.model.facts(), state.model.context()
        self.reflector.order(self.reflector.carrier.restorable(facts, context))

    def lose(self, node: Node) -> None:
        """`node` has gone: if it was to bring a replica, ask the next who has it."""
        self.returned.pop(node, None)
        _, unsent = self.transferring.pop(node, (None, None))
        if unsent and unsent.past:
            self.known.pop(unsent.past.epoch, None)
            for waiting in [*self.reflector.admission.standbys.values()]:
                self.reflector.admission.arrive(*waiting)
