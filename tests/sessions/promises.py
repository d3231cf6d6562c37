"""What a session promises, watched while a world counts. Raises Broken out of `World.run`."""

from __future__ import annotations

from collections.abc import Iterator

from core import Reflector
from core.messages import Joined, Message, Node
from core.sessions.digest import differing
from core.sessions.states import GONE
from sim.faults.actions import SUBMITTER, Action
from sim.links.each import EachNetwork
from sim.search.check import LOOK_SECONDS, NOTICE_FACTOR, NOTICE_SECONDS
from tests.sessions.counter import Counting
from tests.sessions.world import Counters


class Broken(Exception):
    """A promise was not kept."""


class Promises:
    """Watches a world from its beginning on."""

    def __init__(self, world: Counters) -> None:
        self.world = world
        self.network = world.network
        self._seqs: dict[Reflector, int] = {}
        self._corrupted: dict[str, None] = {}
        self._since: dict[str, float] = {}
        self.network.watch = self.ordered
        world.faults.links.watcher = self
        self._look(None, None, None)

    # -- after each message ----------------------------------------------------------------

    def ordered(self, reflector: Reflector, message: Message) -> None:
        """A message was ordered, and applied to the host's own replica."""
        state, before = reflector.state, self._seqs.get(reflector, 0)
        self._need(state.seq == before + 1, reflector, f"{state.seq} came after {before}")
        self._seqs[reflector] = state.seq
        host = reflector.host
        if self.network.hosts.get(host.address) is not host or state.moved:
            return  # a timer of one who sleeps, or the last message here: nobody hears of more
        people = [*state.people]
        here = [*reflector.members]
        self._need(here == people, reflector, f"{here} are here, but the state has {people}")
        first = next(iter(people), None)
        self._need(state.leader == first, reflector, f"{state.leader} leads, not {first}")
        for wrong in self.world.record.divergences:
            self._need(wrong.session in self._corrupted, reflector, f"{wrong} was never corrupted")
        offences = self.world.record.offences
        self._need(not offences, reflector, f"{offences} though all are honest")
        if type(message) is Joined and self.network.alive[message.node]:
            self._check_transfer(reflector, message.node)

    def _check_transfer(self, reflector: Reflector, node: Node) -> None:
        """Who is seated has brought what it heard before, or somebody else is to bring it."""
        known, waits = reflector.model.counts.get(node, 0), reflector.recovery.transferring
        if waits or reflector.model.children or self.current(reflector.session) is not reflector:
            return
        if reflector.key and not self.world.key:
            return  # a session from before the submitter lost its store: it knows nobody by a seal
        for view in self.network.chain(node):
            session, count = self._acknowledged(view)
            if session == reflector.session and view.at(reflector.place):
                self._need(known >= count, reflector, f"{node} counted to {count}, not {known}")

    def _need(self, good: bool, reflector: Reflector, what: str) -> None:
        if not good:
            host, epoch = reflector.host.address, reflector.state.epoch
            raise Broken(f"{reflector.session} on {host}, {epoch}, {reflector.state.seq}: {what}")

    # -- of whom the faults tell -----------------------------------------------------------

    def corrupted(self, reflector: Reflector) -> None:
        self._corrupted[reflector.session] = None

    def acted(self, action: Action, concerned: list[Node]) -> None:
        pass

    def crashing(self, node: Node) -> None:
        pass

    def broke(self, one: Node, other: Node) -> None:
        pass

    def mended(self) -> None:
        pass

    # -- what may be wrong for a while, until somebody notices -----------------------------

    def _look(self, _a: None, _b: None, _c: None) -> None:
        clock = self.world.clock
        wrong = [*self._missing(), *([] if self.world.faults.links.active else self._forgotten())]
        self._since = {what: self._since.get(what, clock.now) for what in wrong}
        limit = NOTICE_FACTOR * self.world.heartbeat + NOTICE_SECONDS
        for what, since in self._since.items():
            if clock.now - since > limit:
                raise Broken(f"{what}, since {since:.3f} s")
        clock.at(clock.tick + clock.ticks(LOOK_SECONDS), (self._look, None, None, None))

    def _missing(self) -> Iterator[str]:
        """Who is in a state and has no seat there, and the other way round."""
        for reflector in self.reflectors():
            for node in reflector.members:
                views = self.network.chain(node) if self.network.alive[node] else []
                if not any(view.takes_part and view.at(reflector.place) for view in views):
                    yield f"{node} has no seat in {reflector.place}"
        for view in self.views():
            host = self.network.hosts.get(view.place.address)
            reflector = host.reflectors.get(view.place.session) if host else None
            if view.takes_part and not (reflector and view.node in reflector.members):
                yield f"{view.node} has a seat in {view.place} that nobody knows of"

    def _forgotten(self) -> Iterator[str]:
        """What one who lives heard that it counted to, in the session in which it is."""
        for view in self.views():
            session, count = self._acknowledged(view)
            current = self.current(session) if count else None
            if current and current.live and current.model.counts.get(view.node, 0) < count:
                yield f"{view.node} counted to {count} in {session}, and {current.place} forgot it"

    def _acknowledged(self, view: Counting) -> tuple[str, int]:
        """In which session it is, or to which it returns, and how far it heard that it counted."""
        session, count = self.network.port.acknowledged.get(view, ("", 0))
        return (session, count) if view.seat and view.place.session == session else ("", 0)

    # -- what there is ---------------------------------------------------------------------

    def reflectors(self) -> Iterator[Reflector]:
        for host in self.network.hosts.values():
            yield from (r for r in host.reflectors.values() if r.live)

    def views(self) -> Iterator[Counting]:
        for node, alive in enumerate(self.network.alive):
            chain = self.network.chain(node) if alive else []
            yield from (view for view in chain if view.state is not GONE)

    def current(self, session: str) -> Reflector | None:
        """The incarnation to which those who are in charge lead, from the root down."""
        address, name = SUBMITTER, "0"
        for child in [*map(int, session.split("-")[1:]), None]:
            host = self.network.hosts.get(address)
            reflector = host.reflectors.get(name) if host else None
            if reflector is None or child is None:
                return reflector
            holder = reflector.state.model.room.holder(child)
            if holder is None or not reflector.live:
                return None
            address = reflector.state.addresses[holder]
            address, name = (
                reflector.host.address if address is None else address,
                f"{name}-{child}",
            )
        return None

    # -- when nothing goes wrong any more --------------------------------------------------

    def unsettled(self) -> str:
        """What is not yet as it is to be: everyone has counted to the goal, and all know."""
        network, goal = self.network, self.network.port.goal
        for node in range(1, self.world.nodes + 1):
            if network.alive[node] and (count := self.count(node)) != goal:
                return f"node {node} is to count to {goal}, but has {count}"
        current = [r for r in self.reflectors() if self.current(r.session) is r]
        root, leaves = self.current("0"), [r for r in current if not r.model.children]
        total = sum(leaf.model.value for leaf in leaves)
        if root is None or root.model.value < total:
            return f"the root does not know of all of {total}"
        for reflector in current if isinstance(network, EachNetwork) else ():
            for node in reflector.members:
                own, its = reflector.state, network.replicas[reflector, node].state
                if fields := differing(own.snapshot(), its.snapshot()):
                    return f"the replica of {node} in {own.name} differs in {fields}"
        return ""

    def count(self, node: Node) -> int:
        """How far it counted in the session in which it does so now; -1: in none."""
        view = self.network.chain(node)[-1]
        current = self.current(view.place.session)
        if not current or not view.takes_part or not view.at(current.place):
            return -1
        return -1 if current.model.children else current.model.counts.get(node, 0)
