"""What a process tells of itself, as it happens, to whoever writes it down.

It does not know who that is: `transports.command.tracing` does it, and takes a while to load.
"""

from __future__ import annotations

from typing import Protocol

from core import Reflector
from core.messages import Message, Node, Reply
from core.sessions.session import Told
from transports.work.calls import Call


class Watcher(Protocol):
    """`now` is the loop's time in seconds."""

    def begin(self, now: float, began: float) -> None:
        """The root was opened at that wall time. Before that there is nothing to tell."""

    def arrived(self, now: float, node: Node, session: str) -> None:
        """`node` is there, and asks for a place."""

    def said(self, now: float, session: str) -> None:
        """Something about `session` was sent, or handed on within the process."""

    def replied(self, now: float, session: str, node: Node, reply: Reply) -> None:
        """The same, by the host of `session` to a node that arrived."""

    def ordered(
        self, now: float, reflector: Reflector, message: Message, commands: Told, followers: int
    ) -> None:
        """A message has changed the session, and goes to so many processes that follow it."""

    def started(self, call: Call) -> None:
        """A computing process begins with that."""

    def finished(self, call: Call, seconds: float) -> None:
        """Its outputs are here, and count as so many seconds of work."""

    def gone(self, now: float, node: Node) -> None:
        """`node` leaves, as its process was told to go."""

    def lost(self, now: float, node: Node, reflector: Reflector) -> None:
        """The process of `node` is not connected any more, nor is the node."""

    def met(self, connections: int) -> None:
        """This process has so many connections."""
