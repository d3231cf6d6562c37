"""Where a process meets others: its connections, and for which computation what comes in is.

Rules it keeps:
- All computations of a process share its connections. What comes in is for one of them, by the
  number with which the names of its sessions begin, or for the process itself.
- What is about a computation that is not here does not count: it may be late. Only who asks for a
  place there is told, so that it looks elsewhere.
- Who is connected to the root knows that it is there. Others hear how many seconds ago it was, with
  each heartbeat, from the hosts of the sessions that their nodes are in. What is heard ages on its
  way, so processes that have lost the root do not go on believing each other.
- A connection that no computation needs any more is closed after a while.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import trio

from core import Host
from core import messages as m
from transports.logs import event
from transports.net import wire
from transports.net.connection import Connections, Me
from transports.net.errors import RemoteProtocolError
from transports.net.heartbeat import HEARTBEAT_SECONDS
from transports.net.peer import Link, Peer
from transports.net.security import Security
from transports.process.incoming import Handler, Incoming, not_meant
from transports.work.cores import Cores
from transports.work.starting import Started, taken
from transports.work.warm import Warm

IDLE_SECONDS = 5.0  # a connection that nobody needs stays open for so long, or twice as long
STATUS_SECONDS = 0.1  # for which it is not asked for again, whoever wants to know it


class Member(Protocol):
    """What this process is to one computation."""

    begun: wire.Begin | None
    host: Host
    incoming: Incoming

    def met(self, peer: Peer) -> None:
        """It is connected."""

    def lost(self, peer: Peer) -> None:
        """It is not connected any more."""

    def needed(self) -> set[str] | None:
        """The processes to which a connection is needed; None: all, as nothing has begun yet."""

    def has_asked_at(self, name: str) -> bool:
        """Whether a node here has asked the process `name` for a place lately."""


class Station:
    """The connections of one process. `members`: what it is to each computation, by number.

    `handlers`: who deals with what is about none of them, and with what begins and ends. `keeps`:
    whether a peer is to stay connected, whatever the computations need.
    """

    def __init__(
        self,
        me: Me,
        security: Security,
        nursery: trio.Nursery,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        cores: int = 1,
    ) -> None:
        self.me = me
        self.cores = Cores(cores)  # on which what it computes is computed
        self.members: dict[int, Member] = {}
        self.handlers: dict[type, Handler] = {wire.Ask: self.asked}
        self.keeps: Callable[[Peer], bool] = _none
        self.on_met: Callable[[Peer], None] = _ignore
        self.on_lost: Callable[[Peer], None] = _ignore
        self.status: Callable[[], dict[str, m.Value]] = dict
        self.dials = True  # another process, where something is to be said to one
        self.joins = False  # it has dialled the root, or is about to
        self.roots: set[str] = set()  # addresses at which this process dials the root
        self.root_seen = trio.current_time()  # when it was last there, where it is not connected
        self.reserve: list[Started] = []  # computing processes that were started ahead
        self.warm: Warm | None = None  # those that have loaded a job, of a process that stays
        self.offences = 0  # how often somebody has said what is not for it
        self._told: tuple[float, bytes] | None = None  # the last status, and until when it will do
        self._unused: set[str] = set()  # connections that nobody needed a while ago
        self.connections = Connections(
            me,
            security,
            nursery,
            self._take,
            self._lost,
            self._met,
            heartbeat_seconds,
            root_age=self.root_age,
            aged=self._hear_root_age,
        )
        nursery.start_soon(self._close_unused)

    def restock(self, count: int) -> None:
        """Start computing processes ahead, for whatever begins next, if that is possible."""
        try:
            while len(self.reserve) < count:
                self.reserve.append(taken())
        except OSError as error:
            event(logging.WARNING, "not_started", reason=str(error))

    def empty(self) -> None:
        """End those that were not needed."""
        while self.reserve:
            self.reserve.pop().end()
        if self.warm is not None:
            self.warm.end()

    # -- what comes in ---------------------------------------------------------------------

    async def _take(self, peer: Peer, envelope: wire.Envelope, link: Link) -> None:
        """`peer` has said that. It is read on when there is room for it."""
        tree = wire.tree_of(envelope)
        member = None if tree is None else self.members.get(tree)
        if type(envelope) is wire.Ask:  # of the one job of a host when what was said before is done
            member = self.members.get(0)  # in a fleet at once: a job may be about to end
        if member is not None:
            await member.incoming.take(peer, envelope, link)
        elif tree is None or type(envelope) in (wire.Begin, wire.Over) or self._is_ours(envelope):
            self._hear(peer, envelope, link)
        elif type(envelope) is wire.Call and type(envelope.call) is m.Arrive:
            absent = wire.Answer(envelope.session, envelope.node, m.Absent())
            self.connections.send_back(peer.name, wire.encode(absent))

    def _is_ours(self, said: wire.Envelope) -> bool:
        """Whether it is about a large value of a fleet, which is no computation's."""
        return wire.tree_of(said) == 0 and type(said) in self.handlers

    def _hear(self, peer: Peer, said: wire.Envelope, link: Link) -> None:
        """`peer` says what is for the process itself."""
        try:
            self.handlers.get(type(said), not_meant)(peer, said, link)
        except RemoteProtocolError:
            self.offences += 1
            raise

    def asked(self, peer: Peer, said: wire.Ask, link: Link) -> None:
        """Tell how it stands."""
        now = trio.current_time()
        if self._told is None or now >= self._told[0]:
            self._told = now + STATUS_SECONDS, wire.encode(wire.Told(self.status()))
        self.connections.send_back(peer.name, self._told[1])

    # -- the root --------------------------------------------------------------------------

    async def reach(self, address: str) -> Peer:
        """The process there, when it is connected. It has the root. Raises ConnectError."""
        self.joins = True
        self.roots.add(address)
        return await self.connections.connect(address)

    def is_root(self, link: Link) -> bool:
        """Whether it leads to where this process has dialled the root."""
        return link.dialled is not None and link.dialled in self.roots

    def root_age(self) -> float:
        """How many seconds ago the root was there, as far as is known here."""
        if not self.joins or any(map(self.connections.reaches, self.roots)):
            return 0.0
        return trio.current_time() - self.root_seen

    def root_was_there(self, seconds: float = 0.0) -> None:
        """So many seconds ago."""
        self.root_seen = max(self.root_seen, trio.current_time() - seconds)

    def _hear_root_age(self, peer: Peer, seconds: float) -> None:
        """`peer` says what it knows; it counts if some session here is followed from there."""
        if any(member.has_asked_at(peer.name) for member in self.members.values()):
            self.root_was_there(seconds)

    def status_changed(self) -> None:
        """Whoever asks from now on is told anew."""
        self._told = None

    # -- who comes and goes ----------------------------------------------------------------

    def _met(self, peer: Peer) -> None:
        self.on_met(peer)
        for member in list(self.members.values()):
            member.met(peer)

    def _lost(self, peer: Peer) -> None:
        if peer.hello is not None and not self.roots.isdisjoint((peer.name, *peer.aliases)):
            self.root_was_there()
        self.on_lost(peer)
        for member in list(self.members.values()):
            member.lost(peer)

    async def _close_unused(self) -> None:
        """Close the connections that nobody needs, unless they were needed lately."""
        while True:
            await trio.sleep(IDLE_SECONDS)
            if self.warm is not None:
                self.warm.tidy_up()
            needed = [member.needed() for member in self.members.values()]
            peers = self.connections.peers
            known = set[str]().union(*(names for names in needed if names is not None))
            unused = set() if None in needed or not needed else peers.keys() - known
            for name in unused & self._unused:
                if (peer := peers.get(name)) and not self.keeps(peer):
                    self.connections.part(peer)
            self._unused = unused


def _none(peer: Peer) -> bool:
    return False


def _ignore(peer: Any) -> None:
    pass
