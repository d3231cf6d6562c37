"""What must hold of a world, checked after every ordered message and now and then in between.

The invariants are those that the README promises. What may be wrong for a while, because somebody
has not noticed yet, is wrong only if it stays so for longer than it takes to notice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import attrs

from core import Computation, Reflector
from core import messages as m
from core.messages import Node
from core.worker import GONE, SEATED, Worker
from sim import script
from sim.actions import Action, Fault
from sim.record import connections
from sim.search.probes import Probes
from sim.world import World

EVENTS_KEPT = 400  # before a violation
LOOK_SECONDS = 0.5  # at what may be wrong for a while
NOTICE_FACTOR = 3.0  # of the heartbeat limit: both ends notice, and come back
NOTICE_SECONDS = 12.0  # besides: for retries, and for an opening that never comes


class Broken(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, detail: str, session: str = "", node: Node = -1) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant
        self.detail = detail
        self.session = session
        self.node = node


@attrs.frozen
class Event:
    at: float
    session: str
    text: Callable[[], str]
    nodes: tuple[Node, ...]


class Checker:
    """Watches a world. Raises Broken out of `World.run`."""

    def __init__(self, world: World, tell: Callable[[str], None] | None = None) -> None:
        self.world = world
        self.network = world.network
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.probes = Probes(world)
        self.patience_seconds = NOTICE_SECONDS
        self._tell = tell
        self._seqs: dict[Reflector, int] = {}
        self._done: dict[Reflector, list[bool]] = {}
        self._wrong_since: dict[tuple[str, str, Node], float] = {}
        self._spans: dict[str, list[tuple[int, int]]] = {}
        self.network.watch = self.ordered
        self.crashing, self.broke = self.probes.crashing, self.probes.broke
        self.mended = self.probes.mended
        world.faults.watcher = self
        self._look(None, None, None)

    # -- what happens ----------------------------------------------------------------------

    def _note(self, session: str, text: Callable[[], str], *nodes: Node) -> None:
        event = Event(self.world.clock.now, session, text, nodes)
        self.events.append(event)
        if self._tell is not None:
            self._tell(line(event))

    def acted(self, action: Action, nodes: list[Node]) -> None:
        """A fault."""
        named = ", ".join(map(str, nodes)) or "nobody"
        self._note("", lambda: f"{script.line(Fault(0, action))[5:]}: {named}", *nodes)
        self.probes.acted(action, nodes)

    def ordered(self, reflector: Reflector, message: m.Message) -> None:
        """A message was ordered, and applied to the host's own replica."""
        model, host = reflector.model, reflector.host.address
        node = getattr(message, "node", -1)
        seq, epoch = model.seq, model.epoch
        self._note(
            reflector.session, lambda: f"host {host} epoch {epoch} #{seq} {message}", host, node
        )
        if self._seqs.setdefault(reflector, seq - 1) != seq - 1:
            raise Broken(
                "one order",
                f"message {seq} came after {self._seqs[reflector]}",
                reflector.session,
                node,
            )
        self._seqs[reflector] = seq
        if not reflector.closed:
            self.probes.ordered(reflector, message)
        self._check_outputs(reflector)
        if model.moved:
            return  # nobody is there any more
        check_model(model)
        if reflector.members.keys() != model.people.keys():
            raise Broken(
                "membership",
                f"members {list(reflector.members)}, but the model has {list(model.people)}",
                reflector.session,
                node,
            )
        self._check_connections(reflector)
        if self.world.record.divergences and not self.probes.corrupted:
            divergence = self.world.record.divergences[0]
            raise Broken(
                "replicas are equal",
                f"message {divergence.seq}: the replica of "
                f"{divergence.node} differs in {', '.join(divergence.fields)}",
                divergence.session,
                divergence.node,
            )

    # -- invariants ------------------------------------------------------------------------

    def _check_outputs(self, reflector: Reflector) -> None:
        """Every output is the right one; what is done stays done."""
        model, session = reflector.model, reflector.session
        spans = self._spans.get(session)
        if spans is None:
            spans = self._spans[session] = list(_spans(model))
        done = self._done.setdefault(reflector, [False] * len(spans))
        for i, slot in enumerate(model.slots):
            if slot.done and not done[i]:
                done[i] = True
                first, size = spans[i]
                if slot.output != list(range(first, first + size)):
                    raise Broken(
                        "outputs are right",
                        f"slot {i} has {slot.output!r:.80}, not the "
                        f"partitions from {first} to {first + size - 1}",
                        session,
                    )
            elif done[i] and not slot.done:
                raise Broken("accepted once", f"slot {i} was done and is not any more", session)

    def _check_connections(self, reflector: Reflector) -> None:
        """Nobody is connected to more than fanout x levels others, and as many spares."""
        shape = self.world.shape
        if self.world.listening < 1 or self.probes.two_leaders:
            return  # sessions stay on the parent's host; an older leader's people are sent over
        others = len(connections(reflector.host))
        if others > 2 * shape.fanout * shape.levels:
            raise Broken(
                "connections are bounded",
                f"node {reflector.host.address} is connected "
                f"to {others} others, with fanout {shape.fanout} and {shape.levels} "
                "levels",
                reflector.session,
                reflector.host.address,
            )

    def _look(self, _a: None, _b: None, _c: None) -> None:
        """At what may be wrong for a while."""
        clock = self.world.clock
        now = clock.now
        forgotten = () if self.world.faults.active else self._forgotten()
        wrong = dict.fromkeys([*self._missing(), *forgotten])
        self._wrong_since = {what: self._wrong_since.get(what, now) for what in wrong}
        limit = NOTICE_FACTOR * self.world.heartbeat + self.patience_seconds
        for (what, session, node), since in self._wrong_since.items():
            if now - since > limit:
                invariant, _, detail = what.partition(": ")
                raise Broken(invariant, f"{detail}, since {since:.3f} s", session, node)
        if not clock.stopped:
            due = clock.tick + clock.ticks(LOOK_SECONDS)
            clock.at(due, (self._look, None, None, None))

    def _missing(self) -> Iterator[tuple[str, str, Node]]:
        """People of models who are not there, and those who are there but in no model."""
        network = self.network
        for address, host in network.hosts.items():
            for reflector in host.reflectors.values():
                if reflector.closed or reflector.model.moved or reflector.model.ended:
                    continue
                for node in reflector.members:
                    if not self._has_seat(node, reflector):
                        yield (
                            f"membership: the model on node {address} has node {node}, who has "
                            "no seat there",
                            reflector.session,
                            node,
                        )
        for node in range(len(network.alive)):
            for view in network.chain(node) if network.alive[node] else ():
                if view.state is SEATED and not self._is_member(view):
                    yield (
                        f"membership: node {node} has a seat that no model knows",
                        view.place.session,
                        node,
                    )

    def _has_seat(self, node: Node, reflector: Reflector) -> bool:
        network = self.network
        return bool(network.alive[node]) and any(
            view.state is SEATED and view.at(reflector.place) for view in network.chain(node)
        )

    def _is_member(self, view: Worker) -> bool:
        host = self.network.hosts.get(view.place.address)
        reflector = None if host is None else host.reflectors.get(view.place.session)
        return reflector is not None and (
            view.node in reflector.members or bool(reflector.model.moved or reflector.model.ended)
        )

    def _forgotten(self) -> Iterator[tuple[str, str, Node]]:
        """Outputs that were acknowledged, and that a survivor's replica has, but not the newest."""
        network = self.network
        for node in range(len(network.alive)):
            for view in network.chain(node) if network.alive[node] else ():
                if view.seat is None or view.state is GONE:
                    continue
                session, model = view.place.session, view.seat.model
                newest = network.newest(session)
                if newest is None or newest.model is model or newest.model.moved:
                    continue
                if newest.model.ended or not self._wanted(newest):
                    continue
                for i, (mine, theirs) in enumerate(
                    zip(model.slots, newest.model.slots, strict=True)
                ):
                    if mine.done and not theirs.done:
                        yield (
                            f"nothing acknowledged is lost: slot {i} is done on node {node}, "
                            f"but not on {newest.host.address}, where the session is now",
                            session,
                            node,
                        )
                        break

    def _wanted(self, reflector: Reflector) -> bool:
        """Whether the session's output is still to come."""
        place = reflector.place
        while (up := place.parent()) is not None:
            parent = self.network.newest(up.session)
            if parent is None:
                return False
            if parent.model.moved or parent.model.slots[int(place.session.rpartition("-")[2])].done:
                return False
            place = up
        return True

    # -- the end ---------------------------------------------------------------------------

    def check_result(self, fails: int) -> None:
        """The outcome is that of the job run by one."""
        outcome, partitions = self.network.outcome, self.world.shape.partitions
        assert outcome is not None
        if fails < 0 and (outcome.failure or outcome.result != list(range(partitions))):
            raise Broken("the result is right", f"{outcome!r:.300}", "0")
        if fails >= 0 and (outcome.failure is None or outcome.failure.partition != fails):
            raise Broken("the result is right", f"partition {fails} fails, but {outcome!r:.300}")

    def check_released(self) -> None:
        """Everyone who is there has heard that it is over."""
        for node in range(1, len(self.network.alive)):
            chain = self.network.chain(node) if self.network.alive[node] else []
            for view in chain:
                raise Broken(
                    "everyone is released",
                    f"node {node} is {view.state.name} in "
                    f"{view.place.session} on {view.place.address}",
                    "",
                    node,
                )


