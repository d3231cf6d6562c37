"""Everyone with a replica of its own: what `shared` assumes, done and compared.

The same network, but a message goes to every participant, each applies it to its own replica, and
then votes on what that holds.
"""

from __future__ import annotations

from core import Reflector, Replica, Session
from core import messages as m
from core.messages import Command, Message, Node, Value
from core.sessions import Participant
from core.sessions.states import GONE
from sim.links.network import Network


class EachNetwork(Network):
    """Carries every ordered message to every participant."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.vote_every = 1
        self.replicas: dict[tuple[Reflector, Node], Replica] = {}

    def welcome(self, reflector: Reflector, link: Participant, node: Node) -> None:
        replica = Replica(reflector.state.copy(), reflector.place, reflector.seal_of(node))
        replica.views[node] = link
        self.replicas[reflector, node] = replica
        # What it is a copy of travels to it now, so that it counts as a message.
        self.lines.carry(reflector.host.address, node, _nothing, None, reflector, None)

    def repair(self, reflector: Reflector, link: Participant, node: Node) -> None:
        snapshot = reflector.state.snapshot()
        replica, address = self.replicas[reflector, node], reflector.host.address
        self.lines.carry(address, node, self._adopt, replica, snapshot, None)

    def broadcast(
        self, reflector: Reflector, message: Message, commands: list[tuple[Node, Command]]
    ) -> None:
        self._note(reflector, message, commands)
        address, ordered = reflector.host.address, (reflector.state.seq, self.clock.now, message)
        for node in reflector.members:
            replica = self.replicas[reflector, node]
            tick = self.lines.carry(address, node, self._apply, replica, node, ordered)
            if type(message) is m.Joined and message.node == node:
                self.record.placed(node, tick)
        if type(message) is m.Left:
            self.replicas.pop((reflector, message.node), None)

    def _apply(self, replica: Replica, node: Node, ordered: tuple[int, float, Message]) -> None:
        worker = replica.views[node]
        if worker.state is GONE:
            return
        replica.apply(*ordered)
        if worker.seat is replica and worker.takes_part:
            self.port.send(worker, worker.place, replica.vote())

    def _adopt(self, replica: Replica, snapshot: dict[str, Value], _: None) -> None:
        replica.state = Session.restore(self.kind, snapshot)


def _nothing(_a: None, _b: Reflector, _c: None) -> None:
    pass
