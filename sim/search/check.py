"""What must hold of a world, checked after every ordered message and now and then in between.

The invariants are those that the README promises. What may be wrong for a while, because somebody
has not noticed yet, is wrong only if it stays so for longer than it takes to notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from core import Computation, Reflector, Worker
from core import messages as m
from core.messages import Node
from sim.faults.actions import Action, Restart
from sim.record import connections
from sim.search.events import Events
from sim.search.failures import Failures
from sim.search.invariants import (
    ACCUSED,
    BOUNDED,
    EQUAL,
    MEMBERSHIP,
    NOTHING_LOST,
    ONCE,
    ONE_ORDER,
    OUTPUTS,
    RELEASED,
    SOUND,
)
from sim.search.lasting import Lasting
from sim.search.liar import Liar
from sim.search.probes import Probes
from sim.search.sound import Broken, check_sound, check_tried
from sim.search.taint import Taint
from sim.search.wrong import Wrong
from sim.world import ROOT, World

LOOK_SECONDS = 0.5  # at what may be wrong for a while; in slow worlds less often
LOOKS = 60  # in the time in which it must be right again
NOTICE_FACTOR = 3.0  # of the heartbeat limit: both ends notice, and come back
NOTICE_SECONDS = 12.0  # besides: for retries, and for an opening that never comes
NOTICE_HOPS = 30  # the same, as messages that take a while on the way
NOTICE_CALLS = 100  # the same, in the queue of a host


class Checker:
    """Watches a world. Raises Broken out of `World.run`."""

    def __init__(
        self,
        world: World,
        tell: Callable[[str], None] | None = None,
        liars: Sequence[Liar] = (),
    ) -> None:
        self.world = world
        self.network = world.network
        self.events = Events(world.clock, tell)
        self.probes = Probes(world)
        self.taint = Taint(liars)
        self.lasting = Lasting(world, self.taint)
        self.failures = Failures(world, self.taint)
        self._judged = 0  # offences so far
        self._seqs: dict[Reflector, int] = {}
        self._done: dict[Reflector, list[float | None]] = {}  # the seconds of each slot done
        self._stored: dict[str, m.Facts] = {}  # what the submitter's host knew as it crashed
        self._wrong_since: dict[Wrong, float] = {}
        self._notice_seconds = _notice_seconds(world)
        self._spans: dict[str, list[tuple[int, int]]] = {}
        self.network.watch = self.ordered
        self.broke, self.mended = self.probes.broke, self.probes.mended
        world.faults.links.watcher = self
        self._look(None, None, None)

    # -- what happens ----------------------------------------------------------------------

    def acted(self, action: Action, nodes: list[Node]) -> None:
        """A fault."""
        self.events.acted(action, nodes)
        self.probes.acted(action, nodes)
        self.failures.acted(action, nodes)
        if isinstance(action, Restart) and action.memory and self.network.submitter in nodes:
            self._check_stored()

    def corrupted(self, reflector: Reflector) -> None:
        """A replica is wrong from now on."""
        self.lasting.corrupted[reflector] = reflector.state.seq

    def crashing(self, node: Node) -> None:
        """A process is about to end."""
        self.probes.crashing(node)
        if node == self.network.submitter:
            reflectors = self.network.hosts[self.network.submitter].reflectors.values()
            open_ones = [reflector for reflector in reflectors if not reflector.state.moved]
            self._stored = {r.session: r.model.facts() for r in open_ones}

    def ordered(self, reflector: Reflector, message: m.Message) -> None:
        """A message was ordered, and applied to the host's own replica."""
        node = getattr(message, "node", -1)
        self.events.ordered(reflector, message, node)
        self._check_order(reflector, node)
        host = reflector.host
        if self.network.hosts.get(host.address) is not host:
            return  # a timer of one who sleeps: nobody hears of it
        self.taint.ordered(reflector, message)
        self._check_accused()
        if not reflector.closed:
            self.probes.ordered(reflector, message)
        self._check_outputs(reflector)
        if type(message) is m.Joined:
            self._check_transfer(reflector, message)
        if reflector.state.moved:
            return  # nobody is there any more
        check_sound(reflector.state)
        if type(message) is m.Failed:
            check_tried(reflector.state, message)
            self.failures.check_given_up(reflector, message)
        self._check_members(reflector, node)
        self._check_connections(reflector)
        self._check_replicas()

    # -- invariants ------------------------------------------------------------------------

    def _check_order(self, reflector: Reflector, node: Node) -> None:
        """No message is missing, and none has the number of another."""
        seq = reflector.state.seq
        before = self._seqs.get(reflector, seq - 1)
        if before != seq - 1:
            what = f"message {seq} came after {before}"
            raise Broken(ONE_ORDER, what, reflector.session, node)
        self._seqs[reflector] = seq

    def _check_members(self, reflector: Reflector, node: Node) -> None:
        """Those whom the reflector carries to are those of whom the model knows."""
        members, people = reflector.members, reflector.state.people
        if members.keys() != people.keys():
            what = f"members {list(members)}, but the model has {list(people)}"
            raise Broken(MEMBERSHIP, what, reflector.session, node)

    def _check_replicas(self) -> None:
        """None differs where none was corrupted, whatever a liar says of its own."""
        corrupted, liars = self._corrupted(), self.taint.nodes
        for divergence in self.world.record.divergences:
            if divergence.session not in corrupted and divergence.node not in liars:
                fields, wrong = ", ".join(divergence.fields), divergence.node
                what = f"message {divergence.seq}: the replica of {wrong} differs in {fields}"
                raise Broken(EQUAL, what, divergence.session, wrong)

    def _corrupted(self) -> set[str]:
        return {reflector.session for reflector in self.lasting.corrupted}

    def _check_accused(self) -> None:
        """Nobody honest says what only liars say, whatever those have told it."""
        offences = self.world.record.offences
        for offence in offences[self._judged :]:
            if offence.node not in self.taint.nodes:
                what = f"{offence.node} said {offence.said!r:.200}"
                raise Broken(ACCUSED, what, offence.session, offence.node)
        self._judged = len(offences)

    def _check_outputs(self, reflector: Reflector) -> None:
        """Every output is the right one; what is done stays done."""
        model, session = reflector.model, reflector.session
        spans = self._spans.get(session)
        if spans is None:
            spans = self._spans[session] = list(_spans(model))
        corrupted = self._corrupted()
        done = self._done.setdefault(reflector, [None] * len(spans))
        slots = model.slots
        for i, is_done in enumerate(slots.done):
            if is_done and done[i] is None:
                done[i] = slots.seconds[i]
                first, size = spans[i]
                right = list(range(first, first + size))
                output, lost = slots.outputs[i], slots.lost.get(i)
                as_known = self.failures.output_is_right(right, output, lost)
                if not (as_known or self.taint.of(f"{session}-{i}")):
                    wanted = f"the partitions from {first} to {first + size - 1}"
                    what = f"slot {i} has {slots.outputs[i]!r:.80}, not {wanted}"
                    raise Broken(OUTPUTS, what, session)
            elif done[i] is not None and not is_done:
                raise Broken(ONCE, f"slot {i} was done and is not any more", session)
            elif slots.seconds[i] != done[i] and is_done and session not in corrupted:
                raise Broken(ONCE, f"slot {i} changed after it was done", session)

    def _check_transfer(self, reflector: Reflector, joined: m.Joined) -> None:
        """Whoever joins with an older replica has handed over what only that one knew."""
        state, session = reflector.state, reflector.session
        if joined.node in self.taint.nodes or reflector.host.address in self.taint.nodes:
            return
        if state.moved or state.ended or not self.network.alive[joined.node]:
            return
        for view in self._views(joined.node, session):
            if view.seat is None or view.seat.state.epoch == state.epoch:
                continue
            if view.seat.place.address in self.taint.nodes:  # whose seals nobody need believe
                continue
            if not view.at(reflector.place):  # it is not the one that joins: called in vain
                continue
            transferring = reflector.recovery.transferring
            asked = [a.past.epoch for _, a in transferring.values() if a.past]
            if view.seat.state.epoch in asked:  # of another, who may be lost before it brings it
                continue
            known = view.seat.state.model.facts().keys() - state.model.facts().keys()
            if view.below is not None and isinstance(view.below.outcome, m.Finished):
                known -= {*view.below.outcome.slots}  # it says so again when it leads that
            for node in transferring:
                for other in self._views(node, session):
                    known -= other.seat.state.model.facts().keys() if other.seat else set()
            if known and self.lasting.current(session) is reflector:
                what = f"{joined.node} knew slot {min(known)} done and was not asked for it"
                raise Broken(NOTHING_LOST, what, session, joined.node)

    def _views(self, node: Node, session: str) -> list[Worker]:
        return [view for view in self.network.chain(node) if view.place.session == session]

    def _check_stored(self) -> None:
        """A submitter that is back with its store knows what it knew."""
        host = self.network.hosts[self.network.submitter]
        done = host.reflectors[ROOT.session].model.facts()
        for session, outputs in self._stored.items():
            if session == ROOT.session:
                lost = outputs.keys() - done.keys()
            elif int(session.split("-")[1]) in done:
                continue
            else:
                lost = outputs.keys() - host.backups.facts.get(session, {}).keys()
            if lost:
                raise Broken(NOTHING_LOST, f"slot {min(lost)} is not stored", session)

    def _check_connections(self, reflector: Reflector) -> None:
        """Nobody is connected to more than fanout x levels others, and as many standbys."""
        shape = self.world.shape
        if self.world.listening < 1 or self.probes.two_leaders:
            return  # sessions stay on the parent's host; an older leader's people are sent over
        others, host = len(connections(reflector.host)), reflector.host.address
        if others > 2 * shape.fanout * shape.levels:
            what = (
                f"node {host} is connected to {others} others, "
                f"with fanout {shape.fanout} and {shape.levels} levels"
            )
            raise Broken(BOUNDED, what, reflector.session, host)

    def _look(self, _a: None, _b: None, _c: None) -> None:
        """At what may be wrong for a while."""
        clock = self.world.clock
        now = clock.now
        wrong = dict.fromkeys(self.lasting.wrong())
        self._wrong_since = {what: self._wrong_since.get(what, now) for what in wrong}
        for what, since in self._wrong_since.items():
            if now - since > self._notice_seconds:
                detail = f"{what.detail}, since {since:.3f} s"
                raise Broken(what.invariant, detail, what.session, what.node)
        self._check_standbys()
        if not clock.stopped:
            due = clock.tick + clock.ticks(max(LOOK_SECONDS, self._notice_seconds / LOOKS))
            clock.at(due, (self._look, None, None, None))

    def _check_standbys(self) -> None:
        """Nobody waits where there is something to do."""
        for reflector in self.lasting.reflectors():
            admission, slots = reflector.admission, reflector.model.slots
            if admission.standbys and admission.early is None and slots.wanted():
                waiting = ", ".join(map(str, admission.standbys))
                what = f"{waiting} wait beside {slots.free} free slots"
                raise Broken(SOUND, what, reflector.session)

    # -- the end ---------------------------------------------------------------------------

    def _kept_waiting(self) -> set[Node]:
        """Liars, who waits for one or is below one, and whom those lead."""
        kept, before = {*self.taint.nodes}, 0
        while len(kept) > before:
            before = len(kept)
            for view in self.lasting.views() if kept else ():
                host = self.network.hosts.get(view.place.address)
                session = host and host.reflectors.get(view.place.session)
                if {*view.place.route, session and session.state.leader} & kept:
                    kept.add(view.node)
        return kept

    def check_released(self) -> None:
        """All who are there have heard that it is over, but who is below a liar that is still."""
        kept = self._kept_waiting()
        for view in self.lasting.views():
            if view.node != self.network.submitter and view.node not in kept:
                place = f"{view.place.session} on {view.place.address}"
                what = f"node {view.node} is {view.state.name} in {place}"
                raise Broken(RELEASED, what, node=view.node)


def _notice_seconds(world: World) -> float:
    """How long something may be wrong at most. Only very slow links and hosts make it longer."""
    network = world.network
    ticks = max(network.lines.ticks(0, node) for node in range(2 * len(network.alive)))
    link_seconds = ticks * world.clock.tick_seconds
    slowness = NOTICE_HOPS * (link_seconds if link_seconds > 1 else 0.0)
    queue = NOTICE_CALLS * world.service_seconds if world.service_seconds > 1 else 0.0
    return NOTICE_FACTOR * world.heartbeat + NOTICE_SECONDS + slowness + queue


def _spans(model: Computation) -> Iterator[tuple[int, int]]:
    first = model.shape.first
    for size in model.shape.sizes():
        yield first, size
        first += size
