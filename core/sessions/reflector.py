"""The reflector: one order for all.

Rules it keeps:
- A message gets the next sequence number and the host's time, changes the host's own copy of the
  session at once, and only then goes out. So every decision here is made on the newest state.
- Who is let in, what is brought back, and replicas that differ each have a room of their own:
  `admission.py`, `recovery.py`, `repair.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.sessions import messages as m
from core.sessions.admission import Admission
from core.sessions.carrier import Carrier, Link
from core.sessions.chain import Seat
from core.sessions.messages import Epoch, Node, Reply, Value
from core.sessions.recovery import Recovery
from core.sessions.repair import Repair
from core.sessions.roles import COUNTS, OFFENCE, SAYS, of_message, seal
from core.sessions.session import Session

if TYPE_CHECKING:
    from core.sessions.host import Host


class Reflector(Seat):
    """Gives every message of one session its place and time."""

    __slots__ = (
        "_interior", "admission", "carrier", "closed", "host", "key", "locked", "members", "opener",
        "recovery", "repair", "session",
    )  # fmt: skip

    def __init__(self, host: Host, opening: m.Open, opener: Node, carrier: Carrier) -> None:
        self.session = session = opening.place.session
        state = Session(session, opening.epoch, host.kind, opening.plan)
        super().__init__(opening.place, state)
        self.host = host
        self.carrier = carrier
        self.opener = opener
        self.members = self.state.people  # and what leads to each of them
        self.closed = False
        self.key = host.key(opener, self.place)
        self.locked = bool(self.key)  # it is opened anew only by who has its key
        self._interior = self.state.model.children > 0
        self.recovery = Recovery(self)
        self.repair = Repair(self)
        self.admission = Admission(self, opening.again)

    @property
    def model(self) -> Any:
        """The session's model, of the host's kind."""
        return self.state.model

    @property
    def live(self) -> bool:
        """Whether something may still happen here."""
        return not (self.closed or self.state.moved or self.state.ended)

    def reply(self, link: Link, reply: Reply) -> None:
        self.carrier.reply(self.host, link, self.place, reply)

    def receive(self, link: Link, node: Node, call: Any) -> None:
        """A call, other than an arrival, of somebody who has a place here."""
        kind = type(call)
        role = self.state.model.says.get(kind) or SAYS.get(kind)
        if role is not None:
            if node in self.members:
                verdict = of_message(self, node, call, role)
                if verdict is COUNTS:
                    self.order(call)
                elif verdict is OFFENCE:
                    self.carrier.offended(self.host, link, self.place, call)
        elif kind is m.Leave:
            self.lose(node)
        elif kind is m.StateTransfer:
            self._transferred(node, call.snapshot)
        elif kind is m.Vote:
            self.repair.count(node, call)
        elif self.admission.guide is not None and node in self.members:
            self.admission.guide.heard(node, call)

    def seal_of(self, node: Node) -> bytes:
        """That of a node that reads the state here, without a replica of its own."""
        return self.seal(node, self.state.epoch)

    def seal(self, node: Node, epoch: Epoch) -> bytes:
        """What shows that the process of `node` has followed that incarnation."""
        return seal(self.key, epoch, self.carrier.party(node))

    def _transferred(self, node: Node, snapshot: dict[str, Value]) -> None:
        if node in self.members and self.repair.is_mender(node):
            self.repair.mend(Session.restore(self.host.kind, snapshot))
        elif node in self.recovery.transferring:
            self.recovery.transferred(node, Session.restore(self.host.kind, snapshot))

    def order(self, message: Any, link: Link = None) -> None:
        """Give `message` its place and time, apply it here, send it out.

        `link` leads to whom it lets in.
        """
        if self.closed:
            return
        state, host, carrier = self.state, self.host, self.carrier
        now = carrier.now
        told = state.apply(now, message)
        if link is not None:
            self.members[message.node] = link
        if host.store is not None:
            host.store.append(state, now, message)
        if self._interior:
            self.admission.noted(told)
            host.backups.hand_over(self, message, told)
        carrier.broadcast(self, message, told)
        if carrier.vote_every:
            self.repair.ordered(now, message)
        if state.moved:
            self._over(m.Redirect(state.moved))
        elif state.ended:
            self._over(m.Stop(state.ended))
            self.host.backups.forget(self.session)
        else:
            self.admission.ordered()

    def _over(self, reply: Reply) -> None:
        """The team has gone elsewhere, or all is over: nobody is to wait here."""
        self.members = self.state.people
        self.admission.dismiss(reply)

    def lose(self, node: Node) -> None:
        """`node` has gone from this session."""
        self.repair.lose(node)
        self.recovery.lose(node)
        stood_by = self.admission.lose(node)
        if not stood_by and node in self.members:
            if self.closed:
                del self.members[node]
            else:
                self.order(m.Left(node))

    def adopt(self, state: Session) -> None:
        """Go on with that state, among the same people."""
        state.people.update(self.members)
        self.state, self.members = state, state.people
        self.admission.renew()

    def close(self, opener: Node) -> None:
        """Send everybody to the session that `opener` opened in this one's place, right here."""
        for node, link in [*self.members.items(), *self.admission.waiting()]:
            if node != opener:
                self.reply(link, m.Redirect(self.place))
        self.admission.standbys.clear()
        self.closed = True
        self.members = dict(self.members)  # they go one by one, and the state stays as it is
