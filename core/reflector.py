"""The reflector: one order for all, and who is let in.

Rules it keeps:
- A message gets the next sequence number and the host's time, changes the host's own replica
  at once, and only then goes out. So every decision here is made on the newest state.
- An arrival is admitted where a slot is free, else sent on (interior) or kept as a spare
  (leaf), without a word to the model. A session has at most `fanout` spares.
- A reopened session first hears those who bring a replica that knows more.
- Nothing ticks while nobody waits: a timer is set when somebody is idle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from core import messages as m
from core.computation import Computation, Slot
from core.messages import Command, Message, Node, Place, Reply
from core.votes import HOST, Ballot, digests

if TYPE_CHECKING:
    from core.host import Host

ASK_AGAIN_SECONDS = 5.0
RETURN_SECONDS = 1.0  # in which all who were in the root come back to it: two tries
BALLOTS_MAX = 100  # that are open at a time

NOBODY: Node = -1

Link = Any  # the transport's handle of one participant


class Carrier(Protocol):
    """What a reflector asks of a transport."""

    @property
    def now(self) -> float:
        """The host's time in seconds."""

    def reply(self, host: Host, link: Link, place: Place, reply: Reply) -> None:
        """Answer one who arrived at `place`."""

    def welcome(self, reflector: Reflector, link: Link, node: Node) -> None:
        """Make `link` follow the session from its present state on."""

    def broadcast(
        self,
        reflector: Reflector,
        message: Message,
        commands: list[tuple[Node, Command]],
    ) -> None:
        """Bring an ordered message, already applied here, to every replica that follows."""

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` after some seconds."""

    @property
    def vote_every(self) -> int:
        """Replicas are compared whenever so many messages were ordered; 0: never."""

    def voters(self, reflector: Reflector) -> int:
        """How many replicas of the session are compared, the host's own included."""

    def diverged(self, reflector: Reflector, seq: int, node: Node, fields: list[str]) -> None:
        """The replica of `node` (HOST: the host's own) was wrong, and is being repaired."""

    def repair(self, reflector: Reflector, link: Link, node: Node) -> None:
        """Replace the replica that `link` leads to by a copy of the present one here."""


class Reflector:
    """Gives every message of one session its place and time; admits and redirects arrivals."""

    __slots__ = (
        "_leaf",
        "_log",
        "_mender",
        "_passing",
        "_quotas",
        "_redirects",
        "_turns",
        "again",
        "alarm",
        "ballots",
        "bringing",
        "carrier",
        "closed",
        "early",
        "epoch",
        "host",
        "known",
        "members",
        "model",
        "opener",
        "place",
        "session",
        "spares",
    )

    def __init__(self, host: Host, opening: m.Open, opener: Node, carrier: Carrier) -> None:
        self.host = host
        self.place = opening.place
        self.session = opening.shape.session
        self.epoch = opening.epoch
        self.model = Computation(opening.shape, opening.epoch)
        self.opener = opener
        self.again = opening.again
        self.carrier = carrier
        self.members: dict[Node, Link] = {}
        self.spares: dict[Node, tuple[Link, m.Arrive]] = {}
        self.early: list[tuple[Link, m.Arrive]] | None = []  # until the opener has joined
        self.bringing: dict[Node, tuple[Link, m.Arrive]] = {}
        self.known: dict[m.Epoch, int] = {}  # epoch -> how much of that replica was brought
        self.alarm = False
        self.closed = False
        self.ballots: dict[int, Ballot] = {}
        self._mender = NOBODY  # who was asked for the right replica
        self._log: list[tuple[int, float, Message]] = []  # since everyone last agreed
        self._leaf = opening.shape.leaf
        self._passing = False  # interior, and every arrival that is new here is just sent on
        self._redirects: list[tuple[Node, m.Redirect] | None] = [None] * opening.shape.slots
        self._quotas = [] if self._leaf else [size - 1 for size in opening.shape.sizes()]
        self._turns = self._round_robin()

    @property
    def orphaned(self) -> bool:
        """Whether the opener has gone before it came: the next one will open anew."""
        return self.early is not None and self.opener == NOBODY

    # -- arrivals --------------------------------------------------------------------------

    def arrive(self, link: Link, arrival: m.Arrive) -> None:
        """Admit, redirect, keep as a spare or turn away."""
        node, past = arrival.node, arrival.past
        if self._passing and past is None and node not in self.members:
            reply = next(self._turns, None) or self._no_turn()
            return self.carrier.reply(self.host, link, self.place, reply)
        if node in self.members or node in self.spares:  # it comes again: it was away
            self.lose(node)
        if past and self._is_new(past):
            self.known[past.epoch] = past.seq
            self.bringing[node] = link, arrival
            self.carrier.reply(self.host, link, self.place, m.Bring())
        elif self.early is not None and node != self.opener:
            self.early = [entry for entry in self.early if entry[1].node != node]
            self.early.append((link, arrival))
        else:
            self._seat(link, arrival)
        return None

    def _is_new(self, past: m.Past) -> bool:
        """Whether that replica may know more. One of this incarnation is behind the one here."""
        model, brought = self.model, self.known.get(past.epoch, 0)
        return past.epoch != model.epoch and past.seq > brought and not model.moved

    def _seat(self, link: Link, arrival: m.Arrive) -> None:
        model, past = self.model, arrival.past
        slot = self._slot_of(past.bound) if past and past.bound else None
        reply: Reply
        if model.ended:
            reply = m.Stop(model.ended)
        elif model.moved:
            reply = m.Redirect(model.moved)
        elif slot is not None and model.slots[slot].worker is None:
            return self._admit(link, arrival, (slot,))
        elif slot is not None:
            reply = self._redirect(slot)
        elif model.free > len(model.idle) or arrival.observes or arrival.node == self.opener:
            return self._admit(link, arrival, past.holding if past and self._leaf else ())
        elif not self._leaf:
            reply = next(self._turns, None) or self._no_turn()
        elif model.remaining and self._has_room():
            self.spares[arrival.node] = link, arrival
            reply = m.Wait()
        else:
            reply = m.TurnedAway(ASK_AGAIN_SECONDS)
        self.carrier.reply(self.host, link, self.place, reply)
        if self.spares and not self.alarm:
            self._watch()
        return None

    def _has_room(self) -> bool:
        """For one more spare: those that became helpers count as spares, too."""
        fanout, people = self.model.shape.fanout, len(self.members)
        if self.place.parent() is None:
            people -= 1  # the submitter takes no slot
        return len(self.spares) < min(fanout, 2 * fanout - people)

    def _slot_of(self, bound: str) -> int | None:
        """The slot, not done yet, under which the session `bound` lies."""
        if not self.place.leads_to(bound):
            return None
        slot = int(bound[len(self.place.session) + 1 :].partition("-")[0])
        return None if self.model.slots[slot].done else slot

    def _admit(self, link: Link, arrival: m.Arrive, holding: tuple[int, ...]) -> None:
        node = arrival.node
        self.carrier.welcome(self, link, node)
        self.members[node] = link
        self.order(m.Joined(node, arrival.address, arrival.pace, holding, arrival.observes))
        if self.early is not None and node == self.opener:
            if self.again:
                self.carrier.call_later(RETURN_SECONDS, self._begin)
            else:
                self._begin()

    def _begin(self) -> None:
        """The opener has joined: seat those who came early, first who leads a session below."""
        if self.early is None or self.closed:
            return
        early, self.early = self.early, None
        self._passing = not self._leaf and self.model.free <= len(self.model.idle)
        for waiting in sorted(early, key=lambda entry: not (entry[1].past and entry[1].past.bound)):
            self.arrive(*waiting)  # to be asked, where who was asked first did not bring it

    def _redirect(self, slot: int) -> m.Redirect:
        """Where the child session of a taken slot is."""
        worker = self.model.slots[slot].worker
        assert worker is not None
        address = self.model.people[worker].address
        address = self.place.address if address is None else address
        redirect = m.Redirect(self.place.child(slot, address))
        self._redirects[slot] = worker, redirect
        return redirect

    def _no_turn(self) -> Reply:
        self._turns = self._round_robin()
        return m.TurnedAway(ASK_AGAIN_SECONDS)

    def _round_robin(self) -> Iterator[m.Redirect]:
        """The child sessions not done in turn, first as often as each has partitions to offer.

        Ends where there is none.
        """
        slots, quotas = self.model.slots, self._quotas
        left, anyone = sum(quotas), True
        while anyone or left:
            if not anyone:
                left = 0  # what is left of it belongs to slots that are done
            anyone = False
            for i, slot in enumerate(slots):
                if slot.done or slot.worker is None or (left and not quotas[i]):
                    continue
                if left:
                    left -= 1
                    quotas[i] -= 1
                anyone = True
                cached = self._redirects[i]
                yield cached[1] if cached and cached[0] == slot.worker else self._redirect(i)

    # -- messages --------------------------------------------------------------------------

    def receive(self, node: Node, call: m.Leave | m.Brought | m.Vote | Message) -> None:
        """A call, other than an arrival, of somebody who has a place here."""
        if isinstance(call, m.Leave):
            self.lose(node)
        elif isinstance(call, m.Brought):
            self._brought(node, call)
        elif isinstance(call, m.Vote):
            self._count(node, call)
        elif isinstance(call, m.Moved) and (
            call.place.session == self.session and call.place.address == self.place.address
        ):
            pass  # meant for an earlier incarnation of this one here
        elif node in self.members or node == self.opener:
            self.order(call)

    def _brought(self, node: Node, brought: m.Brought) -> None:
        if node == self._mender and node in self.members:
            self._mend(Computation.restore(brought.snapshot))
        elif node in self.bringing:
            link, arrival = self.bringing.pop(node)
            if not self.model.moved:  # else it brings that there
                self.order(m.Restored(brought.snapshot))
            if node not in self.members:
                self.arrive(link, arrival)

    def order(self, message: Message) -> None:
        """Give `message` its place and time, apply it here, send it out."""
        if self.closed:
            return
        model, carrier = self.model, self.carrier
        now = carrier.now
        commands = model.apply(now, message)
        if self.host.store is not None:
            self.host.store.append(model, now, message)
        if not self._leaf:
            self._hand_over(message, commands)
        carrier.broadcast(self, message, commands)
        if carrier.vote_every:
            self._open_ballot(now, message)
        if model.moved or model.ended:
            self._over()
        elif not self._leaf:
            self._passing = self.early is None and model.free <= len(model.idle)
        elif self.spares:
            while self.spares and (model.free > len(model.idle) or not self.members):
                self._call_spare()
        if model.idle and not self.alarm:
            self._watch()

    def _hand_over(self, message: Message, commands: list[tuple[Node, Command]]) -> None:
        """Give what this host keeps of child sessions to who leads them now; forget the rest."""
        host, model, people = self.host, self.model, self.model.people
        if host.kept and isinstance(message, m.Finished | m.Restored):
            for slot in message.slots if isinstance(message, m.Finished) else model.outputs():
                host.forget(f"{self.session}-{slot}")
        for node, command in commands:
            if isinstance(command, m.Lead) and people[node].address not in (None, host.address):
                self._pass_on(node, f"{self.session}-{command.slot}")
        alone = isinstance(message, m.Left) and {p.address for p in people.values()}
        if alone == {host.address} and model.leader is not None:
            self._pass_on(model.leader, self.session)

    def _pass_on(self, node: Node, top: str) -> None:
        """Tell `node` what is known here of the session `top` and below, if anything is."""
        if self.host.kept or top in self.host.reflectors:
            for kept in self.host.known(top):
                self.carrier.reply(self.host, self.members[node], self.place, kept)

    def _over(self) -> None:
        """The team has gone elsewhere, or the computation is over: nobody is to wait here."""
        self._passing = False
        if self.model.moved:
            reply: Reply = m.Redirect(self.model.moved)
            self.members.clear()
        else:
            assert self.model.ended is not None
            reply = m.Stop(self.model.ended)
        self._dismiss_spares(reply)
        for link, _ in self.early or ():
            self.carrier.reply(self.host, link, self.place, reply)
        self.early = None

    def lose(self, node: Node) -> None:
        """`node` has gone from this session."""
        if node == self._mender:
            self._mender = NOBODY
        _, unbrought = self.bringing.pop(node, (None, None))
        if unbrought and unbrought.past:  # ask the next who has it
            self.known.pop(unbrought.past.epoch, None)
            for waiting in [*self.spares.values()]:
                self.arrive(*waiting)
        if self.early is not None:
            if node == self.opener:
                for link, _ in [*self.early, *self.bringing.values()]:
                    self.carrier.reply(self.host, link, self.place, m.Absent())
                self.early, self.opener = [], NOBODY
                self.bringing.clear()
            self.early = [entry for entry in self.early if entry[1].node != node]
        if not self.spares.pop(node, None) and self.members.pop(node, None) is not None:
            self.order(m.Left(node))

    def _call_spare(self) -> None:
        self._admit(*self.spares.pop(next(iter(self.spares))), ())

    def _dismiss_spares(self, reply: Reply) -> None:
        for link, _ in self.spares.values():
            self.carrier.reply(self.host, link, self.place, reply)
        self.spares.clear()

    def restore(self, model: Computation) -> None:
        """Begin with what another replica of this session knows."""
        self.known[model.epoch] = model.seq
        self.order(m.Restored(model.snapshot()))

    def learn(self, outputs: m.Outputs) -> None:
        """Take in what was kept of this session elsewhere."""
        known = Computation(self.model.shape)
        for i, (output, seconds) in outputs.items():
            known.slots[i] = Slot(output=output, done=True, seconds=seconds)
        if outputs.keys() - self.model.outputs():
            self.order(m.Restored(known.snapshot()))

    def close(self, opener: Node) -> None:
        """Send everybody to the session that `opener` opened in this one's place, right here."""
        again = m.Redirect(self.place)
        waiting = [*self.bringing.values(), *(self.early or ())]
        for node, link in [*self.members.items(), *((a.node, link) for link, a in waiting)]:
            if node != opener:
                self.carrier.reply(self.host, link, self.place, again)
        self.spares.pop(opener, None)
        self._dismiss_spares(again)
        self.closed = True

    # -- replicas that differ --------------------------------------------------------------

    def _open_ballot(self, now: float, message: Message) -> None:
        model = self.model
        self._log.append((model.seq, now, message))
        if model.seq % self.carrier.vote_every == 0:
            ballot = Ballot(self.carrier.voters(self))
            ballot.votes[HOST] = digests(model.snapshot())
            self.ballots[model.seq] = ballot
            if len(self.ballots) > BALLOTS_MAX:  # somebody left without a vote
                del self.ballots[next(iter(self.ballots))]

    def _count(self, node: Node, vote: m.Vote) -> None:
        ballot = self.ballots.get(vote.seq)
        if ballot is None or node not in self.members or vote.epoch != self.epoch:
            return
        ballot.votes[node] = vote.digests
        wrong = ballot.outvoted()
        for outvoted, fields in wrong.items():
            self.carrier.diverged(self, vote.seq, outvoted, fields)
            if outvoted in self.members:
                self.carrier.repair(self, self.members[outvoted], outvoted)
            elif outvoted == HOST:
                self._ask(n for n in self.members if n in ballot.votes and n not in wrong)
        if wrong:  # what these said elsewhere was said before the repair; others are yet to vote
            right = next(votes for node, votes in ballot.votes.items() if node not in wrong)
            ballot.votes |= dict.fromkeys(wrong, right)
            self.ballots = {vote.seq: ballot}
        elif ballot.complete and self._mender == NOBODY:  # else the log is yet needed
            self.ballots = {seq: b for seq, b in self.ballots.items() if seq > vote.seq}
            self._log = [entry for entry in self._log if entry[0] > vote.seq]

    def _ask(self, right: Iterator[Node]) -> None:
        """Have the first of those who are right bring its replica."""
        self._mender = next(right, NOBODY)  # with none left, the next ballot will tell
        if self._mender != NOBODY:
            self.carrier.reply(self.host, self.members[self._mender], self.place, m.Bring())

    def _mend(self, model: Computation) -> None:
        """Continue from a replica that was right, with all that was ordered since."""
        for seq, now, message in self._log:
            if seq > model.seq:
                model.apply(now, message)
        self.model, self._mender, self._turns = model, NOBODY, self._round_robin()
        self._passing = False
        self.ballots.clear()
        for node, link in self.members.items():  # who came since began with what was wrong
            self.carrier.repair(self, link, node)

    # -- lateness --------------------------------------------------------------------------

    def _watch(self) -> None:
        """Somebody is idle: see to it that late slots are noticed."""
        model = self.model
        if model.free or model.remaining in (0, len(model.slots)) or self.alarm:
            return
        if due := model.overdue():
            self.alarm = True
            self.carrier.call_later(max(0.0, due[0] - self.carrier.now), self._ring)

    def _ring(self) -> None:
        self.alarm = False
        model = self.model
        if self.closed or model.ended or model.free or not (model.idle or self.spares):
            return
        due = model.overdue()
        if due and due[0] <= self.carrier.now:
            if not model.idle:
                self._call_spare()
            self.order(m.Late())
        self._watch()
