"""What a reflector asks of a transport.

A base class rather than a protocol: it is crossed for every message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mypy_extensions import mypyc_attr

from core.sessions import messages as m
from core.sessions.messages import Facts, Node, Place, Reply, Value
from core.sessions.session import Told

if TYPE_CHECKING:
    from core.sessions.host import Host
    from core.sessions.reflector import Reflector

Link = Any  # the transport's handle of one participant


@mypyc_attr(allow_interpreted_subclasses=True)
class Carrier:
    """Of all reflectors of a process, or of a simulated world."""

    vote_every: int  # replicas are compared whenever so many messages were ordered; 0: never

    @property
    def now(self) -> float:
        """The host's time in seconds."""
        raise NotImplementedError

    def reply(self, host: Host, link: Link, place: Place, reply: Reply) -> None:
        """Answer one who arrived at `place`."""
        raise NotImplementedError

    def welcome(self, reflector: Reflector, link: Link, node: Node) -> None:
        """Make `link` follow the session from its present state on."""
        raise NotImplementedError

    def broadcast(self, reflector: Reflector, message: Any, commands: Told) -> None:
        """Bring an ordered message, already applied here, to every replica that follows."""
        raise NotImplementedError

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` after some seconds."""
        raise NotImplementedError

    def voters(self, reflector: Reflector) -> int:
        """How many replicas of the session are compared, the host's own included."""
        raise NotImplementedError

    def diverged(self, reflector: Reflector, seq: int, node: Node, fields: list[str]) -> None:
        """The replica of `node` (HOST: the host's own) was wrong, and is being repaired."""
        raise NotImplementedError

    def party(self, node: Node) -> Any:
        """What its process is called, as plain data."""
        raise NotImplementedError

    def owns(self, host: Host, node: Node) -> bool:
        """Whether `node` is of the process of that host."""
        raise NotImplementedError

    def is_end(self, ended: m.Ended) -> bool:
        """Whether it comes from the submitter."""
        raise NotImplementedError

    def offended(self, host: Host, link: Link, place: Place, call: Any) -> None:
        """Who `link` leads to said what nobody honest says: name it, and cut its connection."""
        raise NotImplementedError

    def restorable(self, facts: Facts, context: Value) -> m.Restored:
        """What a session can take in of these: not what names something that is lost by now."""
        return m.Restored(facts, context)

    def repair(self, reflector: Reflector, link: Link, node: Node) -> None:
        """Replace the replica that `link` leads to by a copy of the present one here."""
        raise NotImplementedError
