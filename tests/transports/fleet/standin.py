"""In place of the root of a fleet: it notes what clients say, and answers as a test wants."""

from __future__ import annotations

from collections.abc import Callable

from tests.transports.talking import HERE, OPEN, Net, Party
from transports.fleet.client import Client
from transports.net import wire
from transports.net.peer import Link, Peer
from transports.net.security import Security
from transports.net.wire import Envelope

Answer = Callable[[Envelope], list[Envelope]]


def no_answer(said: Envelope) -> list[Envelope]:
    return []


class Root(Party):
    """It listens at HERE. What it is told stands in `heard`, but that it is asked for `status`."""

    def __init__(
        self, net: Net, answer: Answer = no_answer, number: int | None = None, fleet: str = "one"
    ) -> None:
        super().__init__(net, HERE, number=number)
        self.status: dict[str, wire.Value] = {"fleet": fleet}
        net.parties[HERE] = self
        self.answer = answer
        self.heard: list[Envelope] = []

    async def _receive(self, peer: Peer, envelope: Envelope, link: Link) -> None:
        await self.receiving.wait()
        if isinstance(envelope, wire.Ask):
            return self.say(wire.Told(self.status))
        self.heard.append(envelope)
        for answer in self.answer(envelope):
            self.say(answer)
        return None

    def say(self, envelope: Envelope) -> None:
        """Tell the only client."""
        self.connections.send_back(self.peer().name, wire.encode(envelope))

    def cut(self) -> None:
        """The connection to the client breaks."""
        self.connections.cut(self.peer(), "so it is wanted")


async def met(net: Net, security: Security = OPEN, patience_seconds: float = 30.0) -> Client:
    """A client of the root at HERE."""
    client = Client(HERE, security, net.nursery, patience_seconds, dial=net.dial)
    await client.connect()
    return client
