"""The states that one hopes to reach: a search that never reached one says so."""

from __future__ import annotations

from core import Host, Reflector
from core import messages as m
from core.messages import Node, Place, Reply
from core.sessions import Participant
from sim.faults import actions as a
from sim.world import World

NAMES = (
    "a worker was lost",
    "a leader was lost, its host lived on",
    "a leader was lost while it prepared",
    "a leader was lost while it collected",
    "a host was lost with others in its sessions",
    "a host of two levels was lost at once",
    "a submitter was lost, and came back with its store",
    "a submitter was lost, and came back without its store",
    "half of all nodes were lost at once",
    "everyone in a session was lost",
    "a node came back with what it knew",
    "a session was reopened from a survivor's replica",
    "a session was begun again from its input",
    "a recovery found a newer replica",
    "a recovery found what the parent's host kept",
    "two leaders led one session",
    "an older leader's people were sent over",
    "a connection broke between two who live",
    "a partition healed within the heartbeat limit",
    "a publication came twice",
    "a helper won",
    "a late child session was reinforced",
    "a team moved on",
    "a standby took a place",
    "an arrival was turned away",
    "an arrival waited for its session in vain",
    "a slot was tried again after a failure",
    "a job failed for good",
    "a replica was corrupted, named and repaired",
    "a lie was refused, and its connection cut",
)


class Probes:
    """Counts them in one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counts = dict.fromkeys(NAMES, 0)
        self.two_leaders = False
        self._before: dict[Reflector, _State] = {}
        self._progress: dict[str, tuple[m.Epoch, int]] = {}  # most slots done in any incarnation
        self._standbys: dict[Node, None] = {}
        self._repaired = self._refused = 0
        network = world.network
        network.watch_replies.append(self.replied)

    def hit(self, name: str) -> None:
        self.counts[name] += 1

    # -- faults ----------------------------------------------------------------------------

    def acted(self, action: a.Action, nodes: list[Node]) -> None:
        match action:
            case a.Crash() if len(nodes) > 1 and len(nodes) >= self._others():
                self.hit("half of all nodes were lost at once")
            case a.Restart(_, memory) if nodes:
                with_store = "with" if memory else "without"
                if self.world.submitter in nodes:
                    self.hit(f"a submitter was lost, and came back {with_store} its store")
                if memory and nodes != [self.world.submitter]:
                    self.hit("a node came back with what it knew")

    def _others(self) -> int:
        """How many are there, without the submitter."""
        alive = self.world.network.alive
        return sum(alive) - alive[self.world.submitter]

    def broke(self, one: Node, other: Node) -> None:
        if self.world.network.alive[one] and self.world.network.alive[other]:
            self.hit("a connection broke between two who live")

    def mended(self) -> None:
        self.hit("a partition healed within the heartbeat limit")

    def crashing(self, node: Node) -> None:
        host = self.world.network.hosts.get(node)
        hosted = [r for r in host.reflectors.values() if _others(r)] if host else []
        if hosted:
            self.hit("a host was lost with others in its sessions")
        if len(hosted) > 1:
            self.hit("a host of two levels was lost at once")

    # -- messages --------------------------------------------------------------------------

    def replied(self, host: Host, link: Participant, place: Place, reply: Reply) -> None:
        self._standbys.pop(link.node, None)
        if type(reply) is m.Wait:
            self._standbys[link.node] = None
        elif type(reply) is m.TurnedAway:
            self.hit("an arrival was turned away")
        elif type(reply) is m.Absent:
            self.hit("an arrival waited for its session in vain")

    def ordered(self, reflector: Reflector, message: m.Message) -> None:
        before = self._before.get(reflector) or _State()
        self._before[reflector] = now = _State(reflector)
        match message:
            case m.Joined():
                self._joined(reflector, message)
            case m.Left():
                self._left(reflector, message, before)
            case m.Finished():
                self._finished(message, before, now)
            case m.Restored() if now.done > before.done:
                self.hit(_recovery(message, before.done))
            case m.Moved():
                same = message.place.session == reflector.session
                self.hit("an older leader's people were sent over" if same else "a team moved on")
            case m.Failed() if reflector.model.steps.failure is None:
                self.hit("a slot was tried again after a failure")
            case m.Ended() if message.failure:
                self.hit("a job failed for good")
            case m.Alarm() if not reflector.model.shape.leaf and now.helpers > before.helpers:
                self.hit("a late child session was reinforced")
        if len(self.world.record.offences) > self._refused:
            self._refused += 1
            self.hit("a lie was refused, and its connection cut")
        if len(self.world.record.divergences) > self._repaired:
            self._repaired += 1
            self.hit("a replica was corrupted, named and repaired")
        epoch, done = self._progress.get(reflector.session, ((), 0))
        if (now.done, reflector.state.epoch) > (done, epoch):
            self._progress[reflector.session] = reflector.state.epoch, now.done

    def _joined(self, reflector: Reflector, joined: m.Joined) -> None:
        session, state = reflector.session, reflector.state
        if joined.node in self._standbys:
            self.hit("a standby took a place")
        if len(reflector.members) == 1 and state.seq == 1:
            epoch, done = self._progress.get(session, ((), 0))
            if done and epoch < state.epoch:
                self.hit("a session was begun again from its input")
            others = [
                host.reflectors[session]
                for host in self.world.network.hosts.values()
                if session in host.reflectors and host.reflectors[session] is not reflector
            ]
            if any(o.members and not o.closed and not o.state.moved for o in others):
                self.two_leaders = True
                self.hit("two leaders led one session")

    def _left(self, reflector: Reflector, left: m.Left, before: _State) -> None:
        model, slots = reflector.model, reflector.model.slots
        if before.leader != left.node:
            self.hit("a worker was lost")
        elif reflector.host.address != left.node:
            self.hit("a leader was lost, its host lived on")
            if model.given and slots.inputs is None:
                self.hit("a leader was lost while it prepared")
            if not slots.remaining:
                self.hit("a leader was lost while it collected")
        if not reflector.members and slots.remaining:
            self.hit("everyone in a session was lost")

    def _finished(self, finished: m.Finished, before: _State, now: _State) -> None:
        if now.done == before.done:
            self.hit("a publication came twice")
        elif any(finished.node == before.held[i][1] for i in finished.slots if before.held):
            self.hit("a helper won")
        elif (
            finished.seconds == 0.0
            and before.held
            and not any(finished.node in before.held[i] for i in finished.slots)
        ):
            self.hit("a recovery found what the parent's host kept")


class _State:
    """Of a model, what is gone after the next message."""

    def __init__(self, reflector: Reflector | None = None) -> None:
        self.leader: Node | None = None
        self.held: list[tuple[Node | None, Node | None]] = []
        self.done = self.helpers = 0
        if reflector is not None:
            slots = reflector.model.slots
            self.leader = reflector.state.leader
            self.held = [(worker, slots.helpers.get(i)) for i, worker in enumerate(slots.worker)]
            self.done = len(slots) - slots.remaining
            self.helpers = len(slots.helpers)


def _recovery(restored: m.Restored, done_before: int) -> str:
    if restored.context is None:  # outputs alone
        return "a recovery found what the parent's host kept"
    if not done_before:
        return "a session was reopened from a survivor's replica"
    return "a recovery found a newer replica"


def _others(reflector: Reflector) -> bool:
    return any(node != reflector.host.address for node in reflector.members)
