"""The view: one node's own side of one session.

Rules it keeps:
- It reads no state but its own, what commands bring, and of the model what waits for it
  (the outputs to combine, how far a replica came, what it failed before); it changes a session
  only through messages, and what it sent counts when the answer comes back in order. Until then
  it holds the message and sends it again wherever it is seated next.
- A node is a chain of views, one a level: a view that was given a slot of an interior session
  leads the child session with the view `below`. A view whose session lost its host is adrift:
  it puts a seeker `above` itself, which asks one level up where the session is now, or gets to
  lead it anew.
- Whoever is sent to a place outside of the session it led takes its team along.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol, assert_never

from core import messages as m
from core.computation import Computation
from core.messages import Address, Call, Command, Node, Place, Reply, Value

RETRY_SECONDS = 0.5
YIELD_TRIES = 20
HOPS_MAX = 5  # more incarnations than that one after the other lead nowhere
NOTHING: m.Outputs = {}


class Seat(Protocol):
    """What a participant has of a session: a replica of its model."""

    place: Place

    @property
    def model(self) -> Computation: ...


class Port(Protocol):
    """What the core asks of a transport. Nothing here waits for an answer."""

    def send(self, worker: Worker, place: Place, call: Call) -> None:
        """Carry `call` to the host of `place`; `worker.lost(address)` if nobody is there."""

    def open(self, worker: Worker, opening: m.Open) -> None:
        """Have the host at the opening's address open a session; before what is sent later."""

    def compute(self, worker: Worker, command: m.Compute) -> None:
        """Run compute on each input; then `worker.computed(...)` or `worker.raised(...)`."""

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        """Run prepare; then `worker.prepared(...)` or `worker.raised(...)`."""

    def collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        """Run collect; then `worker.collected(...)` or `worker.raised(...)`."""

    def later(self, worker: Worker, seconds: float, place: Place) -> None:
        """Call `worker.retry(place)` after some seconds."""

    def ended(self, worker: Worker, ended: m.Ended) -> None:
        """The computation is over for this node."""


class State(Enum):
    SEEKING = auto()  # asked for a place, no answer yet
    WAITING = auto()  # a spare
    SEATED = auto()  # a participant
    ADRIFT = auto()  # a participant whose host is gone
    RESTING = auto()  # nowhere, for a while or until the view above has something for it
    GONE = auto()


SEEKING, WAITING, SEATED, ADRIFT, RESTING, GONE = State