def _spans(model: Computation) -> Iterator[tuple[int, int]]:
    first = model.shape.first
    for size in model.shape.sizes():
        yield first, size
        first += size


def check_model(model: Computation) -> None:
    """What holds of the model of a session after every message."""
    people, idle, session = model.people, model.idle, model.shape.session

    def need(good: bool, what: str) -> None:
        if not good:
            raise Broken("the model is sound", f"message {model.seq}: {what}", session)

    leader = next(iter(people), None)
    need(model.leader == leader, f"{model.leader} leads, and not the first, {leader}")
    open_slots = [slot for slot in model.slots if not slot.done]
    need(
        model.remaining == len(open_slots),
        f"{model.remaining} are counted as remaining, but {len(open_slots)} are",
    )
    free = sum([slot.worker is None for slot in open_slots])
    need(model.free == free, f"{model.free} are counted as free, but {free} are")
    held: dict[Node, None] = {}
    for slot in open_slots:
        worker, helper = slot.worker, slot.helper
        if worker is not None:
            need(worker in people, f"{worker} holds a slot and is not there")
            need(worker not in idle, f"{worker} holds a slot and is idle")
            need(model.shape.leaf or worker not in held, f"{worker} leads two child sessions")
            held[worker] = None
        if helper is not None:
            need(helper in people and helper not in idle, f"{helper} helps and is idle or gone")
            need(worker not in (None, helper), f"{helper} helps {worker}")
    for node in idle:
        need(node in people and not people[node].observes, f"{node} is idle and not there")
    if free and idle and not model.failure and (model.prepared or not model.shape.leaf):
        tried = [slot for slot in open_slots if slot.worker is None and not slot.failed]
        need(not tried, f"{list(idle)} are idle beside {len(tried)} free slots")


def line(event: Event) -> str:
    """An event as one line."""
    return f"{event.at:9.3f} s  {event.session:<8} {event.text()}"


def involved(events: deque[Event], broken: Broken, most: int = 40) -> tuple[str, ...]:
    """The last events of what was involved in a violation: its session, those above, its node."""
    session = broken.session

    def concerns(event: Event) -> bool:
        above = session == event.session or session.startswith(event.session + "-")
        return not event.session or above or broken.node in event.nodes

    chosen = [event for event in events if not session or concerns(event)]
    return tuple(line(event)[:240] for event in chosen[-most:])
