"""Admission: who is let in, sent on, kept as a standby, or turned away.

Rules it keeps:
- An arrival is admitted where there is something to do, else sent on (to a child session, in turn)
  or, in a leaf, kept as a standby, without a word to the model. A session has at most as many
  standbys as its model's bound. A model may have a guide of its own for all this.
- A reopened session first hears those who bring a replica that knows more, and who comes before
  whoever opened it waits for that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from core.sessions import messages as m
from core.sessions.alarms import Alarms
from core.sessions.messages import Node, Reply
from core.sessions.session import Told

if TYPE_CHECKING:
    from core.sessions.model import Guide, Room
    from core.sessions.reflector import Reflector

ASK_AGAIN_SECONDS: Final = 5.0
RETURN_SECONDS: Final = 1.0  # in which all who were in the root come back to it: two tries
NOBODY: Final = -1
TURNED_AWAY: Final = m.TurnedAway(ASK_AGAIN_SECONDS)
Joined: Final = m.Joined  # as a constant of this module it is found faster

Waiting = tuple[Any, m.Arrive]  # what leads to an arrival, and what it said


class Admission:
    """The door of one session."""

    __slots__ = (
        "_interior", "_passing", "_quotas", "_redirects", "_turns", "again", "alarms", "early",
        "guide", "reflector", "room", "standbys",
    )  # fmt: skip

    def __init__(self, reflector: Reflector, again: bool) -> None:
        model = reflector.state.model
        self.reflector = reflector
        self.room: Room = model.room
        self.again = again
        self.standbys: dict[Node, Waiting] = {}
        self.early: dict[Node, Waiting] | None = {}  # until the opener has joined
        self.alarms = Alarms(self)
        self.guide: Guide | None = None if model.guide is None else model.guide(reflector)
        self._interior = model.children > 0
        self._passing = False  # interior, and every arrival that is new here is just sent on
        self._redirects: dict[int, m.Redirect] = {}  # to each child session that is led
        self._quotas = model.room.quotas()
        self._turns: Iterator[int] = model.room.turns(self._quotas)

    # -- arrivals --------------------------------------------------------------------------

    def arrive(self, link: Any, arrival: m.Arrive) -> None:
        """Admit, redirect, keep as a standby or turn away."""
        reflector, node, past = self.reflector, arrival.node, arrival.past
        if self._passing and past is None and node not in reflector.members:
            reply = self._turn()
            return reflector.carrier.reply(reflector.host, link, reflector.place, reply)
        if self.early is not None and reflector.opener == NOBODY:  # the next one opens anew
            return reflector.host.wait(link, reflector.session, arrival)
        if node in reflector.members or node in self.standbys:  # it comes again: it was away
            reflector.lose(node)
        if past and reflector.recovery.is_new(node, past):
            reflector.recovery.ask(link, arrival)
        elif self.early is not None and node != reflector.opener:
            self.early.pop(node, None)
            self.early[node] = link, arrival
        else:
            self._seat(link, arrival)
        return None

    def _seat(self, link: Any, arrival: m.Arrive) -> None:
        reflector, past, room = self.reflector, arrival.past, self.room
        state = reflector.state
        child = self.child_of(past.bound) if past and past.bound else None
        reply: Reply
        if state.ended:
            reply = m.Stop(state.ended)
        elif state.moved:
            reply = m.Redirect(state.moved)
        elif self.guide is not None and not arrival.observes:
            return self._guided(self.guide, link, arrival, child)
        elif child is not None and room.holder(child) is None:
            return self.admit(link, arrival, (child,))
        elif child is not None:
            reply = self._redirect(child)
        elif room.wanted() or arrival.observes or arrival.node == reflector.opener:
            claims = bool(past and past.claims) and not self._interior
            kept = reflector.recovery.claims(arrival.node, past) if past and claims else ()
            return self.admit(link, arrival, kept)
        elif self._interior:
            reply = self._turn()
        elif room.open() and self._has_room():
            self.standbys[arrival.node] = link, arrival
            reply = m.Wait()
        else:
            reply = TURNED_AWAY
        reflector.reply(link, reply)
        if self.standbys and not self.alarms.watching:
            self.alarms.watch()
        return None

    def _guided(self, guide: Guide, link: Any, arrival: m.Arrive, child: int | None) -> None:
        free = child is None or self.room.holder(child) is None
        number = guide.seat(arrival, child) if free else None
        if number is not None:
            self.admit(link, arrival, (number,))
            return guide.seated(arrival, number)
        way = guide.way(arrival, None if free else child)
        return self.reflector.reply(link, TURNED_AWAY if way is None else self._redirect(way))

    def _has_room(self) -> bool:
        """For one more standby: whoever takes part beyond the bound counts as one, too."""
        state = self.reflector.state
        bound = state.model.bound
        return len(self.standbys) < min(bound, 2 * bound - state.workers)

    def child_of(self, bound: str) -> int | None:
        """The child session, not over yet, that `bound` is, or under which it lies."""
        child = self.reflector.place.towards(bound)
        there = 0 <= child < self.reflector.state.model.children
        return None if not there or self.room.over(child) else child

    def admit(self, link: Any, arrival: m.Arrive, claims: tuple[int, ...]) -> None:
        """Let it in, with what it claims."""
        reflector, node = self.reflector, arrival.node
        reflector.carrier.welcome(reflector, link, node)
        joined = Joined(node, arrival.address, arrival.about, claims, arrival.observes)
        if arrival.past and arrival.past.seq:  # whatever its seal: a host may have lied to it
            reflector.recovery.returned[node] = None
        reflector.order(joined, link)
        if self.early is not None and node == reflector.opener:
            if self.again:
                reflector.carrier.call_later(RETURN_SECONDS, self._begin)
            else:
                self._begin()

    def _begin(self) -> None:
        """The opener has joined: seat those who came early, first who leads a session below."""
        if self.early is None or self.reflector.closed:
            return
        early, self.early = self.early, None
        self._passing = self._interior and self.guide is None and not self.room.wanted()
        for waiting in sorted(early.values(), key=lambda w: not (w[1].past and w[1].past.bound)):
            self.arrive(*waiting)  # to be asked, where who was asked first did not bring it

    # -- sent on ---------------------------------------------------------------------------

    def _turn(self) -> Reply:
        for child in self._turns:
            return self._redirects[child]
        self._turns = self.room.turns(self._quotas)
        return TURNED_AWAY

    def _redirect(self, child: int) -> m.Redirect:
        """Where that child session is, which somebody holds."""
        if child not in self._redirects:
            self._locate(child)
        return self._redirects[child]

    def noted(self, told: Told) -> None:
        """Of what the session has for its people to do, note who leads which child session."""
        for _, command in told:
            if type(command) is m.Lead and self.room.holder(command.child) is not None:
                self._locate(command.child)

    def _locate(self, child: int) -> None:
        reflector, holder = self.reflector, self.room.holder(child)
        assert holder is not None
        address = reflector.state.addresses[holder]
        address = reflector.place.address if address is None else address
        self._redirects[child] = m.Redirect(reflector.place.child(child, address))

    def renew(self) -> None:
        """The session's model is another one, which was right."""
        self.room = self.reflector.state.model.room
        self._passing = False
        self._turns = self.room.turns(self._quotas)
        self._redirects.clear()
        for child in range(self.reflector.state.model.children):
            if self.room.holder(child) is not None:
                self._locate(child)

    # -- as the session goes on ------------------------------------------------------------

    def ordered(self) -> None:
        """A message was ordered: call standbys where there is something to do by now."""
        room = self.room
        if self.guide is not None:
            self.guide.ordered()
        elif self._interior:
            self._passing = self.early is None and not room.wanted()
        elif self.standbys:
            while self.standbys and (room.wanted() or not self.reflector.members):
                self.call_standby()
        if (room.idle or self.standbys) and not self.alarms.watching:
            self.alarms.watch()
        if room.look is not None:
            self.alarms.look(room.look)

    def call_standby(self) -> None:
        """Let the first who stands by in."""
        self.admit(*self.standbys.pop(next(iter(self.standbys))), ())

    def dismiss(self, reply: Reply) -> None:
        """Nobody is to wait here any more."""
        self._passing = False
        for link, _ in [*self.standbys.values(), *(self.early or {}).values()]:
            self.reflector.reply(link, reply)
        self.standbys.clear()
        self.early = None

    def waiting(self) -> list[tuple[Node, Any]]:
        """Those who bring a replica, came early or stand by, with what leads to them."""
        waiting = [*self.reflector.recovery.transferring.values(), *(self.early or {}).values()]
        return [(arrival.node, link) for link, arrival in (*waiting, *self.standbys.values())]

    def lose(self, node: Node) -> bool:
        """`node` has gone. Whether it stood by."""
        if self.early is not None:
            transferring = self.reflector.recovery.transferring
            if node == self.reflector.opener:
                for link, _ in [*self.early.values(), *transferring.values()]:
                    self.reflector.reply(link, m.Absent())
                self.early, self.reflector.opener = {}, NOBODY
                transferring.clear()
            self.early.pop(node, None)
        return self.standbys.pop(node, None) is not None
