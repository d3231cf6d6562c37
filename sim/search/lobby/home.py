"""What a lobby promises: everybody is at home, once, and nobody has more than so many connections.

After each message: one order, who is in a session is whom its model knows, each has one slot, only
who listens leads, no session lies deeper than it need. At the end, when nothing goes wrong any
more: all are at home exactly once or were turned away for want of room, and hosts know how many
are where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from core import Reflector
from core import messages as m
from core.lobby import Usher
from core.messages import Node
from core.sessions.digest import differing
from sim.faults.actions import Action
from sim.idle import IdleWorld
from sim.links.each import EachNetwork
from sim.record import connections
from sim.search.events import Events
from sim.search.invariants import (
    ACCUSED,
    AT_HOME,
    BOUNDED,
    COUNTED,
    EQUAL,
    MEMBERSHIP,
    ONE_ORDER,
    SOUND,
)
from sim.search.sound import Broken

SETTLE_FACTOR, SETTLE_SECONDS = 3.0, 30.0  # of the heartbeat limit, and besides: see `KEPT_SECONDS`
COUNT_SECONDS = 12.0  # a level, until the one above knows of a small change
ROOM_SECONDS = 800.0  # until all who were turned away have asked again
PROBES: Final = ("session opened anew", "slot kept", "turned away", "five levels", "moved")


def levels_max(nodes: int, fanout: int) -> int:
    """How deep a lobby of so many may become.

    As if in each session only half of all slots led further down, and two levels more, as hosts
    know of each other's counts only after a while.
    """
    levels, room, width = 1, fanout, fanout - fanout // 2
    while room < nodes:
        levels, room = levels + 1, room * width
    return levels + 2


class Home:
    """Watches a world. Raises Broken out of `IdleWorld.run`, and out of `settle`."""

    def __init__(self, world: IdleWorld, tell: Callable[[str], None] | None = None) -> None:
        self.world = world
        self.network = world.network
        self.events = Events(world.clock, tell)
        self.probes = dict.fromkeys(PROBES, 0)
        self._seqs: dict[Reflector, int] = {}
        self._corrupted: dict[str, None] = {}
        self._fanout = world.shape.fanout
        self._levels_max = levels_max(world.nodes, self._fanout)
        self.network.watch = self.ordered
        world.faults.links.watcher = self

    # -- what happens ----------------------------------------------------------------------

    def acted(self, action: Action, nodes: list[Node]) -> None:
        self.events.acted(action, nodes)

    def corrupted(self, reflector: Reflector) -> None:
        self._corrupted[reflector.session] = None

    def crashing(self, node: Node) -> None:
        pass

    def broke(self, one: Node, other: Node) -> None:
        pass

    def mended(self) -> None:
        pass

    # -- after each message ----------------------------------------------------------------

    def ordered(self, reflector: Reflector, message: m.Message) -> None:
        """A message was ordered, and applied to the host's own replica."""
        state, host = reflector.state, reflector.host
        node = getattr(message, "node", -1)
        seq = state.seq
        self.events.ordered(reflector, message, node)
        before = self._seqs.get(reflector, 0)
        self._need(seq == before + 1, ONE_ORDER, reflector, f"message {seq} came after {before}")
        self._seqs[reflector] = seq
        if self.network.hosts.get(host.address) is not host:
            return  # a timer of one who sleeps: nobody hears of it
        self._probe(reflector, message)
        if state.moved:
            return  # nobody is there any more
        people = [*state.people]
        here = [*reflector.members]
        self._need(here == people, MEMBERSHIP, reflector, f"{here} are here, not {people}")
        for wrong in self.world.record.divergences:
            known = wrong.session in self._corrupted
            self._need(known, EQUAL, reflector, f"{wrong} was never corrupted")
        offences = self.world.record.offences
        self._need(not offences, ACCUSED, reflector, f"{offences} though all are honest")
        self._check_slots(reflector)
        self._check_bounds(reflector)

    def _probe(self, reflector: Reflector, message: m.Message) -> None:
        epoch, slots = reflector.state.epoch, reflector.model.slots
        self.probes["session opened anew"] += len(epoch) > 1 and epoch[-1] > 1
        self.probes["slot kept"] += bool(slots.kept)
        self.probes["five levels"] += len(reflector.place.route) >= 5
        self.probes["moved"] += type(message) is m.Moved

    def _check_slots(self, reflector: Reflector) -> None:
        state, slots = reflector.state, reflector.model.slots
        held = sorted(node for node in slots.worker if node is not None)
        people = sorted(node for node in state.people if node not in state.observers)
        self._need(held == people, SOUND, reflector, f"{held} have the slots, {people} are there")
        lower = self._fanout - self._fanout // 2
        for slot, node in enumerate(slots.worker):
            listens = node is not None and state.addresses[node] is not None
            self._need(
                listens == bool(slots.listens[slot]), SOUND, reflector, f"slot {slot}: {node}"
            )
            led = slots.led[slot] or slot < lower
            wrong = f"{node}, to whom nobody can connect, has slot {slot}"
            self._need(node is None or listens or not led, SOUND, reflector, wrong)
        leader = state.leader
        able = leader is None or state.addresses[leader] is not None
        self._need(able, SOUND, reflector, f"{leader} leads, to whom nobody can connect")
        route = reflector.place.route
        led_below = [
            a for a in route if not self.world.blueprint.listens(a) and a != self.network.submitter
        ]
        self._need(not led_below, SOUND, reflector, f"it is below {led_below}, who do not listen")

    def _check_bounds(self, reflector: Reflector) -> None:
        levels, others = len(reflector.place.route), len(connections(reflector.host))
        deep = f"it is on level {levels}, and {self._levels_max} are enough"
        self._need(levels <= self._levels_max, BOUNDED, reflector, deep)
        many = f"node {reflector.host.address} is connected to {others} others"
        self._need(others <= self._fanout * self._levels_max, BOUNDED, reflector, many)

    def _need(self, good: bool, invariant: str, reflector: Reflector, what: str) -> None:
        if not good:
            place = f"{reflector.session} on {reflector.host.address}"
            raise Broken(invariant, f"{place}: {what}", reflector.session, reflector.host.address)

    # -- when nothing goes wrong any more --------------------------------------------------

    def settle(self) -> None:
        """Run until all is as it is to be, for a bounded time. Raises Broken where it is not."""
        world, network = self.world, self.network
        if not network.alive[network.submitter]:
            return
        self._wait(self._homeless, AT_HOME, SETTLE_FACTOR * world.heartbeat + SETTLE_SECONDS)
        self._wait(self._miscounted, COUNTED, COUNT_SECONDS * self._levels_max)
        if any(map(world.is_turned_away, self._there())):
            self.probes["turned away"] += 1
            self._wait(self._refused, COUNTED, ROOM_SECONDS)
        self._wait(self._homeless, AT_HOME, 10.0)
        self._wait(self._differing, EQUAL, 10.0)

    def _wait(self, wrong: Callable[[], str], invariant: str, seconds: float) -> None:
        world = self.world
        limit = world.now + seconds
        while what := wrong():
            if world.now >= limit:
                raise Broken(invariant, what)
            world.clock.stopped = False
            world.run(until=min(limit, world.now + max(1.0, seconds / 40)))

    def _there(self) -> Iterator[Node]:
        """Who is there, but the root's own node."""
        alive, submitter = self.network.alive, self.network.submitter
        return (node for node, yes in enumerate(alive) if yes and node != submitter)

    def _current(self) -> dict[str, Reflector]:
        """The sessions to which those who are in charge lead, from the root down."""
        found = dict[str, Reflector]()
        left: list[tuple[Any, str]] = [(self.network.submitter, "0")]
        while left:
            address, name = left.pop()
            host = self.network.hosts.get(address)
            reflector = host.reflectors.get(name) if host is not None else None
            if reflector is None or not reflector.live:
                continue
            found[name], slots = reflector, reflector.model.slots
            for slot, node in enumerate(slots.worker):
                if node is not None and slots.led[slot]:
                    address = reflector.state.addresses[node]
                    left.append((address, f"{name}-{slot}"))
        return found

    def _homeless(self) -> str:
        """Who is not at home exactly once, though it was not turned away; "": nobody."""
        current, seats = self._current(), dict[Node, list[str]]()
        if self.world.record.arrived < self.world.nodes:
            return f"only {self.world.record.arrived} have arrived"
        for name, reflector in current.items():
            for node in reflector.model.slots.worker:
                if node is not None:
                    seats.setdefault(node, []).append(name)
        for node in self._there():
            if self.world.is_turned_away(node) and node not in seats:
                if self.world.blueprint.listens(node):
                    return f"node {node} was turned away, though it listens"
                continue
            chain = self.network.chain(node)
            where = [(view.place.session, view.place.address, view.state.name) for view in chain]
            names = [view.place.session for view in chain]
            if not self._is_home(node, chain, current) or sorted(names) != sorted(
                seats.get(node, [])
            ):
                return f"node {node} has {where}, and slots in {seats.get(node, [])}"
        gone = [node for node in seats if not self.network.alive[node]]
        return f"{gone} are gone, and have slots" if gone else ""

    def _is_home(self, node: Node, chain: list[Any], current: dict[str, Reflector]) -> bool:
        below = None
        for view in reversed(chain):
            reflector = current.get(view.place.session)
            if reflector is None or not view.takes_part or not view.at(reflector.place):
                return False
            slot = reflector.model.slots.slot_of(node)
            if slot is None or below not in (None, f"{view.place.session}-{slot}"):
                return False
            below = view.place.session
        return bool(chain)

    def _miscounted(self) -> str:
        """Of which session a host does not know how many are at home there and below."""
        current = self._current()
        known = {name: _usher(reflector) for name, reflector in current.items()}
        for name, reflector in sorted(current.items(), key=lambda entry: -len(entry[0])):
            slots, total = reflector.model.slots, 0
            for slot, node in enumerate(slots.worker):
                below = known.get(f"{name}-{slot}")
                total += (node is not None) if below is None else below.nodes()
            if (told := known[name].nodes()) != total:
                return f"{name} counts {told} nodes, and there are {total}"
        return ""

    def _refused(self) -> str:
        """Who was turned away though there is room for it."""
        away = [node for node in self._there() if self.world.is_turned_away(node)]
        spaces = _usher(self._current()["0"]).spaces()
        return f"{away} were turned away, and there is room for {spaces}" if away and spaces else ""

    def _differing(self) -> str:
        """Of whom the replica is another one than the host's, with nothing on its way any more."""
        if not isinstance(network := self.network, EachNetwork):
            return ""
        for name, reflector in self._current().items():
            for node in reflector.members if name not in self._corrupted else ():
                own, its = reflector.state, network.replicas[reflector, node].state
                if fields := differing(own.snapshot(), its.snapshot()):
                    return f"the replica of {node} in {name} differs in {fields}"
        return ""


def _usher(reflector: Reflector) -> Usher:
    guide = reflector.admission.guide
    assert isinstance(guide, Usher)
    return guide
