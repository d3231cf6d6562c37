"""The connections of a network that fails: what becomes of each message in flight.

Two nodes have one connection, which keeps its order and breaks as a whole, as on TCP:
- A message that is dropped takes its connection with it, and all that is on it either way: a
  stream with a gap is a broken stream.
- What comes to a partition waits there. If it heals within the heartbeat limit the messages go
  on; if not, the connection breaks and they are lost.
- Each end notices in its own time that a connection broke; until then it sends into nothing.
  Whoever hears from the other on a new connection knows by that.
- A process that ends closes its connections, unless it does so silently. What was sent before
  arrives; what is sent to it after reaches nobody, nor whoever begins there later.
"""

from __future__ import annotations

from random import Random
from typing import Any, Protocol

import attrs

from core import Host, Reflector, Replica
from core.messages import Finished, Message, Node
from sim.clock import Entry, Function
from sim.faults.actions import Action
from sim.links.lines import Lines
from sim.links.network import NEVER, Network, connected

LATE_COPY_SECONDS = 1.0  # a publication that comes again does so within this

Pair = tuple[Node, Node]  # from, to


class Watcher(Protocol):
    """Whoever wants to know what goes wrong."""

    def acted(self, action: Action, concerned: list[Node]) -> None:
        """An action was done."""

    def crashing(self, node: Node) -> None:
        """A process is about to end."""

    def broke(self, one: Node, other: Node) -> None:
        """The connection of two breaks, one of whom at least lives."""

    def corrupted(self, reflector: Reflector) -> None:
        """A replica in that session, or its host's own, is wrong from now on."""

    def mended(self) -> None:
        """Two hear from each other again, before either gave up."""


@attrs.frozen
class Fate:
    """What becomes of one message: it arrives after so many ticks, once, twice or not at all."""

    ticks: int
    copies: int = 1
    copy_late_ticks: int = 0


@attrs.frozen
class Cut:
    """Nothing passes from one group of nodes to another (None: to all outside the first)."""

    nodes: frozenset[Node]
    others: frozenset[Node] | None
    one_way: bool

    def blocks(self, sender: Node, receiver: Node) -> bool:
        return self._between(sender, receiver) or (
            not self.one_way and self._between(receiver, sender)
        )

    def _between(self, one: Node, other: Node) -> bool:
        if self.others is None:
            return one in self.nodes and other not in self.nodes
        return one in self.nodes and other in self.others


