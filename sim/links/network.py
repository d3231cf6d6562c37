"""Hosts and links: carries what the core says from node to node, each link with its delay."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mypy_extensions import mypyc_attr

from core import Computation, Host, JobPort, Reflector, Worker
from core import messages as m
from core.messages import Address, Call, Command, Message, Node, Place, Reply
from core.sessions import Carrier, Participant, Port
from core.sessions.chain import View
from core.sessions.model import Kind
from core.sessions.states import GONE, Event
from sim.clock import Clock
from sim.faults.actions import SUBMITTER
from sim.links.lines import Lines
from sim.record import Divergence, Offence, Record
from sim.work import Work

if TYPE_CHECKING:
    from plugins.tracing.recorder import Recorder


Receive = Callable[[Place, Participant, Call], None]
Views = Callable[[Port, Node, Address | None, Place, bool], Participant]  # makes a view

END_KEY: Final = b"the end"  # of the submitter, which the end of a computation has to show
# As constants of this module they are found faster than as names of another one.
Arrive: Final = m.Arrive
Finished: Final = m.Finished
Joined: Final = m.Joined
Left: Final = m.Left
Wait: Final = m.Wait
NEVER: Final = -1  # the tick at which a message arrives that nobody gets


@mypyc_attr(allow_interpreted_subclasses=True)
class Network(Carrier):
    """The core's carrier in the simulator. A node's address is its number."""

    def __init__(
        self,
        nodes: int,
        clock: Clock,
        lines: Lines,
        service_seconds: float,
        work: Work,
        record: Record,
    ) -> None:
        self.vote_every = 0  # there is but one replica
        self.kind: Kind = Computation
        self.participant: Views = Worker
        self.submitter: Node = SUBMITTER
        self.clock = clock
        self.record = record
        self.work = work
        self.alive = bytearray(nodes + 1)
        self.views: list[Any] = [None] * (nodes + 1)  # one view of each node's chain
        self.hosts: dict[Address, Host] = {}
        self.spoken: dict[Node, dict[Node, None]] = {}  # to whom, though it has no view there
        self.outcome: m.Ended | None = None
        self._service_seconds = service_seconds
        self.longest_ticks = max(lines.longest_ticks, clock.ticks(service_seconds))  # one message
        self._busy_until: dict[Address, float] = {}
        self._queued: dict[Address, int] = {}  # the tick at which the last in its queue is handled
        self.receive: Receive = self._queue if service_seconds else self.handle
        self.lines = lines  # those that fail put themselves in front
        self.port = self._port()
        # What each message brings about, looked up but once.
        self._answered, self._seated = Participant.answered, Participant.seated
        self._on = Participant.on
        self.watch: Callable[[Reflector, Message], None] | None = None  # told what is ordered
        self.watch_openings: Callable[[View, m.Open], None] | None = None  # before they are sent
        self.watch_replies: list[Callable[[Host, Participant, Place, Reply], None]] = []
        self.trace: Recorder | None = None

    def _port(self) -> NetworkPort:
        return NetworkPort(self)

    def host(self, address: Address) -> Host | None:
        """The host at `address`, if that node is there."""
        host = self.hosts.get(address)
        if host is None and self.alive[address]:
            self.hosts[address] = host = Host(address, self, self.kind)
        return host

    def equip(self) -> None:
        """What watches this has changed, or the lines."""

    def count_repeated(self) -> None:
        """From now on note what is computed again: nodes may be lost."""
        self.port.compute = self.port.compute_counted

    # -- the carrier of the reflectors -----------------------------------------------------

    @property
    def now(self) -> float:
        return self.clock.now

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        self.clock.call_later(seconds, action)

    def reply(self, host: Host, link: Participant, place: Place, reply: Reply) -> None:
        node = link.node
        if self.trace is not None:
            self.trace.replied(self.clock.now, place.session, node, reply)
        for watch in self.watch_replies:
            watch(host, link, place, reply)
        tick = self.lines.carry(host.address, node, self._answered, link, place, reply)
        if type(reply) is Wait:
            self.record.connected(host)
            self.record.placed(node, tick)

    def welcome(self, reflector: Reflector, link: Participant, node: Node) -> None:
        pass  # the newcomer shares the host's replica

    def broadcast(
        self, reflector: Reflector, message: Message, commands: list[tuple[Node, Command]]
    ) -> None:
        self._note(reflector, message, commands)
        if type(message) is Joined:
            commands = self._seat(reflector, message.node, commands)
        if not commands:
            return
        members = reflector.members
        if len(commands) > 1:  # in the order in which everyone else would hear it
            commands = in_join_order(commands, members)
        address = reflector.host.address
        for node, command in commands:
            link = members[node]
            self.lines.carry(address, node, self._on, link, reflector, command)

    def _note(
        self, reflector: Reflector, message: Message, commands: list[tuple[Node, Command]]
    ) -> None:
        state, record = reflector.state, self.record
        model: Any = state.model
        record.ordered.append((reflector.session, state.seq, self.clock.now, message))
        if type(message) is Finished:
            record.finished(model, message)
        elif type(message) is Joined:
            record.joined(reflector, message.node)
        elif type(message) is Left:
            record.leads(state)
        if self.trace is not None:
            self.trace.ordered(self.clock.now, reflector, message, commands)
        if self.watch is not None:
            self.watch(reflector, message)

    def party(self, node: Node) -> Node:
        return node

    def owns(self, host: Host, node: Node) -> bool:
        return bool(node == host.address)

    def is_end(self, ended: m.Ended) -> bool:
        return self.port.is_end(ended)

    def offended(self, host: Host, link: Participant, place: Place, call: Call) -> None:
        self.record.offences.append(Offence(place.session, link.node, call))
        if link.node != host.address:
            self.lines.cut(host.address, link.node)

    def voters(self, reflector: Reflector) -> int:
        return len(reflector.members) + 1

    def diverged(self, reflector: Reflector, seq: int, node: Node, fields: list[str]) -> None:
        self.record.divergences.append(Divergence(reflector.session, seq, node, fields))

    def repair(self, reflector: Reflector, link: Participant, node: Node) -> None:
        raise AssertionError("a shared replica cannot differ from itself")

    def _seat(
        self, reflector: Reflector, newcomer: Node, commands: list[tuple[Node, Command]]
    ) -> list[tuple[Node, Command]]:
        """Tell the newcomer what its joining brought; returns what is for others, if anything."""
        link = reflector.members[newcomer]
        own = [command for node, command in commands if node == newcomer]
        address = reflector.host.address
        tick = self.lines.carry(address, newcomer, self._seated, link, reflector, own)
        self.record.placed(newcomer, tick)
        others = len(own) < len(commands)
        return [told for told in commands if told[0] != newcomer] if others else []

    # -- deliveries ------------------------------------------------------------------------

    def _queue(self, place: Place, worker: Participant, call: Call) -> None:
        """A host handles one message after the other, each for its service time.

        Votes take none: a run is to be the same whether replicas are compared or not.
        """
        if type(call) is m.Vote:
            return self.handle(place, worker, call)
        clock, address = self.clock, place.route[-1]
        done = max(clock.now, self._busy_until.get(address, 0.0)) + self._service_seconds
        self._busy_until[address] = done
        self._queued[address] = due = clock.tick + clock.ticks(done - clock.now)
        clock.at(due, (self.dequeue, place, worker, (call, self.host(address))))
        return None

    def dequeue(self, place: Place, worker: Participant, queued: tuple[Call, Host | None]) -> None:
        """Its turn has come; whoever has begun there since knows nothing of it."""
        (call, host), address = queued, place.route[-1]
        if self.hosts.get(address) in (None, host):
            self.handle(place, worker, call)
        elif type(call) is Arrive and worker.state is not GONE:
            self._tell_loss(worker.node, address)

    def handle(self, place: Place, worker: Participant, call: Call) -> None:
        """The host at `place` does with a call what is to be done."""
        seat = worker.seat
        if type(call) is Finished and type(seat) is Reflector:
            here = place is seat.place or (
                seat.session == place.session and seat.host.address == place.route[-1]
            )
            if here:  # most; the rest find their way
                return seat.receive(worker, worker.node, call)
        address = place.route[-1]
        host = self.hosts.get(address) or self.host(address)
        if host is not None:
            host.receive(worker, worker.node, place.session, call)
        elif worker.node == address and worker.state is not GONE:  # it was in its own queue
            self.lines.carry(address, address, self.handle, place, worker, call)
        elif type(call) is Arrive:
            self._tell_loss(worker.node, address)
        return None

    def _tell_loss(self, node: Node, other: Node) -> None:
        """The connection between the two broke at the other's end: `node` notices in time."""
        due = self.lines.carry(other, node, self.lose, node, other, None)
        if due != NEVER:
            self.clock.count_timer(due)  # it is no message

    def lose(self, node: Node, other: Node, _: None = None) -> None:
        """`node` hears that its connection to the other is gone, after what came before."""
        due = self.queued(node)
        if due >= self.clock.tick:
            self.clock.at(due, (self.notice, node, other, None))
        else:
            self.notice(node, other)

    def queued(self, node: Node) -> int:
        """The tick in which the last call is handled that waits for the host of `node`, or -1."""
        return self._queued.get(node, -1)

    def notice(self, node: Node, other: Node, _: None = None) -> None:
        """`node` notices that its connection to the other is gone."""
        host = self.hosts.get(node)
        if host is not None:
            if self.trace is not None:
                self._trace_loss(self.trace, host, other)
            host.lose(other)
        for view in self.chain(node):
            view.lost(other)

    def _trace_loss(self, trace: Recorder, host: Host, other: Node) -> None:
        for session, reflector in host.reflectors.items():
            if other in reflector.members and not reflector.closed:
                trace.lost(self.clock.now, other, session)

    # -- nodes come and go -----------------------------------------------------------------

    def arrive(
        self, node: Node, place: Place, listens: bool, observes: bool = False
    ) -> Participant:
        """Node `node` is there, and asks at `place`."""
        self.alive[node] = 1
        if self.trace is not None:
            self.trace.arrived(self.clock.now, node, place.session)
        address = node if listens else None
        self.views[node] = worker = self.participant(self.port, node, address, place, observes)
        worker.enter(place)
        return worker

    def all_hosts(self) -> list[Host]:
        """Those of all processes that are there."""
        return list(self.hosts.values())

    def detach(self, node: Node) -> list[Host]:
        """Take the host of `node` away, whose process has ended; returns it, if there was one."""
        host = self.hosts.pop(node, None)
        return [] if host is None else [host]

    def attach(self, hosts: list[Host]) -> None:
        """The same for a process that goes on with what it knew."""
        for host in hosts:
            self.hosts[host.address] = host

    def meant(self, session: str) -> str:
        """The session that a fault names so."""
        return session

    def leave(self, node: Node) -> None:
        """Node `node` is gone, and so are its connections: each other end notices in time."""
        if self.trace is not None:
            self.trace.gone(self.clock.now, node)
        self.part(node)
        for view in self.chain(node):
            view.step(Event.END)
        host = self.hosts.pop(node, None)
        if host is not None:
            host.close()

    def part(self, node: Node) -> None:
        """All connections of `node` close, and it is not there any more."""
        for peer in self.peers(node):
            self._tell_loss(peer, node)
        self.alive[node] = 0

    def peers(self, node: Node) -> list[Node]:
        """Those whom `node` is connected to, those included whom it is just sending on."""
        found = dict.fromkeys(view.place.address for view in self.chain(node))
        found |= self.spoken.get(node, {})
        if node in self.hosts:
            found |= dict.fromkeys(link.node for link in connected(self.hosts[node]))
        found.pop(node, None)
        return list(found)

    def newest(self, session: str) -> Reflector | None:
        """The reflector of the session's newest incarnation, of those that are open."""
        hosts = [host for host in self.hosts.values() if session in host.reflectors]
        found: list[Reflector] = [host.reflectors[session] for host in hosts]
        return max(found, key=lambda reflector: reflector.state.epoch, default=None)

    def chain(self, node: Node) -> list[Any]:
        """The views of a node, from the highest level down."""
        view = self.views[node]
        return view.chain() if view else []