class Worker:
    """A participant's view of one session."""

    __slots__ = (
        "above",
        "address",
        "below",
        "holding",
        "hops",
        "kept",
        "lead",
        "leads",
        "node",
        "observes",
        "outcome",
        "pace",
        "place",
        "port",
        "seat",
        "state",
        "unacknowledged",
    )

    def __init__(
        self, port: Port, node: Node, address: Address | None, place: Place, observes: bool = False
    ) -> None:
        self.port = port
        self.node = node
        self.address = address
        self.place = place
        self.observes = observes
        self.leads = False
        self.lead: m.Lead | None = None  # the last that it was told
        self.state = SEEKING
        self.hops = 0  # from one incarnation of the session to another, without a seat
        self.pace: float | None = None
        self.seat: Seat | None = None
        self.holding: tuple[int, ...] = ()
        self.unacknowledged: m.Finished | m.Failed | None = None
        self.outcome: m.Finished | m.Failed | None = None  # of this session, for its parent
        self.kept = NOTHING  # of this session, in another process: so far as it was told
        self.above: Worker | None = None
        self.below: Worker | None = None

    # -- finding a place -------------------------------------------------------------------

    def enter(self, place: Place) -> None:
        """Ask for a place in the session at `place`, and forget what belongs to another."""
        if place.session != self.place.session:
            self.seat, self.holding, self.unacknowledged, self.outcome = None, (), None, None
            self.kept, self.hops = NOTHING, 0
        self.place, self.state = place, SEEKING
        past = self._past() if self.seat is not None or self.below is not None else None
        self.port.send(
            self, place, m.Arrive(self.node, self.address, self.pace, past, self.observes)
        )

    def _past(self) -> m.Past:
        """What this view brings along."""
        bound = self.below.place.session if self.below else ""
        if self.seat is None:
            return m.Past(bound, (), (), 0)
        model = self.seat.model
        return m.Past(bound, self.holding, model.epoch, model.seq)

    def answered(self, place: Place, reply: Reply) -> None:
        """The host of `place` answered this arrival."""
        if not self._expects(place):
            return
        match reply:
            case m.Redirect():
                self._go(reply.place)
            case m.Wait():
                self.state = WAITING
            case m.TurnedAway():
                self.state = RESTING
                if self.above is None:
                    self.port.later(self, reply.seconds, self._root())
            case m.Absent():
                self._look_one_level_up()
            case m.Stop():
                self._stop(reply.ended)
            case m.Bring():
                if self.seat is not None:
                    self.port.send(self, self.place, m.Brought(self.seat.model.snapshot()))
            case m.Kept() if place.address == self.address:
                self._keep(reply)
            case m.Kept():  # before what makes this node open that session, or one above it
                self.port.send(self, Place(reply.session, (self.address,)), reply)
            case _:
                assert_never(reply)

    def _expects(self, place: Place) -> bool:
        """Whether what comes from there is for this view: it may have gone elsewhere meanwhile."""
        return self.state is not GONE and self.at(place)

    def at(self, place: Place) -> bool:
        """Whether this view is, or asked to be, in that very incarnation of a session."""
        return place.session == (here := self.place).session and place.route[-1] == here.route[-1]

    def chain(self) -> list[Worker]:
        """The views that this node has now, from the highest level down."""
        view: Worker | None = self
        while view is not None and view.state is GONE:  # it gave way to the one below
            view = view.below
        while view is not None and view.above is not None:
            view = view.above
        views = []
        while view is not None:
            views.append(view)
            view = view.below
        return views

    def retry(self, place: Place) -> None:
        """The time for which this view was to rest is over."""
        if self.state is RESTING and self.above is None:
            self.enter(place)

    def _go(self, place: Place) -> None:
        """Go where a reflector or the leader of a team says.

        A node has one view of a session at most, and is in one team: below a view that takes
        part, only what is below its session will do.
        """
        above, below, lead = self.above, self.below, self._is_to_lead()
        if place.session == self.place.session and not self.at(place):
            self.hops += 1
            if self.hops > HOPS_MAX:  # leaders that slept send each other's people around: the
                self.hops = 0  # root knows better
                return self._look_up(self._root())
        if above is not None and not above.place.leads_to(place.session):
            self.state = RESTING
        elif above and lead and self.place.leads_to(place.session) and self.hops <= HOPS_MAX:
            self.hops += 1
            if self.hops <= HOPS_MAX:
                self.enter(self.place)  # that was said to the one it was before
            else:
                above._lead(lead)  # an older incarnation has others in its place
        elif below is None or len(place.route) < len(below.place.route):
            self.enter(place)
        elif below.state is SEATED and place == below.place:
            # Where this node leads already. Either its predecessor is not missed yet one level up,
            # or it is there and follows: then that one is to lead.
            self.hops += 1
            if below.leads and self.hops > YIELD_TRIES:
                self.hops = 0
                below.enter(below.place)
            self.state = RESTING
            self.port.later(self, RETRY_SECONDS, self.place)
        else:  # this view was to look for a place, and that is one for the next view down
            self.retire()
            below.follow(place)
        return None

    def _is_to_lead(self) -> m.Lead | None:
        """What the view above was told, if it holds this session's slot."""
        return self.above.lead if self.above and self.above.has(self.place.session) else None

    def _root(self) -> Place:
        return Place(self.place.session.partition("-")[0], self.place.route[:1])

    def retire(self) -> None:
        """Leave the chain of views to the one below."""
        self.state = GONE
        if self.below:
            self.below.above = self.above
        if self.above:
            self.above.below = self.below
        self.above = None  # `below` stays, for whoever still knows the node by this view

    def follow(self, place: Place) -> None:
        """Go to `place`, with the team where there is one."""
        if self.at(place):
            pass  # opened anew where it was: the old reflector has sent its people on
        elif self.state is SEATED and self.leads:
            self.port.send(self, self.place, m.Moved(self.node, place))
        elif self.state in (SEATED, WAITING, SEEKING):
            self.port.send(self, self.place, m.Leave())
        self.enter(place)

    def lost(self, address: Address) -> None:
        """The host at `address` is gone, or could not be reached."""
        if address == self.place.address and self.state is not GONE:
            self._look_one_level_up()

    def _look_one_level_up(self) -> None:
        self._look_up(self.place.parent())

    def _look_up(self, up: Place | None) -> None:
        if up is None:
            self.state = RESTING
            self.port.later(self, RETRY_SECONDS, self.place)
        elif self.seat is None and self.above is not None:
            self.state = RESTING
        elif self.seat is None:
            self.enter(up)
        else:
            self.state = ADRIFT
            if self.above is None:
                self._seek_above(up)

    def _seek_above(self, place: Place) -> None:
        seeker = Worker(self.port, self.node, self.address, place)
        seeker.below, self.above = self, seeker
        seeker.enter(place)

    # -- taking part -----------------------------------------------------------------------

    def seated(self, seat: Seat, commands: list[Command]) -> None:
        """The reflector admitted this arrival; `commands` are what its joining brought."""
        if not self._expects(seat.place):
            chain = self.chain()
            if chain and not any(view.at(seat.place) for view in chain):
                self.port.send(self, seat.place, m.Leave())  # an arrival of which nothing came
            return
        self.state = SEATED
        self.seat, self.hops = seat, 0
        self.leads = False
        unacknowledged = self.unacknowledged
        for command in commands:
            self.on(seat, command)
        above, lead = self.above, self.above and self._is_to_lead()
        if above and lead and not self.leads and lead.epoch > seat.model.epoch:
            above._lead(lead)  # newer than whoever leads
        if above and above.seat is None and above.above is None and not self.leads:
            # It was to find the parent, but somebody else leads now: its arrival is withdrawn.
            self.port.send(above, above.place, m.Leave())
            above.retire()
        if unacknowledged:  # joining did not acknowledge what was sent elsewhere before
            self.unacknowledged = unacknowledged
            self.port.send(self, self.place, unacknowledged)

    def has(self, session: str) -> bool:
        """Whether this view holds the slot of that child session."""
        mine = [f"{self.place.session}-{slot}" for slot in self.holding]
        return self.state is SEATED and mine == [session]

    def on(self, seat: Seat, command: Command) -> None:
        """Do what the model of `seat` says, if this is where it sits."""
        if seat is not self.seat or self.state is not SEATED:
            return
        match command:
            case m.Compute():
                self.holding, self.unacknowledged = command.slots, None
                self.port.compute(self, command)
            case m.Rest():
                self.holding, self.unacknowledged = (), None
            case m.Lead():
                self.holding, self.unacknowledged = (command.slot,), None
                self._lead(command)
            case m.Supply():
                if self.lead:
                    self.lead = m.Lead(command.slot, self.lead.epoch, True, command.input)
                self._supply(command.slot, command.input)
            case m.Reinforce():
                self._send_below(self._child(command.slot, command.address))
            case m.TakeOver():
                self.leads = True
                up = self.place.parent()
                if self.above is None and up is not None:
                    self._seek_above(up)
            case m.Prepare():
                shape = self._model.shape
                self.port.prepare(self, shape.session, command.input, shape.sizes())
            case m.Collect():
                outputs = [slot.output for slot in self._model.slots]
                self.port.collect(self, self.place.session, outputs)
            case m.Keep():
                self.kept = {**self.kept, **command.outputs}
                self._keep(m.Kept(self.place.session, command.outputs))
            case m.Abort():
                self._pass_up(None, command.failure)
            case m.Go():
                self._go(command.place)
            case m.Stop():
                self._stop(command.ended)
            case _:
                assert_never(command)

    def _stop(self, ended: m.Ended) -> None:
        self.state = GONE
        below = self.below
        if below is None:
            self.port.ended(self, ended)
            return
        if below.state in (SEEKING, SEATED):  # whoever is there is to know, too
            self.port.send(below, below.place, ended)
        if below.state in (SEEKING, WAITING):  # it is not to be called any more
            self.port.send(below, below.place, m.Leave())
        below._stop(ended)

    @property
    def _model(self) -> Computation:
        assert self.seat is not None
        return self.seat.model

    # -- leading ---------------------------------------------------------------------------

    def _child(self, slot: int, address: Address | None) -> Place:
        return self.place.child(slot, self.place.address if address is None else address)

    def _lead(self, lead: m.Lead) -> None:
        self.lead = lead
        place = self._child(lead.slot, self.address)
        below = self.below
        # Where the leader does not listen, the session is to be on the parent's host, that now is.
        kept = below is not None and below.at(place) and below.leads and below.state is SEATED
        if below is None or not kept:
            shape = self._model.shape.child(lead.slot)
            self.port.open(self, m.Open(shape, lead.epoch, place))
            self._send_below(place)
        else:
            if below.outcome:
                self.port.send(self, self.place, below.outcome)
                below = None
            while below is not None and below.place.address == self.address:
                below._keep(m.Kept(below.place.session, below.kept))  # who hosts above may be new
                below = below.below
        if lead.given:
            self._supply(lead.slot, lead.input)

    def _keep(self, kept: m.Kept) -> None:
        """Have the nearest process above that is another one keep these, too."""
        above: Worker | None = self
        while above is not None and above.place.address == self.address:
            above = above.above
        if kept.outputs and above is not None and above is not self and above.state is SEATED:
            self.port.send(above, above.place, kept)

    def _send_below(self, place: Place) -> None:
        """Have the node's next view down at `place`."""
        below = self.below
        if below is not None and not place.leads_to(below.place.session):
            below.follow(place)
            return
        # None yet, or it leads a session further down, which is to keep its leader.
        self.below = view = Worker(self.port, self.node, self.address, place)
        view.above, view.below, view.pace = self, below, self.pace
        if below is not None:
            below.above = view
        view.enter(place)

    def _supply(self, slot: int, value: Value) -> None:
        if self.below and self.below.place.session == f"{self.place.session}-{slot}":
            self.port.send(self.below, self.below.place, m.Given(value))

    def _pass_up(self, output: Value, failure: m.Failure | None) -> None:
        """Hand the session's outcome to the parent session, or to whoever asked."""
        up, above = self.place.parent(), self.above
        if up is None:
            self.port.send(self, self.place, m.Ended(output, failure))
            return
        slot = int(self.place.session.rpartition("-")[2])
        if failure:
            self.outcome = m.Failed(self.node, slot, failure, final=True)
        else:
            self.outcome = m.Finished(self.node, (slot,), [output], 0.0)
        if above is not None and above.state is SEATED and above.place.session == up.session:
            self.port.send(above, above.place, self.outcome)

    # -- outcomes of the job's functions ---------------------------------------------------

    def _publish(self, message: m.Finished | m.Failed) -> None:
        """Say what came of a slot, now or when seated again."""
        self.unacknowledged = message
        if self.state is SEATED:
            self.port.send(self, self.place, message)

    def computed(
        self, session: str, slots: tuple[int, ...], outputs: list[Value], seconds: float
    ) -> None:
        """Outputs of all `slots`, after `seconds` of work for all of them."""
        if session == self.place.session and self.state is not GONE:
            self.pace = seconds / len(slots)
            self._publish(m.Finished(self.node, slots, outputs, seconds))

    def prepared(self, session: str, inputs: list[Value]) -> None:
        """An input for each slot."""
        if session != self.place.session or self.state is not SEATED:
            return
        if len(inputs) != self._model.shape.slots:
            wanted = self._model.shape.slots
            self.raised(session, None, f"prepare returned {len(inputs)} inputs for {wanted} slots")
        else:
            self.port.send(self, self.place, m.Prepared(inputs))

    def collected(self, session: str, output: Value) -> None:
        """The combined output of the session."""
        if session == self.place.session and self.state is not GONE:
            self._pass_up(output, None)

    def raised(self, session: str, slot: int | None, error: str) -> None:
        """A function of the job raised, computing `slot` or (None) in prepare or collect."""
        if session == self.place.session and self.state is not GONE and self.seat is not None:
            partition = None if slot is None else self._model.shape.first + slot
            failure = m.Failure(session, partition, error)
            before = self._model.failed(self.node, slot)
            failed = m.Failed(self.node, slot, failure, final=False, before=before)
            if slot is not None:
                self.holding = ()  # the rest of these was not begun
                self._publish(failed)
            elif self.state is SEATED:  # else whoever leads when it is seated is told to try
                self.port.send(self, self.place, failed)
