"""What a participant asks of a transport.

A base class rather than a protocol: it is crossed for every message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mypy_extensions import mypyc_attr

from core.sessions import messages as m
from core.sessions.messages import Place

if TYPE_CHECKING:
    from core.sessions.chain import View


@mypyc_attr(allow_interpreted_subclasses=True)
class Port:
    """Nothing here waits for an answer."""

    def send(self, view: View, place: Place, call: Any) -> None:
        """Carry `call` to the host of `place`; `view.lost(address)` if nobody is there."""
        raise NotImplementedError

    def open(self, view: View, opening: m.Open) -> None:
        """Have the host at the opening's address open a session; before what is sent later."""
        raise NotImplementedError

    @property
    def end_key(self) -> bytes:
        """Of the submitter's process, what shows that all is over."""
        raise NotImplementedError

    def is_end(self, ended: m.Ended) -> bool:
        """Whether it comes from the submitter."""
        raise NotImplementedError

    def later(self, view: View, seconds: float, place: Place) -> None:
        """Call `view.retry(place)` after some seconds."""
        raise NotImplementedError

    def ended(self, view: View, ended: m.Ended) -> None:
        """All is over for this node."""
        raise NotImplementedError
