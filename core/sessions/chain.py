"""The chain of a node's views, one a level: how one leads, follows, and gives way to the next.

Rules it keeps:
- A view that was given a child session leads it with the view `below`; what comes of that session
  it hands to the view `above`, now and whenever that leads it anew.
- A view whose session lost its host puts a seeker above itself, which asks one level up where the
  session is now, or gets to lead it anew. A view that is not needed gives way to the one below.
- Whoever goes to a place outside of the session that it led takes its team along.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from mypy_extensions import mypyc_attr

from core.sessions import messages as m
from core.sessions import states
from core.sessions.messages import Address, Node, Place, Value
from core.sessions.session import Session

if TYPE_CHECKING:
    from core.sessions.port import Port

NOTHING: Final[m.Facts] = {}


@mypyc_attr(allow_interpreted_subclasses=True)
class Seat:
    """What a participant has of a session: a copy of its state."""

    __slots__ = ("place", "state")

    def __init__(self, place: Place, state: Session) -> None:
        self.place = place
        self.state = state

    def seal_of(self, node: Node) -> bytes:
        """What shows that the process of `node` follows this incarnation."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class View:
    """One of the views of a node: its place in the chain, and what it knows."""

    __slots__ = (
        "about", "above", "address", "backed_up", "below", "claims", "hops", "lead", "node",
        "observes", "outcome", "place", "port", "seat", "spent", "state", "unacknowledged",
    )  # fmt: skip

    actions: ClassVar[dict[type, Callable[[Any, Any], None]]] = {}

    def __init__(
        self, port: Port, node: Node, address: Address | None, place: Place, observes: bool = False
    ) -> None:
        self.port = port
        self.node = node
        self.address = address
        self.place = place
        self.observes = observes
        self.state: states.State = states.ASKING
        self.about: Value = None  # what models may want to know of this node
        self.claims: tuple[int, ...] = ()  # what the model gave it and it is still at
        self.lead: m.Lead | None = None  # the child session that it holds
        self.hops = 0  # sent about, and not down, without a seat
        self.seat: Seat | None = None
        self.unacknowledged: Any = None
        self.outcome: Any = None  # of this session, for its parent
        self.spent = False  # nothing more comes of it, unless it is opened anew
        self.backed_up = NOTHING  # of this session, in another process: so far as it was told
        self.above: View | None = None
        self.below: View | None = None

    def step(self, event: states.Event) -> None:
        """Be in the state that follows. Raises states.IllegalStep."""
        follows = states.NEXT[event][self.state]
        if follows is None:
            seq = self.seat.state.seq if self.seat else 0
            raise states.IllegalStep(self.place.session, seq, self.state, event)
        self.state = follows

    def enter(self, place: Place) -> None:
        """Ask for a place in the session at `place`."""
        raise NotImplementedError

    def retry(self, place: Place) -> None:
        """The time for which this view was to pause is over."""
        raise NotImplementedError

    @property
    def takes_part(self) -> bool:
        """Whether it has a seat, leading or not."""
        return self.state is states.SEATED or self.state is states.LEADING

    @property
    def model(self) -> Any:
        """The session's model, to be read."""
        assert self.seat is not None
        return self.seat.state.model

    def say(self, message: Any) -> None:
        """Say it here, once."""
        self.port.send(self, self.place, message)

    def at(self, place: Place) -> bool:
        """Whether this view is, or asked to be, in that very incarnation of a session."""
        return place.is_at(self.place)

    def hand_up(self, outcome: Any, spent: bool = False) -> None:
        """Say the outcome of this session in its parent, now or when that is led there anew.

        `spent`: only now; led anew it is opened anew.
        """
        self.outcome, self.spent, above = None if spent else outcome, spent, self.above
        up = self.place.session.rpartition("-")[0]
        if above is not None and above.takes_part and above.place.session == up:
            above.say(outcome)

    def _stop(self, ended: m.Ended) -> None:
        self.step(states.STOP)
        below = self.below
        if below is None:
            self.port.ended(self, ended)
        elif below.state is not states.GONE:  # else it has heard so before
            if below.state is states.ASKING or below.takes_part:  # whoever is there is to know, too
                below.say(ended)
            if below.state in states.WAITING:  # it is not to be called any more
                below.say(m.Leave())
            below._stop(ended)

    # -- the chain of a node's views -------------------------------------------------------

    def chain(self) -> list[Any]:
        """The views that this node has now, from the highest level down."""
        view: View | None = self
        while view is not None and view.state is states.GONE:  # it gave way to the one below
            view = view.below
        while view is not None and view.above is not None:
            view = view.above
        views = []
        while view is not None:
            views.append(view)
            view = view.below
        return views

    def living_below(self) -> View | None:
        """The next view down, unless it has heard already that all is over."""
        below = self.below
        return None if below is None or below.state is states.GONE else below

    def retire(self) -> None:
        """Leave the chain of views to the one below."""
        self.step(states.RETIRE)
        if self.below:
            self.below.above = self.above
        if self.above:
            self.above.below = self.below
        self.above = None  # `below` stays, for whoever still knows the node by this view

    def follow(self, place: Place) -> None:
        """Go to `place`, with the team where there is one."""
        if self.at(place):
            pass  # opened anew where it was: the old reflector has sent its people on
        elif self.state is states.LEADING:
            self.say(m.Moved(self.node, place))
        elif self.state is states.SEATED or self.state in states.WAITING:
            self.say(m.Leave())
        self.enter(place)

    # -- leading ---------------------------------------------------------------------------

    def has(self, session: str) -> bool:
        """Whether this view holds that child session."""
        lead = self.lead
        return lead is not None and self.takes_part and session == self._name(lead.child)

    def _name(self, child: int) -> str:
        return f"{self.place.session}-{child}"

    def _child(self, child: int, address: Address | None) -> Place:
        return self.place.child(child, self.place.address if address is None else address)

    def _told_to_lead(self, lead: m.Lead) -> None:
        self.lead, self.unacknowledged = lead, None
        self.lead_on(lead)

    def lead_on(self, lead: m.Lead) -> None:
        """Lead the child session that it was given, for the first time or anew."""
        place, below = self._child(lead.child, self.address), self.living_below()
        # Where the leader does not listen, the session is to be on the parent's host, that now is.
        leads = below is not None and below.at(place) and below.state is states.LEADING
        if below is None or not leads or below.spent:
            self.port.open(self, m.Open(place, lead.epoch, self.model.child_plan(lead.child)))
            self._send_below(place)
        else:
            if below.outcome:
                self.say(below.outcome)
                below = None
            while below is not None and below.place.address == self.address:
                # who hosts above may be new
                below._back_up(m.Backup(below.place.session, below.backed_up))
                below = below.below
        self.say_first()

    def _supply(self, supply: m.Supply) -> None:
        if self.lead is not None and self.lead.child == supply.child:
            self.lead = m.Lead(supply.child, self.lead.epoch, supply.first)
            self.say_first()

    def say_first(self) -> None:
        """Say in the child session what is to be said there first, if this node leads it by now."""
        lead, below = self.lead, self.below
        if lead is None or lead.first is None or below is None:
            return
        if below.state is states.LEADING and below.place.session == self._name(lead.child):
            below.say(lead.first)

    def _visit(self, visit: m.Visit) -> None:
        self.lead = None  # it may have led there until now
        self._send_below(self._child(visit.child, visit.address))

    def _send_below(self, place: Place) -> None:
        """Have the node's next view down at `place`."""
        below = self.living_below()
        if below is not None and not place.leads_to(below.place.session):
            below.follow(place)
            return
        # None yet, or it leads a session further down, which is to keep its leader.
        self.below = view = type(self)(self.port, self.node, self.address, place)
        view.above, view.below, view.about = self, below, self.about
        if below is not None:
            below.above = view
        view.enter(place)

    def _keep_backup(self, command: m.KeepBackup) -> None:
        self.backed_up = {**self.backed_up, **command.facts}
        self._back_up(m.Backup(self.place.session, command.facts))

    def _back_up(self, backup: m.Backup) -> None:
        """Have the nearest process above that is another one keep these, too."""
        above: View | None = self
        while above is not None and above.place.address == self.address:
            above = above.above
        if above is None or above is self or not above.takes_part:
            return
        if backup.facts and above.place.leads_to(backup.session):  # it may be elsewhere
            above.say(backup)

    def _seek_above(self, place: Place) -> None:
        seeker = type(self)(self.port, self.node, self.address, place)
        seeker.below, self.above = self, seeker
        seeker.enter(place)

    def _take_over(self, command: m.TakeOver) -> None:
        self.step(states.APPOINT)
        up = self.place.parent()
        if self.above is not None:
            self.above.say_first()
        elif up is not None:
            self._seek_above(up)