class FailingLines(Lines):
    """The connections of one network, which put themselves in front of the lines that hold."""

    def __init__(self, network: Network, random: Random, heartbeat_seconds: float) -> None:
        self.usual = network.lines
        super().__init__(network.clock, self.usual.longest_ticks)
        self.network = network
        self.watcher: Watcher | None = None
        self.drop = self.duplicate = self.hold = 0.0  # with what probability
        self.hold_ticks = 0
        self.slow = network.work.slow  # nodes
        self.slow_links: dict[Pair, float] = {}  # the lower number first
        self.cuts: dict[int, Cut] = {}
        self.missed: dict[Node, list[Node]] = {}  # who is down silently: its connections
        self._random = random
        self._heartbeat_ticks = self.clock.ticks(heartbeat_seconds)
        self._cut_number = 0
        self._lives: dict[Node, int] = {}  # how often each has ended and begun
        self._breaks: dict[Pair, int] = {}
        self._last: dict[Pair, int] = {}  # the tick at which the last message sent arrives
        self._waiting: dict[Pair, list[tuple[Any, Entry]]] = {}  # at a partition
        self._asleep: dict[Node, list[Entry]] = {}  # what those who are down say to themselves
        self._silent: dict[Pair, int] = {}  # since which tick
        self._unnoticed: dict[Pair, None] = {}  # by the first, that the other has gone
        self._closing: dict[Pair, int] = {}  # the same; a closing is on its way, the last of these
        self._closings = 0
        network.lines = self

    @property
    def active(self) -> bool:
        """Whether there is anything to heal."""
        rates = self.drop + self.duplicate + self.hold
        return bool(self.cuts or self.slow or self.slow_links or rates)

    # -- the fate of each message ----------------------------------------------------------

    def ticks(self, one: Node, other: Node) -> int:
        return self.usual.ticks(one, other)

    def fate(self, sender: Node, receiver: Node, entry: Entry) -> Fate:
        """What becomes of a message that is sent now."""
        usual = ticks = self.usual.ticks(sender, receiver)
        if self.slow or self.slow_links:
            link = self.slow_links.get((min(sender, receiver), max(sender, receiver)), 1.0)
            ends = max(self.slow.get(sender, 1.0), self.slow.get(receiver, 1.0))
            ticks = round(ticks * link * ends)
        if self._happens(self.hold):
            ticks += self.hold_ticks
        if self._happens(self.drop) or ticks - usual > self._heartbeat_ticks:
            return Fate(ticks, copies=0)  # what is so late cannot be told from silence
        published = entry[0] is self.network.receive and isinstance(entry[3], Message)
        if not published or not self._happens(self.duplicate):
            return Fate(ticks)  # a connection itself doubles nothing
        late = self._random.random() * LATE_COPY_SECONDS if type(entry[3]) is Finished else 0.0
        return Fate(ticks, copies=2, copy_late_ticks=self.clock.ticks(late))

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._random.random() < probability

    def carry(self, sender: Node, receiver: Node, action: Function, a: Any, b: Any, c: Any) -> int:
        """Send it; returns the tick at which it arrives: NEVER, or now, if it does not."""
        network, now, pair = self.network, self.clock.tick, (sender, receiver)
        entry: Entry = (action, a, b, c)
        closing = action == network.lose
        if not network.alive[sender] and not closing:
            if sender == receiver:
                self._asleep.setdefault(sender, []).append(entry)
            return now
        if sender == receiver:
            return self.usual.carry(sender, receiver, *entry)
        if closing and not network.alive[receiver]:
            return NEVER
        if closing:
            entry, fate = self._closed(sender, receiver), Fate(self.usual.ticks(*pair))
        elif pair in self._unnoticed or pair in self._closing:
            return now
        else:
            fate = self.fate(sender, receiver, entry)
        if not fate.copies:
            self.cut(sender, receiver)
            return now
        self._last[pair] = due = max(now + fate.ticks, self._last.get(pair, 0))
        arriving = (self._arrive, pair, self._token(pair), entry)
        self.clock.put(due, arriving)
        if fate.copies > 1:
            self.clock.put(due + fate.copy_late_ticks, arriving)
        return due

    def _closed(self, end: Node, far: Node) -> Entry:
        """What tells `far` that `end` has closed their connection; it is on its way from now on."""
        self._closings += 1
        self._closing[far, end] = self._closings
        return self._hear_closing, far, end, self._closings

    def _token(self, pair: Pair) -> tuple[int, int]:
        """Of the connection and the process to which a message is sent."""
        return self._breaks.get(pair, 0), self._lives.get(pair[1], 0)

    def _arrive(self, pair: Pair, token: tuple[int, int], entry: Entry) -> None:
        sender, receiver = pair
        network = self.network
        if token != self._token(pair):
            if token[0] == self._breaks.get(pair, 0):  # it was for a process that is no more
                self.cut(sender, receiver)
            return
        if self._blocked(sender, receiver):
            self._waiting.setdefault(pair, []).append((token, entry))
            self._fall_silent(pair)
        elif network.alive[receiver]:
            if (receiver, sender) in self._unnoticed:
                self._notice(receiver, sender)
            if (receiver, sender) in self._unnoticed:  # it has yet to handle what came before
                due = network.queued(receiver)
                self.clock.put(due, (self._arrive, pair, token, entry))
                if entry[0] == self._hear_closing:
                    self.clock.count_timer(due)  # it is no message
            else:
                entry[0](*entry[1:])
        elif receiver in self.missed:
            self._fall_silent(pair)
        elif entry[0] is network.receive:  # nobody there
            network.handle(*entry[1:])

    def _blocked(self, sender: Node, receiver: Node) -> bool:
        return any(cut.blocks(sender, receiver) for cut in self.cuts.values())

    # -- connections that break ------------------------------------------------------------

    def _fall_silent(self, pair: Pair) -> None:
        """Nothing is heard on a connection: it has the heartbeat limit left."""
        pair = min(pair), max(pair)
        if pair not in self._silent:
            self._silent[pair] = now = self.clock.tick
            self.clock.at(now + self._heartbeat_ticks, (self._give_up, pair, now, None))

    def _give_up(self, pair: Pair, since: int, _: None) -> None:
        if self._silent.get(pair) == since:
            self.cut(*pair)

    def _unreachable(self, pair: Pair) -> bool:
        one, other = pair
        gone = one in self.missed or other in self.missed
        return gone or self._blocked(one, other) or self._blocked(other, one)

    def cut(self, one: Node, other: Node) -> None:
        """The connection of the two breaks; each end notices in its own time."""
        self._silent.pop((min(one, other), max(one, other)), None)
        if self.watcher is not None:
            self.watcher.broke(one, other)
        for end, far in ((one, other), (other, one)):
            self._breaks[end, far] = self._breaks.get((end, far), 0) + 1
            self._waiting.pop((end, far), None)
            self._closing.pop((end, far), None)
            self._last.pop((end, far), None)
            if self.network.alive[end]:
                self._remember(end, far)
                self._unnoticed[end, far] = None
                late = self._random.random() * self._heartbeat_ticks / 4
                self.clock.at(self.clock.tick + 1 + int(late), (self._notice, end, far, None))

    def _hear_closing(self, end: Node, far: Node, closing: int) -> None:
        if (end, far) in self._closing:
            if self._closing[end, far] == closing:  # else it came back and closes again
                del self._closing[end, far]
            self._unnoticed[end, far] = None
            self._notice(end, far)

    def _notice(self, end: Node, far: Node, _: None = None) -> None:
        """`end` notices that its connection broke, when it has handled what came before."""
        due = self.network.queued(end)
        if due >= self.clock.tick:
            self.clock.at(due, (self._noticed, end, far, None))
        else:
            self._noticed(end, far)

    def _noticed(self, end: Node, far: Node, _: None = None) -> None:
        if (end, far) in self._unnoticed:
            del self._unnoticed[end, far]
            self.network.notice(end, far)

    def _remember(self, end: Node, far: Node) -> None:
        """Of replicas that were shared with `far`, `end` keeps a copy of its own."""
        for view in self.network.chain(end):
            if type(view.seat) is Reflector and view.seat.host.address == far:
                seal = view.seat.seal_of(end)
                view.seat = Replica(view.seat.state.copy(), view.seat.place, seal)

    # -- partitions ------------------------------------------------------------------------

    def part(self, cut: Cut) -> int:
        self._cut_number += 1
        self.cuts[self._cut_number] = cut
        for node in sorted(cut.nodes):
            for peer in self.network.peers(node) if self.network.alive[node] else ():
                if cut.blocks(node, peer) or cut.blocks(peer, node):
                    self._fall_silent((node, peer))
        return self._cut_number

    def mend(self, numbers: list[int]) -> None:
        """Those partitions are over: what waited there goes on."""
        for number in numbers:
            self.cuts.pop(number, None)
        for pair in list(self._silent):
            if not self._unreachable(pair):
                del self._silent[pair]
                if self.watcher is not None:
                    self.watcher.mended()
        for pair in list(self._waiting):
            if not self._blocked(*pair):
                for token, entry in self._waiting.pop(pair, ()):
                    self._arrive(pair, token, entry)

    def heal(self) -> None:
        """All is as it was, but who is down."""
        self.mend(list(self.cuts))
        self.slow.clear()
        self.slow_links.clear()
        self.drop = self.duplicate = self.hold = 0.0

    # -- processes that end and begin ------------------------------------------------------

    def close(self, node: Node, silently: bool) -> None:
        """The process of `node` ends; others see it at once, or only miss it."""
        network = self.network
        if silently:
            self.missed[node] = network.peers(node)
            network.alive[node] = 0
            for peer in self.missed[node]:
                self._fall_silent((node, peer))
        else:
            network.part(node)
        self.ended(node)

    def ended(self, node: Node) -> None:
        """The process of `node` has ended, and its connections are nobody's any more."""
        for pairs in (self._unnoticed, self._closing):
            for pair in [pair for pair in pairs if pair[0] == node]:
                del pairs[pair]
        self._lives[node] = self._lives.get(node, 0) + 1

    def begin(self, node: Node) -> None:
        """A process begins where one had ended: whoever has not missed that yet is refused now."""
        self._lives[node] += 1
        for peer in self.missed.pop(node, ()):
            self.cut(node, peer)
        for pair in [pair for pair in self._silent if node in pair]:
            self.cut(*pair)

    def wake(self, node: Node, hosts: list[Host]) -> None:
        """The process that ended goes on with all it knew, but without its connections."""
        network = self.network
        network.alive[node] = 1
        for entry in self._asleep.pop(node, ()):
            self.usual.carry(node, node, *entry)
        network.attach(hosts)
        for host in hosts:
            for link in connected(host):
                if link.node != node:
                    self._remember(link.node, node)
        peers = network.peers(node)
        self._unnoticed |= dict.fromkeys((node, peer) for peer in peers)
        for peer in peers:
            self._remember(node, peer)
            self._notice(node, peer)

    def forget(self, node: Node) -> None:
        """The process that ended knows nothing any more."""
        self._asleep.pop(node, None)
