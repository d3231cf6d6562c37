"""What happened in a world, as it is told when something is wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

from core.messages import Node
from sim.search.sound import Broken

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


def involved(events: deque[Event], broken: Broken) -> tuple[str, ...]:
    """The last events of what was involved in a violation: its session, those above, its node."""
    session = broken.session

    def concerns(event: Event) -> bool:
        above = session == event.session or session.startswith(event.session + "-")
        return not event.session or above or broken.node in event.nodes

    chosen = [event for event in events if not session or concerns(event)]
    return tuple(line(event)[:240] for event in chosen[-INVOLVED_MAX:])
