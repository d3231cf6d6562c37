"""The life of one node, event by event.

A followed node's views note what changes in them, and its port notes what they ask of it. Both
stand between the core and the network without either knowing: the run is the same run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from core import JobPort, Shape, Worker
from core import messages as m
from core.messages import Address, Call, Command, Node, Place, Value
from core.sessions import Port
from core.sessions.chain import View
from core.sessions.states import (
    ADRIFT,
    ASKING,
    GONE,
    HELD,
    LEADING,
    PAUSED,
    SEATED,
    STANDBY,
    Event,
    State,
)
from plugins.console.telling import failure_line, short
from sim.faults import script
from sim.faults.actions import Action
from sim.links.network import Network
from sim.world import World

Tell = Callable[[str], None]

SESSION_WIDTH = 12


class FollowedWorld(World):
    """A world that tells, through `tell`, each event of one node in a line. Node 0 submits."""

    def __init__(self, node: Node, tell: Tell, **options: Any) -> None:
        self._followed = node
        self._tell = tell
        self._port: FollowingPort | None = None
        super().__init__(**options)

    def _network(self) -> Network:
        network = super()._network()
        network.participant = self._view
        return network

    def _view(
        self, port: Port, node: Node, address: Address | None, place: Place, observes: bool
    ) -> Worker:
        """A node arrives: the followed one has views that are followed."""
        if node != self._followed:
            return Worker(port, node, address, place, observes)
        self._port = following = FollowingPort(port, self, node, self._tell)
        following.note(place, "arrives")
        return FollowedWorker(following, node, address, place, observes)

    def _act(self, action: Action) -> list[Node]:
        concerned = super()._act(action)
        if self._port is not None and self._followed in concerned:
            self._port.note(NOWHERE, f"is concerned: {script.said(action)}")
            self._port.asleep = not self.network.alive[self._followed]
        return concerned

    def tell_end(self) -> None:
        """Say where the node is when the run is over."""
        node, sessions = self._followed, dict[str, list[str]]()
        for view in self.network.chain(node):
            sessions.setdefault(_STANDS[view.state], []).append(view.place.session)
        stands = ", ".join(f"{how} {' and '.join(names)}" for how, names in sessions.items())
        if self._port is None:
            stands = "has not arrived"
        elif not self.network.alive[node]:
            stands = "has left"
        self._tell(f"The run ends at {self.now:.3f} s: node {node} {stands or 'has stopped'}.")


_STANDS: dict[State, str] = {
    ASKING: "looks for a place in",
    STANDBY: "stands by in",
    SEATED: "has a place in",
    LEADING: "has a place in",
    ADRIFT: "has lost the host of",
    PAUSED: "rests near",
    HELD: "rests near",
    GONE: "is done with",
}


NOWHERE = Place("", ())


class FollowedWorker(Worker):
    """A view that notes what changes in it; those below and above it are of its kind, too."""

    __slots__ = ()

    actions: ClassVar[dict[type, Callable[[Any, Any], None]]] = {}

    def step(self, event: Event) -> None:
        before = self.state
        super().step(event)
        if self.state is not before and isinstance(self.port, FollowingPort):
            self.port.stepped(self)


def _noted(action: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """The same action, after which is noted what it has changed."""

    def act(view: FollowedWorker, command: Command) -> None:
        action(view, command)
        if isinstance(view.port, FollowingPort):
            view.port.look(view)

    return act


FollowedWorker.actions = {kind: _noted(action) for kind, action in Worker.actions.items()}


class FollowingPort(JobPort):
    """The port of a followed node's views: notes what they ask of the port that it stands for."""

    def __init__(self, port: Any, world: World, node: Node, tell: Tell) -> None:
        self._port = port
        self.compute, self.prepare, self.collect = self._compute, self._prepare, self._collect
        self._world = world
        self._node = node
        self.asleep = False  # it is down: what its views do, nobody hears
        self._tell = tell
        self._digits = max(3, math.ceil(-math.log10(world.clock.tick_seconds) - 1e-9))
        self._claims: dict[View, tuple[int, ...]] = {}  # as it was seen last, of each view
        self._leads: dict[View, m.Lead | None] = {}

    @property
    def end_key(self) -> bytes:
        key: bytes = self._port.end_key
        return key

    def is_end(self, ended: m.Ended) -> bool:
        return bool(self._port.is_end(ended))

    def note(self, place: Place, text: str) -> None:
        if self.asleep and place is not NOWHERE:
            return
        now = f"{self._world.now:.{self._digits}f}"
        self._tell(f"{now:>{self._digits + 7}} s  {place.session:<{SESSION_WIDTH}} {text}")

    # -- what changes in a view ------------------------------------------------------------

    def look(self, view: View) -> None:
        """Note what the model has for that view to do, if that is something else by now."""
        claims, lead = self._claims.get(view, ()), self._leads.get(view)
        self._claims[view], self._leads[view] = view.claims, view.lead
        if view.seat is None:
            return
        if claims != view.claims and not view.claims:  # of what it is given `compute` tells
            self.note(view.place, "has nothing to do for now")
        if lead != view.lead:
            self._note_lead(view, view.lead)

    def _note_lead(self, view: View, lead: m.Lead | None) -> None:
        if lead is None:
            self.note(view.place, "has nothing to do for now")
        else:
            child = view.model.shape.child(lead.child)
            under = _span("partition", range(child.first, child.first + child.partitions))
            self.note(view.place, f"is given slot {lead.child}, session {child.session}: {under}")

    def stepped(self, view: View) -> None:
        """It is in another state."""
        self.look(view)
        if view.state is GONE and not self._world.network.alive[self._node]:
            self.note(view.place, "leaves")
        elif view.state is not ASKING:  # what it asks is told by `send`
            self.note(view.place, _BECOMES[view.state])

    # -- what a view asks for --------------------------------------------------------------

    def send(self, view: View, place: Place, call: Call) -> None:
        for one in view.chain():  # what this one says may follow from what another was told
            self.look(one)
        if type(call) is not m.Key:  # which its own host is told, for later
            self.note(place, said(place, call))
        self._port.send(view, place, call)

    def open(self, view: View, opening: m.Open) -> None:
        self.look(view)
        place, shape = opening.place, Shape(*opening.plan)
        where = "" if place.address == self._node else f" on node {place.address}"
        self.note(place, f"opens this session{where}: {shape.slots:,} slots")
        self._port.open(view, opening)

    def _compute(self, view: Worker, command: m.Compute) -> None:
        partitions = [command.first + slot for slot in command.slots]
        what = f"{_span('slot', command.slots)}: {_span('partition', partitions)}"
        self.note(view.place, f"computes {what}")
        self._port.compute(view, command)

    def _prepare(self, view: Worker, session: str, value: Value, sizes: list[int]) -> None:
        self.note(view.place, f"prepares {len(sizes):,} inputs from {_brief(value)}")
        self._port.prepare(view, session, value, sizes)

    def _collect(self, view: Worker, session: str, outputs: list[Value]) -> None:
        self.note(view.place, f"collects {len(outputs):,} outputs")
        self._port.collect(view, session, outputs)

    def later(self, view: View, seconds: float, place: Place) -> None:
        self.note(view.place, f"will ask session {place.session} again in {seconds:g} s")
        self._port.later(view, seconds, place)

    def ended(self, view: View, ended: m.Ended) -> None:
        self.note(view.place, "hears that the computation is over")
        self._port.ended(view, ended)


