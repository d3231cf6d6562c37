"""What happened in a world: counted while it runs, and told when somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

import attrs
import msgspec

from core import Computation, Host, Reflector, Session, Shape
from core import messages as m
from core.messages import Message, Node, as_dict
from core.sessions.chain import View
from core.sessions.digest import canonical
from plugins.console.telling import Lost
from sim.clock import Clock
from sim.faults.actions import SUBMITTER

COMPILED: Final = not __file__.endswith(".py")  # all of them are, or none is


@attrs.frozen
class Divergence:
    """A replica that was wrong: `node`'s, or the host's own (core.sessions.votes.HOST)."""

    session: str
    seq: int
    node: Node
    fields: list[str]


@attrs.frozen
class Offence:
    """Something that nobody honest says, and who said it to the host of that session."""

    session: str
    node: Node
    said: Any


@attrs.frozen
class Report:
    """How a run went. Times in simulated seconds, except `wall_seconds`; sizes in bytes."""

    result: Any
    failure: m.Failure | None
    nodes: int
    partitions: int
    fanout: int
    levels: int
    sessions: int
    control_nodes: int
    computation_nodes: int
    arrived: int
    left: int
    crashed: int
    formed_seconds: float
    finished_seconds: float | None
    messages: int
    root_messages: int
    connections_max: int
    accepted: int
    repeated: int  # partitions given out again after they had been accepted
    faults: int  # that happened
    faults_in_vain: list[str]  # of these, the lines of those that concerned nobody
    faults_left: int  # that were to come after the end
    divergences: int  # replicas that differed, and were repaired
    digest: str
    seed: int
    wall_seconds: float
    peak_rss_bytes: int
    compiled: bool  # whether the hot modules are extensions, or run as they are written
    lost: Lost | None = None  # partitions that failed for good, where the others were to go on


class Record:
    """Counters and the digest of a run. Times are simulated seconds."""

    def __init__(self, nodes: int, shape: Shape, clock: Clock) -> None:
        self.clock = clock
        self.submitter: Node = SUBMITTER
        self.arrived = 0
        self.left = 0
        self.accepted = 0
        self.repeated = 0
        self.crashed = 0
        self.formed_tick = 0
        self.connections_max = 0
        self.watch_connections: Callable[[Host, int | None], None] | None = None
        self.sessions: dict[str, None] = {}
        self.leaders: dict[Node, None] = {}  # the submitter is not counted
        self.computed = bytearray(nodes + 1)
        self.divergences: list[Divergence] = []
        self.offences: list[Offence] = []
        self._placed = bytearray(nodes + 1)
        self._done = bytearray(shape.partitions)
        self._load: dict[Any, int] = {}
        self._above = shape.levels  # others that a host is connected to as a participant, at most
        self.ordered: list[tuple[str, int, float, Message]] = []  # since the last tick
        self.ordered_count = 0  # before that
        self._encode = msgspec.msgpack.Encoder().encode
        self._hash = blake2b(digest_size=16)
        clock.after_tick.append(self.flush)

    def joined(self, reflector: Reflector, node: Node) -> None:
        """`node` was admitted."""
        if len(reflector.members) == 1:
            self.sessions[reflector.session] = None
        if reflector.state.leader == node:
            self.leads(reflector.state)
        if node != reflector.host.address:
            self.connected(reflector.host)

    def leads(self, state: Session) -> None:
        """The session has its leader, maybe a new one."""
        if state.leader not in (None, self.submitter):
            self.leaders[state.leader] = None

    def finished(self, model: Computation, finished: m.Finished) -> None:
        """Outputs came; those of partitions count, the first time that they are accepted."""
        if model.leaf:
            first, done = model.first, self._done
            for slot in finished.slots:
                if not done[first + slot]:
                    done[first + slot] = 1
                    self.accepted += 1
            self.computed[finished.node] = 1

    def given(self, compute: m.Compute) -> None:
        """Somebody is about to compute partitions; those that were accepted before count."""
        done, first = self._done, compute.first
        for slot in compute.slots:
            if done[first + slot]:
                self.repeated += 1

    def placed(self, node: Node, tick: int) -> None:
        """`node` hears at `tick` that it has a seat, or stands by."""
        if not self._placed[node]:
            self._placed[node] = 1
            self.formed_tick = max(self.formed_tick, tick)

    def connected(self, host: Host) -> None:
        """One more is connected to `host`. Counted exactly where it might be a new maximum."""
        load, counted = self._load.get(host.address, self._above) + 1, None
        if load > self.connections_max:
            load = counted = len(connections(host))
            self.connections_max = max(self.connections_max, load)
        self._load[host.address] = load
        if self.watch_connections is not None:
            self.watch_connections(host, counted)

    def flush(self) -> None:
        """Add a tick's ordered messages to the digest."""
        if not self.ordered:
            return
        try:
            encoded = self._encode(self.ordered)
        except (OverflowError, TypeError):  # integers beyond 64 bits, say
            encoded = canonical([(*where, as_dict(message)) for *where, message in self.ordered])
        self._hash.update(encoded)
        self.ordered_count += len(self.ordered)
        self.ordered.clear()

    def digest(self) -> str:
        self.flush()
        return self._hash.hexdigest()

    def figures(self) -> dict[str, Any]:
        """Of a report, by its names."""
        counted = ("arrived", "left", "crashed", "connections_max", "accepted", "repeated")
        return {name: getattr(self, name) for name in counted} | {
            "sessions": len(self.sessions),
            "control_nodes": len(self.leaders),
            "computation_nodes": self.computed.count(1),
            "divergences": len(self.divergences),
            "digest": self.digest(),
        }


def connections(host: Host) -> set[Node]:
    """The others a host's process is connected to."""
    others: set[Node] = set()
    for reflector in host.reflectors.values():
        others.update(reflector.members, reflector.admission.standbys)
        own = reflector.members.get(host.address)
        while isinstance(own, View):
            others.add(own.place.address)
            own = own.above
    others.discard(host.address)
    return others
