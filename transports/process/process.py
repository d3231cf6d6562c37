"""The core's port and carrier for one process: its host, its replicas and the views of its nodes.

Rules it keeps:
- Everything that happens, wherever it comes from, is put into one queue, and one task does one
  thing after the other. So a handler of the core never runs within another, and what is said
  within the process takes the same way as what is said to another, without a socket.
- `now` stands still while one thing is done: all that follows from it has one time.
- A process follows a session by one replica, however many of its nodes are in it. On the
  session's own host the views read the reflector's model. A replica has one vote.
- What cannot be told to a node any more is the loss of that node.
- A call that names bytes is for the host only when the host has them: what it orders is then as
  safe as it is. Bytes that would change nothing are not brought (`needed.py`), and of one process
  only so many.
- A connection that nobody here needs any more is closed after a while.
- A session is followed only where a node of this process has asked for a place. Nobody is dialled
  to be answered. What a peer says costs no more than its own connection, even where it makes
  something here fail; and what it has wait here is bounded.
- What fails here is logged, and all else goes on.
- Who is connected to the root knows that it is there. Others hear how many seconds ago it was, with
  each heartbeat, from the hosts of the sessions that their nodes are in. What is heard ages on its
  way, so processes that have lost the root do not go on believing each other.
- What begins is said by the root alone, on a connection that this process has dialled itself: who
  has dialled it may call itself what it likes. That all is over, by whoever shows the key.
"""

from __future__ import annotations

import logging
import math
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import trio

from core import Computation, Host, Reflector, Replica, Shape, Worker
from core import messages as m
from core.messages import Command, Message, Node, Place, Reply
from core.sessions import Participant
from core.sessions.admission import ASK_AGAIN_SECONDS
from core.sessions.messages import NODE_BITS
from core.sessions.model import Kind
from core.sessions.states import ASKING, END, GONE, LEADING, STANDBY, IllegalStep
from core.sessions.store import Store
from plugins.console.memory import memory_bytes
from transports.logs import event, log
from transports.net import wire
from transports.net.connection import NO_MEMORY, Connections, Me, Peer
from transports.net.peer import Link as Connection
from transports.net.security import Security
from transports.process.keeping import Keeping
from transports.process.keys import NO_KEYS, Keys, shows
from transports.process.needed import names, of_call
from transports.process.timers import Timers
from transports.process.trust import Trust, check_failure
from transports.values.blobs import Blobs
from transports.values.files import BlobMissing, NoRoom
from transports.values.handles import KEY, Handle
from transports.values.transfer import Transfers
from transports.watching import Watcher
from transports.work.functions import Work
from transports.work.starting import Started

QUEUE_MAX = 10_000  # things to do; above it nothing is read from the connections
SHARE_MAX = 200  # of these, what one process has said; others need not wait for more
QUEUE_BYTES_MAX = 2**21  # of the frames in which they were said; objects take some times as much
TURN = 100  # things are done before others on the loop have theirs
WAITING_SHARE = 16  # of the memory, one part of so many is for arrivals that wait for a session
ARRIVAL_BYTES = 1000  # of each
HELD_BYTES_MAX = 2**28  # of the calls of one process that wait for bytes
HELD_CALL_BYTES = 4096  # of each, whatever its size: the task that gets the bytes, and so on
STATUS_SECONDS = 0.1  # for which it is not asked for again, whoever wants to know it
ROOM_SECONDS_MIN, ROOM_SECONDS_MAX = 1.0, 30.0  # until it is tried again to keep what did not fit
IDLE_SECONDS = 5.0  # a connection that nobody needs stays open for so long, or twice as long

Link = tuple[str, Node]  # the process of a node, and the node