_BECOMES: dict[State, str] = {
    STANDBY: "stands by",
    SEATED: "has a place",
    LEADING: "leads this session",
    ADRIFT: "has lost the host of this session",
    PAUSED: "rests, as there is no place now",
    HELD: "rests, as there is no place now",
    GONE: "is done here",
}


def asked(place: Place) -> str:
    return f"asks node {place.address} for a place"


def said(place: Place, call: Call) -> str:
    """What a view says to the host of a place."""
    match call:
        case m.Arrive():
            brings = call.past and call.past.seq
            return asked(place) + (f", knows this session up to message {brings}" * bool(brings))
        case m.Leave():
            return "gives its place up"
        case m.StateTransfer():
            return "sends what it knows of this session"
        case m.Given():
            return f"passes the input on: {_brief(call.input)}"
        case m.Prepared():
            return f"sends {len(call.inputs):,} inputs"
        case m.Collected():
            return f"has combined all outputs: {_brief(call.output)}"
        case m.Finished():
            outputs = call.outputs[0] if len(call.outputs) == 1 else call.outputs
            return f"sends the output of {_span('slot', call.slots)}: {_brief(outputs)}"
        case m.Failed():
            what = "a function of the session" if call.slot is None else f"slot {call.slot}"
            return f"reports that {what} failed: {failure_line(call.failure)}"
        case m.Moved():
            return f"goes to session {call.place.session}, and its team with it"
        case m.Ended():
            return "tells everyone that the computation is over"
        case _:
            return f"sends {type(call).__name__}"


def _brief(value: Value) -> str:
    text = short(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _span(what: str, numbers: Sequence[int]) -> str:
    """`slot 3`, `slots 3 to 7`, or `slots 3, 5, 9`."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) == 1:
        return f"{what} {first}"
    if list(numbers) == list(range(first, last + 1)):
        return f"{what}s {first} to {last}"
    return f"{what}s {', '.join(map(str, numbers))}"
