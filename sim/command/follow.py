"""The life of one node, event by event.

A followed node's views note what changes in them, and its port notes what they ask of it. Both
stand between the core and the network without either knowing: the run is the same run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from core import JobPort, Shape, Worker
from core import messages as m
from core.messages import Call, Node, Place, Value
from core.sessions.states import (
    ADRIFT,
    ASKING,
    GONE,
    HELD,
    LEADING,
    PAUSED,
    SEATED,
    STANDBY,
    State,
)
from plugins.console.telling import failure_line, short
from sim.faults import script
from sim.faults.actions import SUBMITTER, Action
from sim.world import World

Tell = Callable[[str], None]

SESSION_WIDTH = 12


class FollowedWorld(World):
    """A world that tells, through `tell`, each event of one node in a line. Node 0 submits."""

    def __init__(self, node: Node, tell: Tell, **options: Any) -> None:
        super().__init__(**options)
        self._followed = node
        self._tell = tell
        self._found = False
        self._port: FollowingPort | None = None
        self._find()

    def _arrivals(self, _a: None = None, _b: None = None, _c: None = None) -> None:
        super()._arrivals()
        if not self._found:
            self._find()

    def _find(self) -> None:
        """Follow the node, if it has just arrived."""
        view = self.network.views[self._followed]
        if self._followed == SUBMITTER:
            view = self.network.chain(SUBMITTER)[0]
        if view is not None:
            self._found = True
            self._port = port = FollowingPort(view.port, self, self._followed, self._tell)
            port.follow(view)
            port.note(view.place, "arrives")
            port.note(view.place, asked(view.place))

    def _act(self, action: Action) -> list[Node]:
        concerned = super()._act(action)
        if self._port is not None and self._followed in concerned:
            self._port.note(NOWHERE, f"is concerned: {script.said(action)}")
            self._port.asleep = not self.network.alive[self._followed]
        return concerned

    def _restart(self, node: Node, memory: bool) -> None:
        super()._restart(node, memory)
        if node == self._followed:
            self._find()

    def tell_end(self) -> None:
        """Say where the node is when the run is over."""
        node, sessions = self._followed, dict[str, list[str]]()
        for view in self.network.chain(node):
            sessions.setdefault(_STANDS[view.state], []).append(view.place.session)
        stands = ", ".join(f"{how} {' and '.join(names)}" for how, names in sessions.items())
        if not self._found:
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
    """A view that notes what changes in it."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        before = getattr(self, name, None)
        super().__setattr__(name, value)
        made = hasattr(self, "below")  # which is set last
        if made and before != value and isinstance(self.port, FollowingPort):
            self.port.changed(self, name, value)


class FollowingPort:
    """The port of a followed node's views: notes what they ask of the port that it stands for."""

    def __init__(self, port: JobPort, world: World, node: Node, tell: Tell) -> None:
        self._port = port
        self.end_key, self.is_end = port.end_key, port.is_end
        self._world = world
        self._node = node
        self.asleep = False  # it is down: what its views do, nobody hears
        self._tell = tell
        self._digits = max(3, math.ceil(-math.log10(world.clock.tick_seconds) - 1e-9))

    def follow(self, worker: Worker) -> None:
        worker.port = self
        worker.__class__ = FollowedWorker

    def note(self, place: Place, text: str) -> None:
        if self.asleep and place is not NOWHERE:
            return
        now = f"{self._world.now:.{self._digits}f}"
        self._tell(f"{now:>{self._digits + 7}} s  {place.session:<{SESSION_WIDTH}} {text}")

    # -- what changes in a view ------------------------------------------------------------

    def changed(self, worker: Worker, name: str, value: Any) -> None:
        if name == "state":
            self._state(worker, value)
        elif name == "claims":
            self._claims(worker, value)
        elif name == "lead":
            self._lead(worker, value)

    def _state(self, worker: Worker, state: State) -> None:
        if state is GONE and not self._world.network.alive[self._node]:
            self.note(worker.place, "leaves")
        elif state is not ASKING:  # what it asks is told by `send`
            self.note(worker.place, _BECOMES[state])

    def _claims(self, worker: Worker, slots: tuple[int, ...]) -> None:
        """Of what it is given `compute` tells."""
        if worker.seat is not None and not slots:
            self.note(worker.place, "has nothing to do for now")

    def _lead(self, worker: Worker, lead: m.Lead | None) -> None:
        if worker.seat is None:
            return
        if lead is None:
            self.note(worker.place, "has nothing to do for now")
        else:
            child = worker.model.shape.child(lead.child)
            under = _span("partition", range(child.first, child.first + child.partitions))
            self.note(worker.place, f"is given slot {lead.child}, session {child.session}: {under}")

    # -- what a view asks for --------------------------------------------------------------

    def send(self, worker: Worker, place: Place, call: Call) -> None:
        if type(worker) is Worker:  # a new one, of another level
            self.follow(worker)
        if type(call) is not m.Key:  # which its own host is told, for later
            self.note(place, said(place, call))
        self._port.send(worker, place, call)

    def open(self, worker: Worker, opening: m.Open) -> None:
        place, shape = opening.place, Shape(*opening.plan)
        where = "" if place.address == self._node else f" on node {place.address}"
        self.note(place, f"opens this session{where}: {shape.slots:,} slots")
        self._port.open(worker, opening)

    def compute(self, worker: Worker, command: m.Compute) -> None:
        partitions = [command.first + slot for slot in command.slots]
        what = f"{_span('slot', command.slots)}: {_span('partition', partitions)}"
        self.note(worker.place, f"computes {what}")
        self._port.compute(worker, command)

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        self.note(worker.place, f"prepares {len(sizes):,} inputs from {_brief(value)}")
        self._port.prepare(worker, session, value, sizes)

    def collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        self.note(worker.place, f"collects {len(outputs):,} outputs")
        self._port.collect(worker, session, outputs)

    def later(self, worker: Worker, seconds: float, place: Place) -> None:
        self.note(worker.place, f"will ask session {place.session} again in {seconds:g} s")
        self._port.later(worker, seconds, place)

    def ended(self, worker: Worker, ended: m.Ended) -> None:
        self.note(worker.place, "hears that the computation is over")
        self._port.ended(worker, ended)


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
