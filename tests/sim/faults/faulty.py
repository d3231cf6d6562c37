"""Small worlds in which something goes wrong, and what can be seen of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from core import Worker
from core import messages as m
from core.messages import Node
from core.slots import Slots
from sim import Report, World
from sim.clock import Function
from sim.links.lines import Lines
from tests.sim.worlds import Log

HEARTBEAT_SECONDS = 2.0
NOTICED_SECONDS = 1.25 * HEARTBEAT_SECONDS + 0.2  # of what is silent; each end in its own time
HOP_SECONDS = 0.1  # no message takes longer
ENDS_SECONDS = 300.0  # the longest run of all, with a wide margin
PIECE_SECONDS = 3.0
WORKING_SECONDS = 4.0  # by then everyone is done with one piece and computes the next

Pair = tuple[Node, Node]  # from, to


class Job:
    """Counts its partitions, each of which takes a while, and tells which were computed."""

    def __init__(self, seconds: float = PIECE_SECONDS) -> None:
        self.computed: list[int] = []
        self.cost = lambda value, index: seconds

    def prepare(self, value: Any, sizes: list[int]) -> list[Any]:
        return [value] * len(sizes)

    def compute(self, value: Any, index: int) -> int:
        self.computed.append(index)
        return 1

    def collect(self, outputs: list[int]) -> int:
        return sum(outputs)


def wide(replicas: str, **options: Any) -> World:
    """Four sessions of sixteen partitions below the root, each with about six people."""
    return _world({"nodes": 24, "partitions": 64, "fanout": 16}, replicas, options)


def deep(replicas: str, **options: Any) -> World:
    """Three levels, and fewer nodes than leaf sessions would like."""
    return _world({"nodes": 24, "partitions": 60, "fanout": 4}, replicas, options)


def _world(size: dict[str, Any], replicas: str, options: dict[str, Any]) -> World:
    usual = {"job": Job(), "arrival_rate": 1000, "heartbeat": HEARTBEAT_SECONDS}
    return World(**{**size, **usual, "replicas": replicas, **options})


def working(world: World) -> World:
    on(world, WORKING_SECONDS)
    assert 10 < world.record.accepted < world.shape.partitions / 2
    return world


def on(world: World, seconds: float) -> World:
    """Run on for so long, to the tick."""
    clock = world.clock
    due = clock.tick + clock.ticks(seconds)
    clock.at(due, (_nothing, None, None, None))
    world.run(until=due * clock.tick_seconds)
    return world


def _nothing(_a: None, _b: None, _c: None) -> None:
    pass


def right(world: World) -> Report:
    """The run comes to its end, with the right answer; and everyone is told."""
    report = world.run(until=world.now + ENDS_SECONDS)
    assert report.failure is None
    assert report.result == report.accepted == report.partitions
    return report


def host(world: World, session: str) -> Node:
    address: Node = world.session(session).host.address
    return address


def people(world: World, session: str) -> list[Node]:
    return list(world.session(session).state.people)


def worker(world: World, session: str) -> Node:
    """Somebody in a session who neither hosts nor leads it."""
    found = [n for n in people(world, session) if n != host(world, session)]
    return found[-1]


def left(log: Log, node: Node) -> list[float]:
    return [at for at, _, message in log if message == m.Left(node)]


def joined(log: Log, node: Node) -> list[m.Joined]:
    return [j for _, _, j in log if type(j) is m.Joined and j.node == node]


def slots(world: World, session: str) -> Slots:
    found: Slots = world.session(session).model.slots
    return found


def held(world: World, session: str, node: Node) -> list[int]:
    """The slots that a node is at."""
    there = slots(world, session)
    return [i for i, worker in enumerate(there.worker) if worker == node and not there.done[i]]


def done(world: World, session: str) -> set[int]:
    return set(slots(world, session).known())


def sessions(world: World) -> list[str]:
    hosts = world.network.hosts.values()
    return sorted({r.session for h in hosts for r in h.reflectors.values()})


def noticed(world: World) -> list[tuple[float, tuple[Node, Node]]]:
    """A list that fills with who notices that a connection is gone, and to whom."""
    losses = []
    notice = world.network.notice

    def noting(node: Node, other: Node, _: None = None) -> None:
        losses.append((world.clock.now, (node, other)))
        notice(node, other)

    world.network.notice = noting  # type: ignore[method-assign]
    return losses


class Traffic(Lines):
    """What passes between any two nodes from now on: as it was sent, and as it arrived."""

    def __init__(self, world: World) -> None:
        self.sent: dict[Pair, list[object]] = defaultdict(list)
        self.arrived: dict[Pair, list[object]] = defaultdict(list)
        self.took: dict[Pair, set[int]] = defaultdict(set)  # how long it takes
        _ = world.faults  # which put themselves in between
        network = world.network
        self._lines, self._receive, self._lose = network.lines, network.receive, network.lose
        super().__init__(world.clock, network.lines.longest_ticks)
        network.lines, network.receive = self, self.receive

    def receive(self, place: m.Place, worker: Worker, call: m.Call) -> None:
        self.arrived[worker.node, place.address].append(call)
        self._receive(place, worker, call)

    def carry(self, sender: Node, receiver: Node, action: Function, a: Any, b: Any, c: Any) -> int:
        pair, what, carried = (sender, receiver), c, action
        if action == self._lose:
            return self._lines.carry(sender, receiver, action, a, b, c)
        if action != self.receive:
            what = object()

            def arriving(a: Any, b: Any, c: Any) -> None:
                self.arrived[pair].append(what)
                action(a, b, c)

            carried = arriving
        self.sent[pair].append(what)
        due = self._lines.carry(sender, receiver, carried, a, b, c)
        self.took[pair].add(due - self.clock.tick)
        return due

    def ticks(self, one: Node, other: Node) -> int:
        return self._lines.ticks(one, other)

    def cut(self, one: Node, other: Node) -> None:
        self._lines.cut(one, other)

    def between(self, one: Node, other: Node) -> set[int]:
        return self.took[one, other] | self.took[other, one]

    @property
    def in_order(self) -> bool:
        """Whether nothing overtook anything. What comes a second time may do so at any time."""
        return all(map(_in_order, self.sent.values(), map(self.arrived.get, self.sent)))


def _in_order(sent: list[object], arrived: list[object] | None) -> bool:
    left = map(id, sent)
    return all(what in left for what in dict.fromkeys(map(id, arrived or ())))
