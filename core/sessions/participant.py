"""The participant: one node's own side of one session.

Rules it keeps:
- It reads no state but its own, what commands bring, and how far its replica came; it changes a
  session only through messages. What it published counts when the model acknowledges it, in order;
  until then it is said again wherever the participant is seated next.
- A node is a chain of views, one a level: a view that was given a child session leads it with the
  view `below`. A view whose session lost its host is adrift: it puts a seeker `above` itself, which
  asks one level up where the session is now, or gets to lead it anew.
- A node has one view of a session at most, and is in one team: it follows the leader of that only.
- What state it is in is changed by `step` alone, as the table in `states.py` says.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Final

from mypy_extensions import mypyc_attr

from core.sessions import messages as m
from core.sessions import states
from core.sessions.chain import NOTHING, Seat, View
from core.sessions.messages import Address, Place, Reply, Value

Arrive: Final = m.Arrive  # as constants of this module they are found faster
Redirect: Final = m.Redirect
RETRY_SECONDS: Final = 0.5
PAUSE_SECONDS_MAX: Final = 30.0
YIELD_TRIES: Final = 20
HOPS_MAX: Final = 5  # times it is sent about without a seat, before it asks the root


class Way(Enum):
    """Where a place lies to which a view is sent, seen from the views of its node."""

    OUTSIDE = auto()  # not under what the view above sits in
    INTO_MINE = auto()  # below this session, which the view above is to lead
    FREE = auto()  # nothing stands against it
    OCCUPIED = auto()  # the view below is there already
    DEEPER = auto()  # it is one for the view below


FREE: Final = Way.FREE


@mypyc_attr(allow_interpreted_subclasses=True)
class Participant(View):
    """A participant's view of one session. What is in it acts on commands of its own kind."""

    __slots__ = ()

    # -- what a kind of view is offered ----------------------------------------------------

    @property
    def number(self) -> int:
        """Of this session, among the child sessions of its parent."""
        return int(self.place.session.rpartition("-")[2])

    @property
    def is_root(self) -> bool:
        return len(self.place.route) == 1

    def is_in(self, session: str) -> bool:
        """Whether it is about that session, and still there."""
        return session == self.place.session and self.state is not states.GONE

    def is_seated_in(self, session: str) -> bool:
        return session == self.place.session and self.takes_part

    def publish(self, message: Any) -> None:
        """Say it here, now or when seated again, until the model acknowledges it."""
        self.unacknowledged = message
        if self.state is states.SEATED or self.state is states.LEADING:
            self.port.send(self, self.place, message)

    def end(self, result: Value, failure: Value, lost: Value = None) -> None:
        """All is over, for everyone."""
        self.say(m.Ended(result, failure, self.port.end_key, lost))

    # -- finding a place -------------------------------------------------------------------

    def enter(self, place: Place) -> None:
        """Ask for a place in the session at `place`, and forget what belongs to another."""
        if self.seat is not None and place.session != self.place.session:
            self.seat, self.claims, self.unacknowledged, self.outcome = None, (), None, None
            self.backed_up, self.lead = NOTHING, None
        self.place, self.spent = place, False
        if self.state is not states.ASKING:
            self.step(states.ASK)
        past = self._past() if self.seat is not None or self.below is not None else None
        arrival = Arrive(self.node, self.address, self.about, past, self.observes)
        self.port.send(self, place, arrival)

    def _past(self) -> m.Past:
        """What this view brings along."""
        bound = self.below.place.session if self.below else ""
        if self.seat is None:
            return m.Past(bound, (), (), 0)
        state = self.seat.state
        return m.Past(bound, self.claims, state.epoch, state.seq, self.seat.seal_of(self.node))

    def answered(self, place: Place, reply: Reply) -> None:
        """The host of `place` answered this arrival."""
        if not self._expects(place):
            return
        if type(reply) is Redirect:  # most are
            return self._go(reply.place)
        match reply:
            case m.Wait():
                self.step(states.WAIT)
            case m.TurnedAway() if self.above is None:
                self.step(states.TURNED_AWAY)
                self.port.later(self, self.pause(reply.seconds), self._root())
            case m.TurnedAway():
                self.step(states.TURNED_BACK)
            case m.Absent():
                self._look_further_up(self.place.address)
            case m.Stop() if self.port.is_end(reply.ended):
                self._stop(reply.ended)
            case m.SendState():
                if self.seat is not None:
                    self.say(m.StateTransfer(self.seat.state.snapshot()))
            case m.Backup() if place.address == self.address:
                self._back_up(reply)
            case m.Backup() | m.Key():  # before this node opens that session, or one above it
                if self.address is not None and place.leads_to(reply.session):
                    self.port.send(self, Place(reply.session, (self.address,)), reply)
            case _:
                self.hear(reply)

    def pause(self, seconds: float) -> float:
        """How long it waits, in seconds, of what it was told by whoever turned it away."""
        return max(0.0, min(PAUSE_SECONDS_MAX, seconds))  # whatever a host says

    def hear(self, reply: Any) -> None:
        """The host of its session told it something of the model's own."""

    def _expects(self, place: Place) -> bool:
        """Whether what comes from there is for this view: it may have gone elsewhere meanwhile."""
        return (place == self.place or self.at(place)) and self.state is not states.GONE

    def retry(self, place: Place) -> None:
        """The time for which this view was to pause is over."""
        if self.state is states.PAUSED and self.above is None:
            self.enter(place)

    def _go(self, place: Place) -> None:
        """Go where a reflector or the leader of a team says."""
        route, here = place.route, self.place.route
        if route[0] != here[0] or (len(route) <= len(here) and self._is_sent_about()):
            self._look_up(self._root())
            return
        way = FREE if self.above is self.below is None else self._way(place)
        if way is FREE:
            self.enter(place)
        elif way is Way.OUTSIDE:
            self.step(states.SENT_OUTSIDE)
        elif way is Way.INTO_MINE:
            self.hops += 1
            if self.hops <= HOPS_MAX:
                self.enter(self.place)  # that was said to the one it was before
            else:  # an older incarnation has others in its place
                assert self.above is not None
                assert self.above.lead is not None
                self.above.lead_on(self.above.lead)
        elif way is Way.DEEPER:
            below = self.below
            assert below is not None
            self.retire()
            below.follow(place)
        else:
            assert self.below is not None
            # Either its predecessor is not missed yet one level up, or it is there and follows:
            # then that one is to lead.
            self.hops += 1
            if self.below.state is states.LEADING and self.hops > YIELD_TRIES:
                self.hops = 0
                self.below.enter(self.below.place)
            self.step(states.TAKEN)
            self.port.later(self, RETRY_SECONDS, self.place)

    def _is_sent_about(self) -> bool:
        """Whether it has found no seat for so long that only the root knows better."""
        self.hops = (self.hops + 1) % (HOPS_MAX + 1)
        return self.hops == 0

    def _way(self, place: Place) -> Way:
        above, below = self.above, self.living_below()
        if above is not None:
            if not above.place.leads_to(place.session):
                return Way.OUTSIDE
            inside = self.place.leads_to(place.session) and self.hops <= HOPS_MAX
            if inside and above.has(self.place.session):
                return Way.INTO_MINE
        if below is None or len(place.route) < len(below.place.route):
            return FREE
        return Way.OCCUPIED if below.takes_part and place == below.place else Way.DEEPER

    def _root(self) -> Place:
        return Place(self.place.session.partition("-")[0], self.place.route[:1])

    def lost(self, address: Address) -> None:
        """The host at `address` is gone, or could not be reached."""
        if address == self.place.address and self.state is not states.GONE:
            self._look_further_up()

    def _look_further_up(self, empty: Address | None = None) -> None:
        """One level up, or at the next one that is not on the host that is `empty`.

        At the root, where that has led nowhere again and again.
        """
        up = self.place.parent()
        while up is not None and up.address == empty and up.parent() is not None:
            up = up.parent()
        self._look_up(self._root() if up is not None and self._is_sent_about() else up)

    def _look_up(self, up: Place | None) -> None:
        """Look for the session from `up` on, which is above it."""
        if up is None:
            self.step(states.ROOT_LOST)
            self.port.later(self, RETRY_SECONDS, self.place)
        elif self.seat is None and self.above is not None:
            self.step(states.HOST_LOST)
        elif self.seat is None:
            self.enter(up)
        else:
            self.step(states.SEAT_LOST)
            if self.above is None:
                self._seek_above(up)

    # -- taking part -----------------------------------------------------------------------

    def seated(self, seat: Seat, commands: list[Any]) -> None:
        """The reflector admitted this arrival; `commands` are what its joining brought."""
        if not self._expects(seat.place):
            chain = self.chain()
            if chain and not any(view.at(seat.place) for view in chain):
                self.port.send(self, seat.place, m.Leave())  # an arrival of which nothing came
            return
        self.step(states.SEAT)
        self.seat, self.hops = seat, 0
        self.place = seat.place if seat.place == self.place else self.place  # one is found faster
        unacknowledged = self.unacknowledged
        for command in commands:
            self.on(seat, command)
        above, leads = self.above, self.state is states.LEADING
        if above is not None and not leads and above.has(self.place.session):
            assert above.lead is not None
            if above.lead.epoch > seat.state.epoch:  # newer than whoever leads
                above.lead_on(above.lead)
        if above and above.seat is None and above.above is None and not leads:
            # It was to find the parent, but somebody else leads now: its arrival is withdrawn.
            above.say(m.Leave())
            above.retire()
        if unacknowledged:  # joining did not acknowledge what was sent elsewhere before
            self.unacknowledged = unacknowledged
            self.say(unacknowledged)

    def on(self, seat: Seat, command: Any) -> None:
        """Do what the model of `seat` says, if this is where it sits."""
        if seat is self.seat and (self.state is states.SEATED or self.state is states.LEADING):
            self.actions[type(command)](self, command)

    def _rest(self, command: m.Rest) -> None:
        self.claims, self.lead, self.unacknowledged = (), None, None

    def _stopped(self, command: m.Stop) -> None:
        if self.port.is_end(command.ended):
            self._stop(command.ended)


Participant.actions = {
    m.Lead: Participant._told_to_lead,
    m.Supply: Participant._supply,
    m.Visit: Participant._visit,
    m.Rest: Participant._rest,
    m.TakeOver: Participant._take_over,
    m.KeepBackup: Participant._keep_backup,
    m.Go: lambda view, command: view._go(command.place),
    m.Stop: Participant._stopped,
}