class Process:
    """Some nodes, and what they share. `over` is set when none of them is needed any more."""

    vote_every = 1000  # messages of a session

    def __init__(
        self,
        me: Me,
        security: Security,
        nursery: trio.Nursery,
        blobs: Blobs,
        store: Store | None = None,
        heartbeat_seconds: float = 15.0,
        keys: Keys = NO_KEYS,
        kind: Kind = Computation,
        participant: type[Participant] = Worker,
        values_max: int | None = None,
    ) -> None:
        self.me = me
        self.now = trio.current_time()
        self.host = Host(me.name, self, kind, store, keys.root)
        self.keeping = Keeping(self.host.backups)
        self.participant: Any = participant
        self.end_key = self.end_shown = keys.end  # of the submitter; and once it is known here
        self.roots: set[str] = set()  # addresses at which this process dials the root
        self.connections = Connections(
            me,
            security,
            nursery,
            self._take,
            self._notice,
            self._met,
            heartbeat_seconds,
            root_age=self.root_age,
            aged=self._hear_root_age,
        )
        self._root_seen = self.now  # when the root was last there, where it is not connected
        self.blobs = blobs
        blobs.on_trouble = self._tell_room
        self.transfers = Transfers(
            self.blobs, nursery, self._send_to, self._up, self._near, self._names
        )
        # Bytes of values that one other process may bring.
        self.values_max = blobs.most_bytes() // 2 if values_max is None else values_max
        self._brought: Counter[int] = Counter()  # by the number of each
        self.outcome: m.Ended | None = None
        self.failure: m.Failure | None = None  # for which all is over, as far as it is known here
        self.over = trio.Event()
        self.begun: wire.Begin | None = None
        self.divergences = 0
        self.offences = 0
        self.on_begin: Callable[[wire.Begin], None] | None = None  # of a process that joins
        self.on_met: Callable[[Peer], None] = _ignore
        self.on_lost: Callable[[Peer], None] = _ignore
        self.on_declined: Callable[[Peer, str], None] | None = None  # of the root's process
        self.on_doubt: Callable[[], None] | None = None  # of a process that joins
        self.status: Callable[[], dict[str, m.Value]] = dict
        self.work: Work | None = None
        self.trace: Watcher | None = None
        self.reserve: list[Started] = []  # computing processes that were started ahead
        self.actions = 0
        self.living: dict[Node, Participant] = {}
        self.views: dict[tuple[Node, str], Participant] = {}  # by session
        self.replicas: dict[tuple[str, str], Replica] = {}  # by name of the host, and session
        self.followers: dict[Reflector, dict[str, dict[Node, None]]] = {}
        self._trust: Trust | None = None
        self._held: dict[tuple[Peer, Node], deque[wire.Call]] = {}  # whose bytes are on their way
        self._held_bytes: Counter[Peer] = Counter()
        self._asked: set[tuple[str, str]] = set()  # name of a host, and session
        self._asked_before: set[tuple[str, str]] = set()
        self._told: tuple[float, bytes] | None = None  # the last status, and until when it will do
        self._queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._more = trio.lowlevel.ParkingLot()
        self._room = trio.lowlevel.ParkingLot()
        self._timers = Timers()
        self._unused: set[str] = set()  # connections that nobody needed a while ago
        self._queue_bytes = 0
        self.waiting_max = memory_bytes() // WAITING_SHARE // ARRIVAL_BYTES
        self._waiting = 0  # arrivals, or a few more
        self._nursery = nursery
        self._settles = False
        self._failures: set[tuple[str, str]] = set()  # what has failed so far, and where

    async def run(self) -> None:
        """Do what there is to do, for ever."""
        self._nursery.start_soon(self._timers.run)
        self._timers.add(IDLE_SECONDS, partial(self.post, self._tidy_up))
        while True:
            if not self._queue:
                await self._more.park()
            for _ in range(min(TURN, len(self._queue))):
                action, arguments = self._queue.popleft()
                self.now = trio.current_time()
                self._do(action, arguments)
                self.actions += 1
            self._look_whether_over()
            if len(self._queue) < QUEUE_MAX:
                self._room.unpark(count=TURN if self._queue else math.inf)
            await trio.lowlevel.checkpoint()

    def post(self, action: Callable[..., object], *arguments: Any) -> None:
        """Have `action` done after what is in the queue already."""
        self._queue.append((action, arguments))
        if self._more:  # it waits
            self._more.unpark()

    def _do(self, action: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        try:
            action(*arguments)
        except Exception as error:  # noqa: BLE001  it is ours, but is not to end what else goes on
            self._failed(error, action=_name(action))

    def _failed(self, error: Exception, **about: object) -> None:
        """Something fails here, which ought not to be possible. It is told once."""
        lines = traceback.format_exception(error)
        kind = type(error).__name__, "".join(lines[-2:-1])
        if kind not in self._failures:
            self._failures.add(kind)
            event(logging.ERROR, "failed", **about, where="".join(lines[-3:])[-250:])
            log.debug("failed", exc_info=error)

    # -- the root, from here --------------------------------------------------------------

    def root_age(self) -> float:
        """How many seconds ago the root was there, as far as is known here."""
        if self.on_begin is None or any(map(self.connections.reaches, self.roots)):
            return 0.0
        return trio.current_time() - self._root_seen

    def _hear_root_age(self, peer: Peer, seconds: float) -> None:
        """`peer` says what it knows; it counts if some session here is followed from there."""
        if any(host == peer.name for host, _ in chain(self._asked, self._asked_before)):
            self._root_seen = max(self._root_seen, trio.current_time() - seconds)

    # -- beginning and ending --------------------------------------------------------------

    async def reach(self, address: str) -> Peer:
        """The process there, when it is connected. It has the root. Raises ConnectError."""
        self.roots.add(address)
        return await self.connections.connect(address)

    def begin(self, begin: wire.Begin, work: Work) -> None:
        """From now on this is about that computation."""
        self.now = trio.current_time()  # for whatever is done before the first thing in the queue
        self.begun, self.work = begin, work
        self.roots.add(begin.root.address)
        if self.trace is not None:
            self.trace.begin(self.now, begin.began)
        self.compute, self.prepare, self.collect = work.compute, work.prepare, work.collect
        self._trust = self.judge(begin)
        self._nursery.start_soon(work.run)

    def judge(self, begin: wire.Begin) -> Trust:
        """Of what others say; a model that is not of a computation needs another."""
        return Trust(Shape.root(begin.partitions, begin.fanout, begin.keep_going), self.host)

    def enter(self, node: Node, root: Place, observes: bool = False) -> Participant:
        """Node `node` begins, and asks at the root."""
        if self.trace is not None:
            self.trace.arrived(self.now, node, root.session)
        worker: Participant = self.participant(self, node, self.me.address, root, observes)
        self.living[node] = worker
        worker.enter(root)
        return worker

    def submit(self, opening: m.Open, node: Node, value: m.Value) -> None:
        """Open the root here, join it with `node` and give it the input."""
        self.host.open(node, opening)
        submitter = self.enter(node, opening.place, observes=True)
        self.send(submitter, opening.place, m.Given(value))

    def leave(self) -> None:
        """All nodes here leave: what is finished is handed on, what is held is free at once."""
        for node, any_view in list(self.living.items()):
            if self.trace is not None:
                self.trace.gone(self.now, node)
            chain = any_view.chain()
            for view in chain:
                self._hand_up(view)
            for view in chain:
                if view.takes_part or view.state in (STANDBY, ASKING):
                    self.send(view, view.place, m.Leave())
                view.step(END)
        self.living.clear()

    def _hand_up(self, view: Participant) -> None:
        """What is known of a session that ends with this process goes to the host above it."""
        reflector = self.host.reflectors.get(view.place.session)
        up = view.place.parent()
        if reflector is None or up is None or reflector.state.moved or view.state is not LEADING:
            return
        if up.address != self.me.name and (facts := reflector.model.facts()):
            self.send(view, up, m.Kept(reflector.session, facts))

    def untrace(self) -> None:
        """What happens here is not written down any more."""
        self.trace = None
        if self.work is not None:
            self.work.trace = None

    def _look_whether_over(self) -> None:
        """No node of this process is needed, nor is what it hosts."""
        if self.begun and not self.living and not self.over.is_set():
            hosted = [r for r in self.host.reflectors.values() if r.members]
            if all(r.closed or r.state.ended for r in hosted):
                self.over.set()

    # -- the port of the views -------------------------------------------------------------

    def send(self, worker: Participant, place: Place, call: Any) -> None:
        node, session = worker.node, place.session
        if self.trace is not None:
            self.trace.said(self.now, session)
        if type(call) is m.Arrive:
            self.views[node, session] = worker
            self._asked.add((place.address, session))
        if place.address == self.me.name:
            self.post(self.host.receive, (self.me.name, node), node, session, call)
        else:
            # Of the messages, a view says only those that are for views to say.
            self.connections.send(place.address, wire.encode(wire.Call(session, node, call)))

    def open(self, worker: Participant, opening: m.Open) -> None:
        self.send(worker, opening.place, opening)

    def later(self, worker: Participant, seconds: float, place: Place) -> None:
        self.call_later(seconds, partial(worker.retry, place))

    def is_end(self, ended: m.Ended) -> bool:
        return self._shows_end(ended.key)

    def _doubts(self, said: object) -> bool:
        """Whether it says that all is over, by another key than is known here.

        Who opened the root anew may have another one, and says so when it is asked.
        """
        ended = said.ended if isinstance(said, m.Stop) else said
        if self.on_doubt is None or type(ended) is not m.Ended or self.is_end(ended):
            return False
        self.on_doubt()
        return True

    def _shows_end(self, key: bytes) -> bool:
        return bool(key) and self.begun is not None and shows(key, self.begun.end)

    def ended(self, worker: Participant, ended: m.Ended) -> None:
        self.living.pop(worker.node, None)
        self.end_shown = ended.key
        self.failure = m.Failure.of(ended.failure)
        if worker.observes:
            self.outcome = ended

    # -- the carrier of the reflectors -----------------------------------------------------

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.add(seconds, partial(self.post, action))

    def reply(self, host: Host, link: Link, place: Place, reply: Reply) -> None:
        name, node = link
        if self.trace is not None:
            self.trace.replied(self.now, place.session, node, reply)
        if name == self.me.name:
            self.post(self._answered, node, place, reply)
        else:
            self._tell(link, wire.Answer(place.session, node, reply))

    def welcome(self, reflector: Reflector, link: Link, node: Node) -> None:
        name = link[0]
        if name == self.me.name:
            return  # its view reads the reflector's own model
        following = self.followers.setdefault(reflector, {})
        if name not in following:
            if not self._tell(link, _follow(reflector, node)):
                return
            following[name] = {}
            if self.trace is not None:
                self.trace.said(self.now, reflector.session)
        following[name][node] = None

    def broadcast(
        self, reflector: Reflector, message: Message, commands: list[tuple[Node, Command]]
    ) -> None:
        following = self.followers.get(reflector)
        if self.trace is not None:
            followers = len(following or ())
            self.trace.ordered(self.now, reflector, message, commands, followers)
        if following:
            seq = reflector.state.seq
            frame = wire.encode(wire.Ordered(reflector.session, seq, self.now, message))
            for name in following:
                self.connections.send_back(name, frame)
            self._dismiss(reflector, following, message)
        newcomer = message.node if type(message) is m.Joined else None
        if newcomer is not None and reflector.members[newcomer][0] == self.me.name:
            own = [command for node, command in commands if node == newcomer]
            self.post(self._seated, newcomer, reflector, own)
        for node, command in commands:
            if node != newcomer and reflector.members[node][0] == self.me.name:
                self.post(self._on, node, reflector, command)

    def _dismiss(
        self, reflector: Reflector, following: dict[str, dict[Node, None]], message: Message
    ) -> None:
        """Processes of which nobody is left need not follow any more."""
        if type(message) is m.Left:
            for nodes in following.values():
                nodes.pop(message.node, None)
        for name in list(following):
            if reflector.state.moved or not following[name]:
                del following[name]
                frame = wire.encode(wire.Unfollow(reflector.session))
                self.connections.send_back(name, frame)

    def voters(self, reflector: Reflector) -> int:
        return 1 + len(self.followers.get(reflector, ()))

    def diverged(self, reflector: Reflector, seq: int, node: Node, fields: list[str]) -> None:
        self.divergences += 1
        where = {"session": reflector.session, "seq": seq, "node": node}
        event(logging.ERROR, "diverged", **where, fields=",".join(fields))

    def repair(self, reflector: Reflector, link: Link, node: Node) -> None:
        if link[0] in self.followers.get(reflector, ()):
            self._tell(link, _follow(reflector, node))

    def party(self, node: Node) -> int:
        return node >> NODE_BITS

    def owns(self, host: Host, node: Node) -> bool:
        return node >> NODE_BITS == self.me.number

    def offended(self, host: Host, link: Link, place: Place, call: Any) -> None:
        name, node = link
        self.offences += 1
        what = f"{type(call).__name__} in session {place.session} is not for node {node} to say"
        peer = self.connections.peers.get(name)
        if peer is not None:
            self.connections.cut(peer, what)
        else:  # it has gone meanwhile; or it is of this very process
            event(logging.WARNING, "offence", peer=name, reason=what)

    def _tell(self, link: Link, envelope: wire.Envelope) -> bool:
        name, node = link
        there = self.connections.send_back(name, wire.encode(envelope))
        if not there:
            self.post(self.host.lose, node)
        return there

    # -- what comes in ---------------------------------------------------------------------

    def _met(self, peer: Peer) -> None:
        self.on_met(peer)
        if self.trace is not None:
            self.trace.met(len(self.connections.peers))
        if self.begun is not None and self.on_begin is None:
            self.tell_begun(peer)

    def tell_begun(self, peer: Peer) -> None:
        """Tell it what is computed, if it has dialled this process, as who joins does."""
        if self.begun is not None and peer.links and peer.links[0].dialled is None:
            self._send_to(peer.name, self.begun)

    async def _take(self, peer: Peer, envelope: wire.Envelope, link: Connection) -> None:
        size = link.frames.taken
        while not self._has_room(peer):
            await self._room.park()
        if not peer.gone:  # a second stream may have had something when the first was lost
            peer.doing += 1
            self._queue_bytes += size
            self.post(self._heard, peer, envelope, link, size)

    def _has_room(self, peer: Peer) -> bool:
        """Whether more may be heard from `peer` by now."""
        full = len(self._queue) >= QUEUE_MAX or self._queue_bytes >= QUEUE_BYTES_MAX
        return not full and peer.doing < SHARE_MAX

    def _heard(self, peer: Peer, envelope: wire.Envelope, link: Connection, size: int) -> None:
        peer.doing -= 1
        self._queue_bytes -= size
        if not peer.refused:
            self._attempt(peer, envelope, partial(self._received, peer, envelope, link))

    def _attempt(self, peer: Peer, envelope: wire.Envelope, action: Callable[[], None]) -> None:
        """Do what follows from what a peer has said. If that fails, it costs its connection."""
        said = type(envelope).__name__
        try:
            action()
        except wire.RemoteProtocolError as error:
            self.offences += 1
            self.connections.complain(peer, error)
        except IllegalStep as error:  # a host says what it may not to one of the nodes here
            self.connections.cut(peer, str(error))
        except MemoryError:
            self.connections.cut(peer, NO_MEMORY)
        except Exception as error:  # noqa: BLE001  it is ours, but is not to end what others do here
            self._failed(error, peer=peer.name, said=said)
            self.connections.cut(
                peer, f"{said}: {type(error).__name__} here, which is an error of ours"
            )

    def _received(self, peer: Peer, envelope: wire.Envelope, link: Connection) -> None:
        name = peer.name
        match envelope:
            case wire.Call():
                self._called(peer, envelope)
            case wire.Ordered():
                self._ordered(name, envelope)
            case wire.Answer(_, _, reply) if self._doubts(reply):
                pass
            case wire.Answer(session, node, reply):
                self._rules.check_answer(session, reply, self.me.address is not None)
                if type(reply) is not m.Kept or self.keeping.takes(reply, self.now):
                    self._answered(node, Place(session, (name,)), reply)
            case wire.Follow():
                self._follow(name, envelope)
            case wire.Unfollow(session):
                self.replicas.pop((name, session), None)
            case wire.Fetch() | wire.Chunk() | wire.Missing():
                self.transfers.received(name, envelope)
            case wire.Ask():
                self.connections.send_back(name, self._status())
            case wire.Begin() if self.on_begin is not None:
                root = self.begun.root.address if self.begun else name
                if not self._is_root(link) or {name, root} != {*envelope.root.route}:
                    raise wire.RemoteProtocolError("Begin of what is not its own, or not ours")
                self.on_begin(envelope)
            case wire.Declined(reason) if self.on_declined is not None:
                self.on_declined(peer, reason)
            case wire.Over() if self.on_begin is not None:
                self._told_over(envelope, link)
            case _:
                raise wire.RemoteProtocolError(f"{type(envelope).__name__} is not for this process")

    def _told_over(self, said: wire.Over, link: Connection) -> None:
        check_failure(said.failure)
        if self._shows_end(said.key):
            self.end_shown = said.key
        elif not self._is_root(link):
            if self.on_doubt is None:
                raise wire.RemoteProtocolError("Over that is not the submitter's")
            return self.on_doubt()
        self.failure = self.failure or said.failure
        self.over.set()

    def _is_root(self, link: Connection) -> bool:
        """Whether it leads to where this process has dialled the root."""
        return link.dialled is not None and link.dialled in self.roots

    @property
    def _rules(self) -> Trust:
        if self._trust is None:
            raise wire.RemoteProtocolError("nothing has begun here yet")
        return self._trust

    def _status(self) -> bytes:
        """How it stands, as a frame."""
        if self._told is None or self.now >= self._told[0]:
            self._told = self.now + STATUS_SECONDS, wire.encode(wire.Told(self.status()))
        return self._told[1]

    def _called(self, peer: Peer, said: wire.Call) -> None:
        rules = self._rules
        if self.connections.peers.get(peer.name) is not peer or peer.hello is None:
            return
        arrives = type(said.call) is m.Arrive
        if not rules.check(peer.hello, said.session, said.node, said.call):
            if arrives:
                self._send_to(peer.name, wire.Answer(said.session, said.node, m.Absent()))
        elif arrives and not self._may_wait(said.session):
            later = m.TurnedAway(ASK_AGAIN_SECONDS)  # were it sent back, it would be back at once
            self._send_to(peer.name, wire.Answer(said.session, said.node, later))
        elif type(said.call) is m.Kept and not self.keeping.takes(said.call, self.now):
            pass
        elif (peer, said.node) in self._held:
            self._hold(peer, said)
        elif self._lacking(said):
            self._hold(peer, said)
            self._nursery.start_soon(self._bring, peer, said.node)
        else:
            self._call(peer, said)

    def _may_wait(self, session: str) -> bool:
        """Whether an arrival may wait there, if it has to: for it to open, or for who opens it."""
        reflector = self.host.reflectors.get(session)
        if reflector is not None and reflector.admission.early is None:
            return True
        self._waiting += 1
        return self._waiting <= self.waiting_max

    def _count_waiting(self) -> int:
        """How many arrivals wait here."""
        early = [reflector.admission.early or () for reflector in self.host.reflectors.values()]
        return sum(map(len, (*self.host.waiting.values(), *early)))

    def _to_bring(self, said: wire.Call) -> list[Handle]:
        """The bytes that are to be here before the call counts."""
        return of_call(self.host.reflectors.get(said.session), said.node, said.call)

    def _lacking(self, said: wire.Call) -> list[Handle]:
        """Those that are not."""
        return [handle for handle in self._to_bring(said) if not self.blobs.has(handle[KEY])]

    def _hold(self, peer: Peer, said: wire.Call) -> None:
        """Until the bytes are here that this or an earlier call of the same node names."""
        self._held.setdefault((peer, said.node), deque()).append(said)
        self._held_bytes[peer] += HELD_CALL_BYTES + len(wire.encode(said))
        if self._held_bytes[peer] > HELD_BYTES_MAX:
            raise wire.RemoteProtocolError("too many of its calls wait for bytes")

    def _call(self, peer: Peer, said: wire.Call) -> None:
        if self.connections.peers.get(peer.name) is peer and not peer.refused:
            peer.nodes[said.node] = None
            self.host.receive((peer.name, said.node), said.node, said.session, said.call)

    async def _bring(self, peer: Peer, node: Node) -> None:
        """Get the bytes that the calls of `node` name, and then have the calls count."""
        held = self._held[peer, node]
        while held and not peer.gone:
            said = held[0]
            brought = await self._brought_by(peer, said)
            held.popleft()
            self._held_bytes[peer] -= HELD_CALL_BYTES + len(wire.encode(said))
            judged = trio.Event()
            self.post(self._attempt, peer, said, partial(self._call, peer, said))
            self.post(judged.set)
            await judged.wait()  # whether the next one is needed depends on it
            self._leave_out(peer, said, brought)
        del self._held[peer, node]
        if peer.gone or self._held_bytes[peer] <= 0:
            self._held_bytes.pop(peer, None)

    async def _bring_one(self, peer: Peer, handle: Handle, session: str) -> None:
        """It is tried until there is room for it, or the peer is gone. Raises BlobMissing."""
        wait = ROOM_SECONDS_MIN
        while not peer.gone:
            try:
                return await self.transfers.fetch(handle, session, [peer.name])
            except NoRoom as error:
                self.blobs.lacks(error)
            await trio.sleep(wait)
            wait = min(2 * wait, ROOM_SECONDS_MAX)

    async def _brought_by(self, peer: Peer, said: wire.Call) -> list[Handle]:
        """Get the bytes that one call needs. Returns those that were not here before."""
        brought = []
        for handle in self._lacking(said):
            self._brought[peer.number] += handle["size"]
            if self._brought[peer.number] > self.values_max:
                self._brought[peer.number] -= handle["size"]
                limit = f"{self.values_max} bytes, which --values-max is for"
                self.connections.cut(peer, f"its values would take more than {limit}")
                break
            try:
                await self._bring_one(peer, handle, said.session)
                brought.append(handle)
            except BlobMissing as error:  # whoever needs them will fail, and say so
                self._brought[peer.number] -= handle["size"]
                event(logging.WARNING, "missing", peer=peer.name, reason=str(error))
        return brought

    def _leave_out(self, peer: Peer, said: wire.Call, brought: list[Handle]) -> None:
        """Remove what was brought for a call that did not count, or came too late."""
        for handle in brought:
            if not self._names(said.session, handle[KEY]) and not self._is_wanted(handle):
                self._brought[peer.number] -= handle["size"]
                self.blobs.remove(handle[KEY])

    def _is_wanted(self, handle: Handle) -> bool:
        """Whether any other session here names that value, or a call that waits for its bytes."""
        held = [said for calls in self._held.values() for said in calls]
        if any(handle in self._to_bring(said) for said in held):
            return True
        states = [reflector.state for reflector in self.host.reflectors.values()]
        states += [replica.state for replica in self.replicas.values()]
        return any(names(state, handle[KEY]) for state in states)

    def _ordered(self, name: str, said: wire.Ordered) -> None:
        session, seq, message = said.session, said.seq, said.message
        replica = self.replicas.get((name, session))
        if replica is None:
            raise wire.RemoteProtocolError(f"session {session} is not followed")
        if seq > replica.state.seq + 1:
            raise wire.RemoteProtocolError(f"{session}: {seq} came after {replica.state.seq}")
        if self._doubts(message):
            return
        if seq > replica.state.seq:  # else it was heard before
            self._rules.check_ordered(replica.state, said.time, message)
        if type(message) is m.Joined and (view := self._view(message.node, session)):
            replica.views[message.node] = view
        replica.apply(seq, said.time, message)
        if type(message) is m.Left:
            replica.views.pop(message.node, None)
        if seq % self.vote_every == 0 and replica.views:
            vote = wire.Call(session, next(iter(replica.views)), replica.vote())
            self._send_to(name, vote)

    def _follow(self, name: str, said: wire.Follow) -> None:
        place = said.place
        state = self._rules.followed(place, said.snapshot)
        if place.address != name:
            raise wire.RemoteProtocolError(f"it hosts no session at {place.address}")
        asked = name, place.session
        if asked not in self._asked and asked not in self._asked_before:
            raise wire.RemoteProtocolError(f"session {place.session} was not asked for")
        replica = self.replicas.get((name, place.session))
        if replica is not None and replica.state.epoch == state.epoch:
            replica.state = state  # it was wrong
        else:
            self.replicas[name, place.session] = Replica(state, place, said.seal)

    def _view(self, node: Node, session: str) -> Participant | None:
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

    # -- large values ----------------------------------------------------------------------

    def _send_to(self, name: str, envelope: wire.Envelope) -> None:
        frame = wire.encode(envelope)
        if isinstance(envelope, wire.Fetch | wire.Call):
            self.connections.send(name, frame)
        else:
            self.connections.send_back(name, frame)  # who does not wait for it is not dialled

    def _up(self, session: str, asker: str) -> list[str]:
        """Who may have what `session` is about, nearer to the root: the nearest first."""
        reflector = self.host.reflectors.get(session)
        places = [reflector.place] if reflector else []
        views = [*self._views_of(session)]
        places += [view.place for view in views]
        route = places[0].route if places else ()
        # What another one has collected is on the host of the session below, which hands it up.
        below = [view.below.place.address for view in views if view.below is not None]
        nearest = dict.fromkeys([*reversed(route), *below])
        return [name for name in nearest if name not in (asker, self.me.name)]

    def _names(self, session: str, sha: str) -> bool:
        """Whether what is known here of `session`, or of one above it, names that value."""
        while session:
            reflector = self.host.reflectors.get(session)
            states = [reflector.state] if reflector else []
            states += [one.state for (_, name), one in self.replicas.items() if name == session]
            if any(names(state, sha) for state in states):
                return True
            session = session.rpartition("-")[0]
        return False

    def _near(self, session: str) -> list[str]:
        """All processes that follow `session` here."""
        reflector = self.host.reflectors.get(session)
        return list(self.followers.get(reflector, ())) if reflector else []

    def _views_of(self, session: str) -> Iterable[Participant]:
        for node in self.living:
            if view := self._view(node, session):
                yield view

    async def fetch(self, handle: m.Value, session: str) -> m.Value:
        """Have the bytes here. Returns the handle if they are in a file, else what they mean.

        Raises BlobMissing, or NoRoom.
        """
        sources = self._up(session, "")
        await self.transfers.fetch(handle, session, [*sources, *self._near(session)])
        content = self.blobs.memory.get(handle[KEY])
        return handle if content is None else msgspec.msgpack.decode(content)

    async def _settle(self) -> None:
        """Write what could not be written before."""
        self._settles = True
        try:
            await trio.to_thread.run_sync(self.blobs.settle, abandon_on_cancel=True)
        finally:
            self._settles = False

    def _tell_room(self, trouble: str) -> None:
        if trouble:
            event(logging.ERROR, "no_room", reason=trouble)
        else:
            event(logging.WARNING, "room_again", folder=self.blobs.folder)

    # -- losses ----------------------------------------------------------------------------

    def _notice(self, peer: Peer) -> None:
        if peer.hello is not None and not self.roots.isdisjoint((peer.name, *peer.aliases)):
            self._root_seen = trio.current_time()
        self.post(self._lost, peer)

    def _lost(self, peer: Peer) -> None:
        self.on_lost(peer)
        name = peer.name
        self.transfers.lost(name)
        if self.over.is_set():
            return  # whoever goes has heard so, too
        for following in self.followers.values():
            following.pop(name, None)
        for key in [key for key in self.replicas if key[0] == name]:
            del self.replicas[key]
        for reflector in list(self.host.reflectors.values()):
            placed = [node for node, link in _links(reflector) if link[0] == name]
            if reflector.admission.early is not None and reflector.opener in peer.nodes:
                placed.append(reflector.opener)  # it may not have come yet
            for node in placed:
                if self.trace is not None:
                    self.trace.lost(self.now, node, reflector)
                reflector.lose(node)
        for arrivals in self.host.waiting.values():
            for node in [node for node, (link, _) in arrivals.items() if link[0] == name]:
                del arrivals[node]
        for node, session in list(self.views):
            view = self._view(node, session)
            if view is not None and view.place.address == name:
                view.lost(name)

    def _tidy_up(self) -> None:
        """Forget views that are gone, and close what nobody needs, unless it was needed lately."""
        self._timers.add(IDLE_SECONDS, partial(self.post, self._tidy_up))
        for node, session in list(self.views):
            self._view(node, session)
        if self.blobs.trouble and not self._settles:
            self._nursery.start_soon(self._settle)
        self._waiting = self._count_waiting()
        self._asked_before = self._asked
        self._asked = {(view.place.address, session) for (_, session), view in self.views.items()}
        self.followers = {r: f for r, f in self.followers.items() if f and not r.closed}
        needed = self._needed()
        peers = self.connections.peers if self.begun else ()  # before that they wait for it
        unused = {name for name in peers if name not in needed}
        for name in unused & self._unused:
            if peer := self.connections.peers.get(name):
                self.connections.part(peer)
        self._unused = unused

    def _needed(self) -> set[str]:
        """The processes that something here is about."""
        needed = {view.place.address for view in self.views.values()}
        needed |= {name for name, _ in self.replicas}
        for reflector in self.host.reflectors.values():
            needed |= {name for _, (name, _) in _links(reflector)}
        for waiting in self.host.waiting.values():
            needed |= {link[0] for link, _ in waiting.values()}
        return needed


def nodes_of(number: int, count: int) -> range:
    """The numbers of the nodes of process `number`."""
    return range(number << NODE_BITS, (number << NODE_BITS) + count)


def _links(reflector: Reflector) -> list[tuple[Node, Link]]:
    """Who has, or waits for, a place there."""
    door, bringing = reflector.admission, reflector.recovery.bringing
    arrivals = [*door.standbys.values(), *bringing.values(), *(door.early or {}).values()]
    return [*reflector.members.items(), *((arrival.node, link) for link, arrival in arrivals)]


def _follow(reflector: Reflector, node: Node) -> wire.Follow:
    """What has the process of `node` follow that session."""
    state = reflector.state
    return wire.Follow(reflector.place, state.snapshot(), reflector.seal(node, state.epoch))


def _name(action: Callable[..., object]) -> str:
    """That of a function, also within a partial one."""
    while isinstance(action, partial):
        action = action.func
    return getattr(action, "__qualname__", type(action).__name__)


def _ignore(peer: Peer) -> None:
    pass
