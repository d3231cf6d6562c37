"""What hosts elsewhere say to the nodes of this process: answers, and sessions to follow.

Rules it keeps:
- A session is followed only where a node of this process has asked for a place.
- It is followed by one replica, however many of its nodes are in it, which has one vote.
- What does not follow on what was said before costs the host its connection: it is not believed.
"""

from __future__ import annotations

from collections.abc import Callable

from core import Replica
from core import messages as m
from core.messages import Place
from transports.net import wire
from transports.net.errors import RemoteProtocolError
from transports.net.peer import Link, Peer
from transports.process.backups import BackupBudget
from transports.process.member import Member
from transports.process.outgoing import Outgoing
from transports.process.queue import Queue
from transports.process.views import Views

Then = Callable[[Peer, wire.Answer], None]


class Following:
    """`replicas`: of the sessions that are followed, by name of the host, and session.

    `at_once`: what counts at once of what is given to a node here; the rest when its bytes are
    here, too.
    """

    def __init__(
        self,
        member: Member,
        queue: Queue,
        outgoing: Outgoing,
        views: Views,
        backup_budget: BackupBudget,
        vote_every: int,
    ) -> None:
        self.replicas: dict[tuple[str, str], Replica] = {}
        self.at_once: Callable[[Peer, wire.Answer, Then], wire.Answer] = _all_of_it
        self._member = member
        self._queue = queue
        self._outgoing = outgoing
        self._views = views
        self._backup_budget = backup_budget
        self._vote_every = vote_every

    def answered(self, peer: Peer, said: wire.Answer, link: Link) -> None:
        """A node here has asked something, and hears that."""
        member, session, reply = self._member, said.session, said.reply
        if member.doubts(reply):
            return
        member.rules.check_answer(session, reply, member.me.address is not None)
        if type(reply) is m.Backup:
            said = self.at_once(peer, said, self._pass_on)
        self._pass_on(peer, said)

    def _pass_on(self, peer: Peer, said: wire.Answer) -> None:
        """To the node."""
        reply = said.reply
        if type(reply) is not m.Backup or self._backup_budget.takes(reply, self._queue.now):
            self._views.answered(said.node, Place(said.session, (peer.name,)), reply)

    def told_to_follow(self, peer: Peer, said: wire.Follow, link: Link) -> None:
        """The session as it is by now."""
        name, place = peer.name, said.place
        state = self._member.rules.followed(place, said.snapshot)
        if place.address != name:
            raise RemoteProtocolError(f"it hosts no session at {place.address}")
        if not self._views.has_asked(name, place.session):
            raise RemoteProtocolError(f"session {place.session} was not asked for")
        replica = self.replicas.get((name, place.session))
        if replica is not None and replica.state.epoch == state.epoch:
            replica.state = state  # it was wrong
        else:
            self.replicas[name, place.session] = Replica(state, place, said.seal)

    def ordered(self, peer: Peer, said: wire.Ordered, link: Link) -> None:
        """The next message of a session."""
        name, session, seq, message = peer.name, said.session, said.seq, said.message
        replica = self.replicas.get((name, session))
        if replica is None:
            raise RemoteProtocolError(f"session {session} is not followed")
        if seq > replica.state.seq + 1:
            raise RemoteProtocolError(f"{session}: {seq} came after {replica.state.seq}")
        if self._member.doubts(message):
            return
        if seq > replica.state.seq:  # else it was heard before
            self._member.rules.check_ordered(replica.state, said.time, message)
        if type(message) is m.Joined and (view := self._views.view(message.node, session)):
            replica.views[message.node] = view
        replica.apply(seq, said.time, message)
        if type(message) is m.Left:
            replica.views.pop(message.node, None)
        if seq % self._vote_every == 0 and replica.views:
            vote = wire.Call(session, next(iter(replica.views)), replica.vote())
            self._outgoing.say(name, vote)

    def told_to_stop(self, peer: Peer, said: wire.Unfollow, link: Link) -> None:
        """None of the nodes here is in that session any more."""
        self.replicas.pop((peer.name, said.session), None)

    def hosts(self) -> set[str]:
        """The processes of which a session is followed."""
        return {name for name, _ in self.replicas}

    def lost(self, name: str) -> None:
        """The process `name` is not connected any more."""
        for key in [key for key in self.replicas if key[0] == name]:
            del self.replicas[key]


def _all_of_it(peer: Peer, said: wire.Answer, then: Then) -> wire.Answer:
    return said
