"""What happened in a world, as it is told when something is wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

from core import Reflector
from core import messages as m
from core.messages import Node
from sim.clock import Clock
from sim.faults import script
from sim.faults.actions import Action, Fault
from sim.search.sound import Broken

EVENTS_MAX = 400  # that are remembered, for what comes before a violation
INVOLVED_MAX = 40  # events that are told of a violation


@attrs.frozen
class Event:
    """A message that was ordered, or a fault (of no session)."""

    at: float
    session: str
    text: Callable[[], str]
    nodes: tuple[Node, ...]


def line(event: Event) -> str:
    """An event as one line."""
    return f"{event.at:9.3f} s  {event.session:<8} {event.text()}"


class Events:
    """The last ones of a world. Each is told as a line to whoever listens."""

    def __init__(self, clock: Clock, tell: Callable[[str], None] | None = None) -> None:
        self._clock = clock
        self._tell = tell
        self._last: deque[Event] = deque(maxlen=EVENTS_MAX)

    def note(self, session: str, text: Callable[[], str], *nodes: Node) -> None:
        """That happened just now, to these nodes."""
        event = Event(self._clock.now, session, text, nodes)
        self._last.append(event)
        if self._tell is not None:
            self._tell(line(event))

    def acted(self, action: Action, nodes: list[Node]) -> None:
        """A fault did."""
        named = ", ".join(map(str, nodes)) or "nobody"
        self.note("", lambda: f"{script.line(Fault(0, action))[5:]}: {named}", *nodes)

    def ordered(self, reflector: Reflector, message: m.Message, node: Node) -> None:
        """A host has ordered what that node is about."""
        host, epoch, seq = reflector.host.address, reflector.state.epoch, reflector.state.seq

        def said() -> str:
            return f"host {host} epoch {epoch} #{seq} {message}"

        self.note(reflector.session, said, host, node)

    def involved(self, broken: Broken) -> tuple[str, ...]:
        """The last of what was involved in a violation: its session, those above, its node."""
        session = broken.session

        def concerns(event: Event) -> bool:
            above = session == event.session or session.startswith(event.session + "-")
            return not event.session or above or broken.node in event.nodes

        chosen = [event for event in self._last if not session or concerns(event)]
        return tuple(line(event)[:240] for event in chosen[-INVOLVED_MAX:])
