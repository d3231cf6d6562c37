"""Where what this process says goes out: each envelope becomes a frame, once for all who get it.

Nobody is dialled to be answered. Who is asked for something, or told what only it can take in, is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from transports.net.connection import Connections
from transports.net.wire import Call, Envelope, Fetch, encode

DIALLED_FOR = (Call, Fetch)


class Outgoing:
    """What is said on `connections`. Where nobody is to be dialled, `unreached` hears who is not
    connected."""

    def __init__(
        self, connections: Connections, unreached: Callable[[str], None] | None = None
    ) -> None:
        self._connections = connections
        self._unreached = unreached

    def say(self, name: str, envelope: Envelope) -> None:
        """Say it to the process `name`, which is dialled if it is worth that."""
        frame = encode(envelope)
        if not isinstance(envelope, DIALLED_FOR):
            self._connections.send_back(name, frame)
        elif self._unreached is None:
            self._connections.send(name, frame)
        elif not self._connections.send_back(name, frame):
            self._unreached(name)

    def tell(self, name: str, envelope: Envelope) -> bool:
        """Say it to the process `name` if it is connected; says whether it is."""
        return self._connections.send_back(name, encode(envelope))

    def tell_all(self, names: Iterable[str], envelope: Envelope) -> None:
        """Say it to those of them who are connected."""
        frame = encode(envelope)
        for name in names:
            self._connections.send_back(name, frame)
