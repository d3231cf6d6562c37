"""The core's port and carrier for one process: its host, its replicas and the views of its nodes.

Rules it keeps:
- Everything that happens, wherever it comes from, is put into one queue, and one task does one
  thing after the other. So a handler of the core never runs within another, and what is said
  within the process takes the same way as what is said to another, without a socket.
- `now` stands still while one thing is done: all that follows from it has one time.
- A process follows a session by one replica, however many of its nodes are in it. On the
  session's own host the views read the reflector's model.
- What cannot be told to a node any more is the loss of that node.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, assert_never

import trio

from core import Computation, Host, Reflector, Replica, Worker
from core import messages as m
from core.messages import Command, Message, Node, Place, Reply
from core.worker import GONE
from plugins.loading import Job
from transports import wire
from transports.connection import Connections, Peer
from transports.work import Work

QUEUE_MAX = 10_000  # things to do; above it nothing is read from the connections
TURN = 100  # things are done before others on the loop have theirs

Link = tuple[str, Node]  # the process of a node, and the node


class Process:
    """Some nodes, and what they share. `over` is set when none of them is needed any more."""

    vote_every = 0

    def __init__(self, address: str, job: Job, nursery: trio.Nursery) -> None:
        self.address = address
        self.now = trio.current_time()
        self.host = Host(address, self)
        self.connections = Connections(address, nursery, self._take, self._notice)
        self.work = Work(job, self.post)
        self.compute, self.prepare, self.collect = (
            self.work.compute,
            self.work.prepare,
            self.work.collect,
        )
        self.outcome: m.Ended | None = None
        self.over = trio.Event()
        self.actions = 0
        self.living: dict[Node, None] = {}
        self.views: dict[tuple[Node, str], Worker] = {}  # by session
        self.replicas: dict[tuple[str, str], Replica] = {}  # by address of the host, and session
        self.followers: dict[Reflector, dict[str, dict[Node, None]]] = {}
        self._queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._more = trio.lowlevel.ParkingLot()
        self._room = trio.lowlevel.ParkingLot()
        self._nursery = nursery

    async def run(self) -> None:
        """Do what there is to do, for ever."""
        self._nursery.start_soon(self.work.run)
        while True:
            if not self._queue:
                await self._more.park()
            for _ in range(min(TURN, len(self._queue))):
                action, arguments = self._queue.popleft()
                self.now = trio.current_time()
                action(*arguments)
                self.actions += 1
            self._look_whether_over()
            if len(self._queue) < QUEUE_MAX:
                self._room.unpark_all()
            await trio.lowlevel.checkpoint()

    def post(self, action: Callable[..., object], *arguments: Any) -> None:
        """Have `action` done after what is in the queue already."""
        self._queue.append((action, arguments))
        self._more.unpark()

    def enter(self, node: Node, root: Place, observes: bool = False) -> Worker:
        """Node `node` begins, and asks at the root."""
        self.living[node] = None
        worker = Worker(self, node, self.address, root, observes)
        worker.enter(root)
        return worker

    def submit(self, opening: m.Open, node: Node, value: m.Value) -> None:
        """Open the root here, join it with `node` and give it the input."""
        self.host.open(node, opening)
        submitter = self.enter(node, opening.place, observes=True)
        self.send(submitter, opening.place, m.Given(value))

    # -- the port of the views -------------------------------------------------------------

    def send(self, worker: Worker, place: Place, call: m.Call) -> None:
        node, session = worker.node, place.session
        if type(call) is m.Arrive:
            self.views[node, session] = worker
        if place.address == self.address:
            self.post(self.host.receive, (self.address, node), node, session, call)
        else:
            said: Any = call  # of the messages, a view says only those that are for views to say
            self.connections.send(place.address, wire.encode(wire.Call(session, node, said)))

    def open(self, worker: Worker, opening: m.Open) -> None:
        self.send(worker, opening.place, opening)

    def later(self, worker: Worker, seconds: float, place: Place) -> None:
        def retry() -> None:
            worker.retry(place)

        self.call_later(seconds, retry)

    def ended(self, worker: Worker, ended: m.Ended) -> None:
        self.living.pop(worker.node, None)
        if worker.observes:
            self.outcome = ended

    def _look_whether_over(self) -> None:
        """No node of this process is needed, nor is what it hosts."""
        if not self.living and not self.over.is_set():
            models = [r for r in self.host.reflectors.values() if r.members]
            if all(r.closed or r.model.ended for r in models):
                self.over.set()

    # -- the carrier of the reflectors -----------------------------------------------------

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        async def wait() -> None:
            await trio.sleep(max(0.0, seconds))
            self.post(action)

        self._nursery.start_soon(wait)

    def reply(self, host: Host, link: Link, place: Place, reply: Reply) -> None:
        address, node = link
        if address == self.address:
            self.post(self._answered, node, place, reply)
        else:
            self._tell(link, wire.Answer(place.session, node, reply))

    def welcome(self, reflector: Reflector, link: Link, node: Node) -> None:
        address = link[0]
        if address == self.address:
            return  # its view reads the reflector's own model
        following = self.followers.setdefault(reflector, {})
        if address not in following:
            follow = wire.Follow(reflector.place, reflector.model.snapshot())
            if not self._tell(link, follow):
                return
            following[address] = {}
        following[address][node] = None

    def broadcast(
        self, reflector: Reflector, message: Message, commands: list[tuple[Node, Command]]
    ) -> None:
        following = self.followers.get(reflector)
        if following:
            seq = reflector.model.seq
            frame = wire.encode(wire.Ordered(reflector.session, seq, self.now, message))
            for address in following:
                self.connections.send_back(address, frame)
            self._dismiss(reflector, following, message)
        if type(message) is m.Joined:
            if reflector.members[message.node][0] == self.address:
                own = [command for node, command in commands if node == message.node]
                self.post(self._seated, message.node, reflector, own)
            return
        for node, command in commands:
            if reflector.members[node][0] == self.address:
                self.post(self._on, node, reflector, command)

    def _dismiss(
        self, reflector: Reflector, following: dict[str, dict[Node, None]], message: Message
    ) -> None:
        """Processes of which nobody is left need not follow any more."""
        if type(message) is m.Left:
            for nodes in following.values():
                nodes.pop(message.node, None)
        for address in list(following):
            if reflector.model.moved or not following[address]:
                del following[address]
                frame = wire.encode(wire.Unfollow(reflector.session))
                self.connections.send_back(address, frame)

    def diverged(self, reflector: Reflector, seq: int, node: Node, fields: list[str]) -> None:
        raise AssertionError("replicas are not compared yet")

    def repair(self, reflector: Reflector, link: Link, node: Node) -> None:
        raise AssertionError("replicas are not compared yet")

    def _tell(self, link: Link, envelope: wire.Envelope) -> bool:
        address, node = link
        there = self.connections.send_back(address, wire.encode(envelope))
        if not there:
            self.post(self.host.lose, node)
        return there

    # -- what comes in ---------------------------------------------------------------------

    async def _take(self, peer: Peer, envelope: wire.Envelope) -> None:
        while len(self._queue) >= QUEUE_MAX:
            await self._room.park()
        if not peer.gone:  # a second stream may have had something when the first was lost
            self.post(self._heard, peer, envelope)

    def _heard(self, peer: Peer, envelope: wire.Envelope) -> None:
        try:
            self._received(peer, envelope)
        except wire.RemoteProtocolError as error:
            self.connections.complain(peer, error)

    def _received(self, peer: Peer, envelope: wire.Envelope) -> None:
        address = peer.address
        match envelope:
            case wire.Call(session, node, call):
                if self.connections.peers.get(address) is peer:
                    peer.nodes[node] = None
                    self.host.receive((address, node), node, session, call)
            case wire.Answer(session, node, reply):
                self._answered(node, Place(session, (address,)), reply)
            case wire.Follow(place, snapshot):
                replica = Replica(Computation.restore(snapshot), place)
                self.replicas[address, place.session] = replica
            case wire.Ordered(session, seq, time, message):
                self._ordered(address, session, seq, time, message)
            case wire.Unfollow(session):
                self.replicas.pop((address, session), None)
            case wire.Hello():
                raise wire.RemoteProtocolError("it greets for a second time")
            case _:
                assert_never(envelope)

    def _ordered(self, address: str, session: str, seq: int, time: float, message: Message) -> None:
        replica = self.replicas.get((address, session))
        if replica is None:
            raise wire.RemoteProtocolError(f"session {session} is not followed")
        if type(message) is m.Joined and (view := self._view(message.node, session)):
            replica.views[message.node] = view
        if seq > replica.model.seq + 1:
            raise wire.RemoteProtocolError(f"{session}: {seq} came after {replica.model.seq}")
        replica.apply(seq, time, message)
        if type(message) is m.Left:
            replica.views.pop(message.node, None)

    def _view(self, node: Node, session: str) -> Worker | None:
        """The view that `node` has of `session`, if it still has one."""
        view = self.views.get((node, session))
        if view is not None and (view.place.session != session or view.state is GONE):
            del self.views[node, session]
            return None
        return view

    def _answered(self, node: Node, place: Place, reply: Reply) -> None:
        if view := self._view(node, place.session):
            view.answered(place, reply)

    def _seated(self, node: Node, reflector: Reflector, commands: list[Command]) -> None:
        if view := self._view(node, reflector.session):
            view.seated(reflector, commands)

    def _on(self, node: Node, reflector: Reflector, command: Command) -> None:
        if view := self._view(node, reflector.session):
            view.on(reflector, command)

    # -- losses ----------------------------------------------------------------------------

    def _notice(self, peer: Peer) -> None:
        self.post(self._lost, peer)

    def _lost(self, peer: Peer) -> None:
        address = peer.address
        for following in self.followers.values():
            following.pop(address, None)
        for key in [key for key in self.replicas if key[0] == address]:
            del self.replicas[key]
        for node in peer.nodes:
            self.host.lose(node)
        for node, session in list(self.views):
            view = self._view(node, session)
            if view is not None and view.place.address == address:
                view.lost(address)