@mypyc_attr(allow_interpreted_subclasses=True)
class NetworkPort(JobPort):
    """What the views of all nodes ask for: that what they say is carried, and pieces computed."""

    def __init__(self, network: Network) -> None:
        self.network = network
        work = network.work
        self.compute, self.prepare, self.collect = work.compute, work.prepare, work.collect

    @property
    def end_key(self) -> bytes:
        return END_KEY

    def is_end(self, ended: m.Ended) -> bool:
        return bool(ended.key == END_KEY)

    def send(self, view: View, place: Place, call: Call) -> None:
        network = self.network
        network.lines.carry(view.node, place.route[-1], network.receive, place, view, call)

    def open(self, view: View, opening: m.Open) -> None:
        if self.network.watch_openings is not None:
            self.network.watch_openings(view, opening)
        self.send(view, opening.place, opening)

    def later(self, view: View, seconds: float, place: Place) -> None:
        clock = self.network.clock
        due = clock.tick + clock.ticks(seconds)
        clock.at(due, (_retry, view, place, None))

    def ended(self, view: View, ended: m.Ended) -> None:
        if view.observes:
            self.network.outcome = ended
            self.network.clock.stopped = True

    def compute_counted(self, worker: Worker, command: m.Compute) -> None:
        """Compute, and note what was accepted before."""
        self.network.record.given(command)
        self.network.work.compute(worker, command)


def _retry(worker: Participant, place: Place, _: None) -> None:
    worker.retry(place)


def in_join_order(
    commands: list[tuple[Node, Command]], members: dict[Node, Any]
) -> list[tuple[Node, Command]]:
    """What is to be done, by those who joined first first."""
    place = {node: i for i, node in enumerate(members)}
    return sorted(commands, key=lambda told: place[told[0]])


def connected(host: Host) -> list[Any]:
    """The links of all who are connected to a host."""
    links: list[Any] = []
    for reflector in host.reflectors.values():
        links += reflector.members.values()
        for waiting in (reflector.admission.standbys, reflector.recovery.transferring):
            links += [link for link, _ in waiting.values()]
        links += [link for link, _ in (reflector.admission.early or {}).values()]
    for arrivals in host.waiting.values():
        links += [link for link, _ in arrivals.values()]
    return links
