"""What the host of this process says to nodes, here and elsewhere: the core's carrier.

Rules it keeps:
- A process follows a session by one replica, however many of its nodes are in it. On the session's
  own host the views read the reflector's model. A replica has one vote.
- What cannot be told to a node any more is the loss of that node.
- A session takes in what is known from before only where the bytes of it are here. The rest is
  computed again: whoever needed them would fail.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Any

from core import Host, Reflector, sessions
from core import messages as m
from core.messages import Command, Facts, Message, Node, Place, Reply, Value
from core.sessions.messages import NODE_BITS
from transports.logs import event
from transports.net import wire
from transports.net.connection import Connections
from transports.process.member import Member
from transports.process.needed import restored
from transports.process.outgoing import Outgoing
from transports.process.queue import Queue
from transports.process.views import Views
from transports.values.blobs import Blobs

Link = tuple[str, Node]  # the process of a node, and the node
Following = dict[str, dict[Node, None]]  # by process, its nodes that are in the session


class Carrier(sessions.Carrier):
    """Of all reflectors here. Replicas vote whenever `vote_every` messages were ordered."""

    def __init__(
        self,
        member: Member,
        queue: Queue,
        connections: Connections,
        outgoing: Outgoing,
        views: Views,
        blobs: Blobs,
        vote_every: int,
    ) -> None:
        self.vote_every = vote_every
        self.divergences = 0
        self.offences = 0
        self._member = member
        self._queue = queue
        self._connections = connections
        self._outgoing = outgoing
        self._views = views
        self._blobs = blobs
        self._name = member.me.name
        self._followers: dict[Reflector, Following] = {}

    @property
    def now(self) -> float:
        return self._queue.now

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        self._queue.call_later(seconds, action)

    # -- what nodes are told ---------------------------------------------------------------

    def reply(self, host: Host, link: Link, place: Place, reply: Reply) -> None:
        name, node = link
        if (trace := self._member.trace) is not None:
            trace.replied(self._queue.now, place.session, node, reply)
        if name == self._name:
            self._queue.post(self._views.answered, node, place, reply)
        else:
            self._tell(host, link, wire.Answer(place.session, node, reply))

    def broadcast(
        self, reflector: Reflector, message: Message, commands: list[tuple[Node, Command]]
    ) -> None:
        following = self._followers.get(reflector)
        if (trace := self._member.trace) is not None:
            followers = len(following or ())
            trace.ordered(self._queue.now, reflector, message, commands, followers)
        if following:
            seq, now = reflector.state.seq, self._queue.now
            self._outgoing.tell_all(following, wire.Ordered(reflector.session, seq, now, message))
            self._dismiss(reflector, following, message)
        newcomer = message.node if type(message) is m.Joined else None
        if newcomer is not None and reflector.members[newcomer][0] == self._name:
            own = [command for node, command in commands if node == newcomer]
            self._queue.post(self._views.seated, newcomer, reflector, own)
        for node, command in commands:
            if node != newcomer and reflector.members[node][0] == self._name:
                self._queue.post(self._views.on, node, reflector, command)

    def restorable(self, facts: Facts, context: Value) -> m.Restored:
        return restored(facts, context, self._blobs.has)

    def _tell(self, host: Host, link: Link, envelope: wire.Envelope) -> bool:
        name, node = link
        there = self._outgoing.tell(name, envelope)
        if not there:
            self._queue.post(host.lose, node)
        return there

    # -- who follows -----------------------------------------------------------------------

    def welcome(self, reflector: Reflector, link: Link, node: Node) -> None:
        name = link[0]
        if name == self._name:
            return  # its view reads the reflector's own model
        following = self._followers.setdefault(reflector, {})
        if name not in following:
            if not self._tell(reflector.host, link, _follow(reflector, node)):
                return
            following[name] = {}
            if (trace := self._member.trace) is not None:
                trace.said(self._queue.now, reflector.session)
        following[name][node] = None

    def _dismiss(self, reflector: Reflector, following: Following, message: Message) -> None:
        """Processes of which nobody is left need not follow any more."""
        if type(message) is m.Left:
            for nodes in following.values():
                nodes.pop(message.node, None)
        for name in list(following):
            if reflector.state.moved or not following[name]:
                del following[name]
                self._outgoing.tell(name, wire.Unfollow(reflector.session))

    def followers(self, reflector: Reflector) -> Collection[str]:
        """The processes that follow it, but this one."""
        return self._followers.get(reflector, ())

    def voters(self, reflector: Reflector) -> int:
        return 1 + len(self.followers(reflector))

    def diverged(self, reflector: Reflector, seq: int, node: Node, fields: list[str]) -> None:
        self.divergences += 1
        where = {"session": reflector.session, "seq": seq, "node": node}
        event(logging.ERROR, "diverged", **where, fields=",".join(fields))

    def repair(self, reflector: Reflector, link: Link, node: Node) -> None:
        if link[0] in self.followers(reflector):
            self._tell(reflector.host, link, _follow(reflector, node))

    def lost(self, name: str) -> None:
        """The process `name` is not connected any more."""
        for following in self._followers.values():
            following.pop(name, None)

    def tidy_up(self) -> None:
        """Forget sessions that nobody follows any more."""
        followed = self._followers.items()
        self._followers = {r: following for r, following in followed if following and not r.closed}

    # -- who is who ------------------------------------------------------------------------

    def party(self, node: Node) -> int:
        return node >> NODE_BITS

    def owns(self, host: Host, node: Node) -> bool:
        return node >> NODE_BITS == self._member.me.number

    def is_end(self, ended: m.Ended) -> bool:
        return self._member.is_end(ended)

    def offended(self, host: Host, link: Link, place: Place, call: Any) -> None:
        name, node = link
        self.offences += 1
        what = f"{type(call).__name__} in session {place.session} is not for node {node} to say"
        peer = self._connections.peers.get(name)
        if peer is not None:
            self._connections.cut(peer, what)
        else:  # it has gone meanwhile; or it is of this very process
            event(logging.WARNING, "offence", peer=name, reason=what)


def _follow(reflector: Reflector, node: Node) -> wire.Follow:
    """What has the process of `node` follow that session."""
    state = reflector.state
    return wire.Follow(reflector.place, state.snapshot(), reflector.seal(node, state.epoch))
