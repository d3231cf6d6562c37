"""One process in one computation: its rooms, how they are joined, and what a command asks of it.

Rules it keeps:
- What a peer says is dealt with by one room, which the table in `_handlers` names.
- Who is lost is lost in each room, and each forgets by itself what nobody needs any more.
- It shares nothing but the connections with what the process is to other computations. So all of it
  is gone when its nursery is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import trio

from core import Computation, Host, Shape
from core import messages as m
from core.messages import Node, Place
from core.sessions import Participant
from core.sessions.messages import NODE_BITS
from core.sessions.model import Kind
from core.sessions.store import Store
from transports.net import wire
from transports.net.peer import Peer
from transports.process.backups import BackupBudget
from transports.process.calls import Calls
from transports.process.carrier import Carrier
from transports.process.following import Following
from transports.process.held import HeldCalls
from transports.process.incoming import Handler, Incoming
from transports.process.keys import NO_KEYS, Keys
from transports.process.leader import Leader
from transports.process.member import Member
from transports.process.outgoing import Outgoing
from transports.process.port import Port
from transports.process.queue import Queue
from transports.process.station import Station
from transports.process.trust import Trust
from transports.process.values import Values
from transports.process.views import Views
from transports.values.blobs import Blobs
from transports.work.functions import Work

TIDY_SECONDS = 5.0  # from one look at what is gone to the next


class Process(Member):
    """Some nodes, and what they share. `tree`: the number of the computation."""

    vote_every = 1000  # messages of a session

    def __init__(
        self,
        station: Station,
        nursery: trio.Nursery,
        blobs: Blobs,
        store: Store | None = None,
        keys: Keys = NO_KEYS,
        kind: Kind = Computation,
        participant: type[Participant] = Leader,
        values_max: int | None = None,
        tree: int = 0,
    ) -> None:
        super().__init__(station, tree, keys)
        self.on_met: Callable[[Peer], None] = _ignore
        self.on_lost: Callable[[Peer], None] = _ignore
        self.work: Work | None = None
        self.awaits_nodes = False  # none has entered yet, but some are to
        self.blobs = blobs
        self._participant: Any = participant
        self._nursery = nursery
        self.queue = Queue()
        self.post = self.queue.post
        self.connections = station.connections
        self.incoming = Incoming(self.queue, self.connections.cut)
        self.outgoing = Outgoing(self.connections, None if station.dials else self._unreached)
        self._make_rooms(kind, store, keys.root)
        self._make_way(blobs.most_bytes() // 2 if values_max is None else values_max)
        self.fetch, self.leave = self.values.fetch, self.port.leave
        self.reach, self.root_age = station.reach, station.root_age
        station.members[tree] = self

    def _make_rooms(self, kind: Kind, store: Store | None, root_key: bytes) -> None:
        """The nodes here and the host here, and what each says."""
        queue, outgoing = self.queue, self.outgoing
        self.views = views = Views()
        connections, blobs, every = self.connections, self.blobs, self.vote_every
        self.carrier = Carrier(self, queue, connections, outgoing, views, blobs, every)
        self.host = Host(self.me.name, self.carrier, kind, store, root_key)
        self.port = Port(self, queue, outgoing, views, self.host)

    def _make_way(self, values_max: int) -> None:
        """What is said to them from elsewhere."""
        queue, outgoing, host, views = self.queue, self.outgoing, self.host, self.views
        self.backup_budget = backup_budget = BackupBudget(host.backups)
        self.following = Following(self, queue, outgoing, views, backup_budget, self.vote_every)
        self.values = Values(
            self.me.name,
            self._nursery,
            self.blobs,
            outgoing,
            host,
            self.carrier,
            self.following,
            views,
            self.tree,
        )
        held = HeldCalls(queue, self.incoming, self._nursery, host, self.values, values_max)
        self.held_calls = held
        self.following.at_once = held.with_values_later
        self.calls = Calls(self, queue, self.connections, outgoing, host, backup_budget, held)
        self.incoming.handlers = self._handlers()

    def _handlers(self) -> dict[type, Handler]:
        """Who deals with what a peer says."""
        return {
            wire.Call: self.calls.said,
            wire.Answer: self.following.answered,
            wire.Ordered: self.following.ordered,
            wire.Follow: self.following.told_to_follow,
            wire.Unfollow: self.following.told_to_stop,
            wire.Fetch: self.values.said,
            wire.Chunk: self.values.said,
            wire.Missing: self.values.said,
            wire.Begin: self.told_begin,
            wire.Declined: self.told_declined,
            wire.Over: self.told_over,
            wire.Ask: self.station.asked,
        }

    async def run(self) -> None:
        """Do what there is to do, until cancelled; then it is gone."""
        self.queue.call_later(TIDY_SECONDS, self._tidy_up)
        try:
            await self.queue.run(self._look_whether_over)
        finally:
            if self.station.members.get(self.tree) is self:
                del self.station.members[self.tree]

    # -- beginning and ending --------------------------------------------------------------

    def begin(self, begin: wire.Begin, work: Work) -> None:
        """From now on this is about that computation."""
        self.queue.look_at_clock()
        self.take_part(begin, self.judge(begin))
        if self.trace is not None:
            self.trace.begin(self.queue.now, begin.began)
        self.work = work
        self.port.begin(work)
        self._nursery.start_soon(work.run)

    def judge(self, begin: wire.Begin) -> Trust:
        """Of what others say; a model that is not of a computation needs another."""
        shape = Shape.root(begin.partitions, begin.fanout, begin.keep_going)
        return Trust(attrs.evolve(shape, session=begin.root.session), self.host)

    def tell_begun(self, peer: Peer) -> None:
        """Tell it what is computed, if it has dialled this process, as who joins does."""
        joins = peer.hello is not None and peer.hello.nodes > 0
        if self.begun is not None and joins and peer.links and peer.links[0].dialled is None:
            self.outgoing.tell(peer.name, self.begun)

    def enter(self, node: Node, root: Place, observes: bool = False) -> Participant:
        """Node `node` begins, and asks at the root."""
        self.awaits_nodes = False
        if self.trace is not None:
            self.trace.arrived(self.queue.now, node, root.session)
        view: Participant = self._participant(self.port, node, self.me.address, root, observes)
        self.views.living[node] = view
        view.enter(root)
        return view

    def submit(self, opening: m.Open, node: Node, value: m.Value) -> None:
        """Open the root here, join it with `node` and give it the input."""
        self.host.open(node, opening)
        submitter = self.enter(node, opening.place, observes=True)
        self.port.send(submitter, opening.place, m.Given(value))

    def _look_whether_over(self) -> None:
        """No node of this process is needed, nor is what it hosts."""
        none_left = not (self.views.living or self.awaits_nodes)
        if self.begun and none_left and not self.over.is_set():
            hosted = [r for r in self.host.reflectors.values() if r.members]
            if all(r.closed or r.state.ended for r in hosted):
                self.over.set()

    # -- what others are told of it --------------------------------------------------------

    @property
    def divergences(self) -> int:
        """How often a replica was found to differ."""
        return self.carrier.divergences

    @property
    def offences(self) -> int:
        """How often somebody has said what nobody honest says."""
        return self.station.offences + self.incoming.offences + self.carrier.offences

    def untrace(self) -> None:
        """What happens here is not written down any more."""
        self.trace = None
        if self.work is not None:
            self.work.trace = None

    # -- who comes and goes ----------------------------------------------------------------

    def met(self, peer: Peer) -> None:
        """It is connected: the root tells it what is computed."""
        self.on_met(peer)
        if self.trace is not None:
            self.trace.met(len(self.connections.peers))
        if self.begun is not None and self.on_begin is None:
            self.tell_begun(peer)

    def has_asked_at(self, name: str) -> bool:
        """Whether a node here has asked the process `name` for a place lately."""
        return self.views.has_asked_at(name)

    def lost(self, peer: Peer) -> None:
        """It is not connected any more; what it has said before comes first."""
        self.post(self._lost, peer)

    def _lost(self, peer: Peer) -> None:
        self.on_lost(peer)
        self._lost_at(peer.name, peer)

    def _unreached(self, name: str) -> None:
        """Something was to be said to the process `name`, which is not connected."""
        self.post(self._lost_at, name)

    def _lost_at(self, name: str, peer: Peer | None = None) -> None:
        self.values.transfers.lost(name)
        if self.over.is_set():
            return  # whoever goes has heard so, too
        self.carrier.lost(name)
        self.following.lost(name)
        if peer is not None:
            self.calls.lost(peer)
        self.views.lost(name)

    def _tidy_up(self) -> None:
        """Forget what is gone."""
        self.queue.call_later(TIDY_SECONDS, self._tidy_up)
        self.views.tidy_up()
        self.values.tidy_up()
        self.calls.tidy_up()
        self.carrier.tidy_up()

    def needed(self) -> set[str] | None:
        """The processes to which a connection is needed; None: all, as nothing has begun yet."""
        if self.begun is None:
            return None
        return self.views.hosts() | self.following.hosts() | self.calls.callers()


def nodes_of(number: int, count: int) -> range:
    """The numbers of the nodes of process `number`."""
    return range(number << NODE_BITS, (number << NODE_BITS) + count)


def _ignore(peer: Peer) -> None:
    pass
