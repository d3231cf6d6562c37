"""Turns what happens in the core into the rows of a trace; the same for every transport.

A transport tells it what passes through its port and its carrier. It changes nothing there, and
asks for nothing but the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from core import Reflector
from core import messages as m
from core.messages import Command, Message, Node, Reply
from core.sessions.session import Told
from plugins.console import signals
from plugins.tracing.schema import TRAFFIC_SECONDS, in_sample
from plugins.tracing.writing import Taken, Writer

# In the order of EVENT_COLUMNS: time, event, node, session, slot, partition, to, seconds.
Row = tuple[float, str, Node | None, str | None, int | None, int | None, str | None, float | None]

BEFORE_SEATED = frozenset({"arrived", "sent_on", "waits", "turned_away", "joined"})
BEFORE_ROWS = 8  # the first and the last few, of each that has no slot yet
OF_CONTROL = frozenset({"leads", "opened", "recovered"})


class Recorder:
    """The rows of one process. Times are seconds since the root was opened.

    With `sample` K one in K nodes has its events noted, and control nodes from when they lead; of
    what came before that, where they had no slot yet, the first and the last few are noted late.
    """

    def __init__(self, writer: Writer, sample: int) -> None:
        self.writer = writer
        self.sample = sample
        self._add_all: Callable[[Iterable[Any]], None] = writer.events.extend
        self._add: Callable[[Row], None] = self._add_all if sample == 1 else self._add_some
        self._seen: set[tuple[str, m.Epoch]] = set()  # incarnations of sessions
        self._opened: set[str] = set()  # sessions, in any incarnation
        self._completed: set[str] = set()  # sessions of which that was noted
        self._accepted: dict[str, bytearray] = {}  # by session, its slots
        self._control: set[Node] = set()
        self._before: dict[Node, list[Any]] = {}  # what happened to those who have no slot yet
        self._traffic: dict[tuple[int, int], int] = {}
        self._connections: dict[Node, int] = {}

    def _add_some(self, row: Row) -> None:
        """Note what happened, if its node is one of the sample."""
        _, event, node, _, _, partition, _, _ = row
        if node is None or self._is_noted(node):
            self._add_all(row)
        elif event in OF_CONTROL or (event == "assigned" and partition is None):
            self._control.add(node)
            self._add_all(self._before.pop(node, ()))
            self._add_all(row)
        elif event == "assigned":
            self._before.pop(node, None)
        elif event in BEFORE_SEATED or node in self._before:
            before = self._before.setdefault(node, [])
            before += row
            if len(before) > BEFORE_ROWS * len(row):  # it may be turned away again and again
                del before[len(row) : 2 * len(row)]

    def _is_noted(self, node: Node) -> bool:
        """Whether all that happens to it is; asked once where that are many pieces."""
        return self.sample == 1 or in_sample(node, self.sample) or node in self._control

    # -- what a transport tells ------------------------------------------------------------

    def arrived(self, now: float, node: Node, session: str) -> None:
        """`node` asks for its first place."""
        self._add((now, "arrived", node, session, None, None, None, None))

    def replied(self, now: float, session: str, node: Node, reply: Reply) -> None:
        """The reflector of `session` answered an arrival, or sent somebody away."""
        if type(reply) is m.Redirect:
            self._add((now, "sent_on", node, session, None, None, reply.place.session, None))
        elif type(reply) is m.Wait:
            self._add((now, "waits", node, session, None, None, None, None))
        elif type(reply) is m.TurnedAway:
            self._add((now, "turned_away", node, session, None, None, None, None))

    def ordered(self, now: float, reflector: Reflector, message: Message, commands: Told) -> None:
        """`message` has changed the model of `reflector`, which has `commands` for its people."""
        if type(message) is m.Finished:
            self._finished(now, reflector, message)
        elif type(message) is m.Joined:
            self._joined(now, reflector, message.node)
        else:
            self._seldom(now, reflector, message)
        for node, command in commands:
            self._told(now, reflector, node, command)

    def started(self, now: float, node: Node, command: m.Compute) -> None:
        """`node` begins to compute."""
        first = command.first
        for slot in command.slots if self._is_noted(node) else ():
            self._add((now, "started", node, command.session, slot, first + slot, None, None))

    def finished(self, now: float, node: Node, command: m.Compute, seconds: float) -> None:
        """`node` has computed that, which took so many seconds in all."""
        first, each = command.first, seconds / len(command.slots)
        for slot in command.slots if self._is_noted(node) else ():
            self._add((now, "finished", node, command.session, slot, first + slot, None, each))

    def lost(self, now: float, node: Node, session: str) -> None:
        """The host of `session` noticed that `node` is gone."""
        self._add((now, "lost", node, session, None, None, None, None))

    def gone(self, now: float, node: Node) -> None:
        """`node` is not there any more."""
        self._add((now, "gone", node, None, None, None, None, None))

    def back(self, now: float, node: Node) -> None:
        """`node` is there again, with all that it knew."""
        self._add((now, "back", node, None, None, None, None, None))

    def fault(self, now: float, what: str, concerned: list[Node]) -> None:
        """Something went wrong on purpose."""
        for node in concerned or (None,):
            self._add((now, "fault", node, None, None, None, what, None))

    def messages(self, now: float, level: int, count: int = 1) -> None:
        """So many messages about sessions of that level."""
        key = int(now / TRAFFIC_SECONDS + 1e-9), level
        self._traffic[key] = self._traffic.get(key, 0) + count

    def connections(self, now: float, node: Node, count: int) -> None:
        """`node` is connected to so many others."""
        if count > self._connections.get(node, 0):
            self._connections[node] = count
            self.writer.connections += (now, node, count)

    def flush(self, now: float) -> None:
        """Write what there is, of the messages those that were counted in intervals before `now`.

        Those of one interval may be in several rows. Raises TraceError.
        """
        with signals.deferred():  # what was taken is nowhere else
            self.writer.write(self.take(now))

    def take(self, now: float) -> Taken:
        """What `flush` would write, for `write`, which may run in another thread."""
        for key in [key for key in self._traffic if key[0] * TRAFFIC_SECONDS < now]:
            begins = round(key[0] * TRAFFIC_SECONDS, 6)
            self.writer.traffic += (begins, key[1], self._traffic.pop(key))
        return self.writer.take()

    # -- what it means ---------------------------------------------------------------------

    def _joined(self, now: float, reflector: Reflector, node: Node) -> None:
        session = reflector.session
        epoch = reflector.state.epoch
        incarnation = session, epoch
        if incarnation not in self._seen:
            self._seen.add(incarnation)
            again = reflector.admission.again or (len(epoch) > 1 and epoch[-1] > 1)
            again = again or session in self._opened
            self._opened.add(session)
            event = "recovered" if again else "opened"
            address = str(reflector.host.address)
            self._add((now, event, node, session, None, None, address, None))
        self._add((now, "joined", node, session, None, None, None, None))

    def _finished(self, now: float, reflector: Reflector, finished: m.Finished) -> None:
        session, shape = reflector.session, reflector.model.shape
        done = self._accepted.get(session)
        if done is None:
            self._accepted[session] = done = bytearray(shape.slots)
        first = shape.first if shape.leaf else None
        noted = self._is_noted(finished.node)
        for slot in finished.slots:
            if not done[slot]:
                done[slot] = 1
                if not noted:
                    continue
                partition = None if first is None else first + slot
                self._add((now, "accepted", finished.node, session, slot, partition, None, None))

    def _seldom(self, now: float, reflector: Reflector, message: Message) -> None:
        model, session = reflector.model, reflector.session
        match message:
            case m.Left():
                self._add((now, "left", message.node, session, None, None, None, None))
            case m.Failed():
                slot = message.slot
                at_leaf = slot is not None and model.shape.leaf
                partition = model.shape.first + slot if at_leaf and slot is not None else None
                self._add((now, "failed", message.node, session, slot, partition, None, None))
            case m.Collected():
                leader = reflector.state.leader
                self._add((now, "collected", leader, session, None, None, None, None))
            case m.Moved():
                self._add(
                    (now, "moved", message.node, session, None, None, message.place.session, None)
                )
            case m.Ended():
                self._add((now, "ended", reflector.state.leader, session, None, None, None, None))

    def _told(self, now: float, reflector: Reflector, node: Node, command: Command) -> None:
        session = reflector.session
        if type(command) is m.Compute and not self._is_noted(node):
            self._before.pop(node, None)
        elif type(command) is m.Compute:
            slots, first = command.slots, command.first
            helped = reflector.model.slots.helpers.get(slots[0]) == node
            event = "doubled" if helped else "assigned"
            for slot in slots:
                self._add((now, event, node, session, slot, first + slot, None, None))
        elif type(command) is m.Lead:
            self._add((now, "assigned", node, session, command.child, None, None, None))
        elif type(command) is m.Visit:
            self._add((now, "doubled", node, session, command.child, None, None, None))
        elif type(command) is m.TakeOver:
            self._add((now, "leads", node, session, None, None, None, None))
        elif type(command) is m.Collect and session not in self._completed:
            self._completed.add(session)
            self._add((now, "completed", node, session, None, None, None, None))
