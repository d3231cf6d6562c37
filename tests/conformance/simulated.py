"""A deployment in the simulator, everyone with a replica of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from core import Host, Reflector, Worker
from core import messages as m
from core.messages import Message, Node
from sim import World
from sim.clock import Entry
from sim.faults.actions import SUBMITTER
from sim.links.each import EachNetwork
from sim.links.failing import Fate
from sim.world import ROOT
from tests.conformance.deployment import (
    HEARTBEAT_SECONDS,
    INPUT,
    LIMIT_SECONDS,
    Condition,
    Deployment,
    Divergence,
)

NODES_MAX = 100
NEVER = 1e-9  # nodes a second: they arrive when the case starts them


@asynccontextmanager
async def simulated(partitions: int, fanout: int) -> AsyncIterator[Deployment]:
    deployment = Simulated(partitions, fanout)
    with deployment.record.watching():
        yield deployment


class Simulated(Deployment):
    """Every node is a process of its own, on a simulated clock."""

    submitter = SUBMITTER

    def __init__(self, partitions: int, fanout: int) -> None:
        super().__init__(partitions, fanout)
        self.world = World(
            nodes=NODES_MAX,
            partitions=partitions,
            fanout=fanout,
            job=self.hands.job,
            input=INPUT,
            replicas="each",
            arrival_rate=NEVER,
            heartbeat=HEARTBEAT_SECONDS,
        )
        _ = self.world.faults  # from now on the network cares for them
        self._started: list[Node] = []
        network, clock = self.world.network, self.world.clock
        assert isinstance(network, EachNetwork)
        self._network = network

        def post(action: Callable[..., None], *arguments: Any) -> None:
            clock.at(clock.tick, (_do, action, arguments, None))

        port = self.hands.port(post)
        views = network.port
        views.compute, views.prepare, views.collect = port.compute, port.prepare, port.collect
        network.watch = self._ordered
        clock.after_tick.append(self._check)

    def _ordered(self, reflector: Reflector, message: Message) -> None:
        self.record.ordered(reflector, self.world.clock.now, message)

    def _check(self) -> None:
        for check in self.always:
            check()

    @property
    def now(self) -> float:
        return self.world.clock.now

    @property
    def outcome(self) -> m.Ended | None:
        return self._network.outcome

    @property
    def nodes(self) -> list[Node]:
        return [node for node in self._started if self._network.alive[node]]

    @property
    def divergences(self) -> list[Divergence]:
        found = self.world.record.divergences
        return [Divergence(d.session, d.seq, d.node, tuple(d.fields)) for d in found]

    async def start(self, nodes: int, together: int = 1, listens: bool = True) -> list[Node]:
        first = len(self._started) + 1
        started = list(range(first, first + nodes))
        self._started += started
        for node in started:
            self._network.arrive(node, ROOT, listens)
            await self.rest(0.01)  # one after the other, as elsewhere
        return started

    async def until(self, condition: Condition) -> None:
        clock = self.world.clock
        limit = clock.now + LIMIT_SECONDS

        def look() -> None:
            clock.stopped = condition()

        clock.after_tick.append(look)
        while not condition():
            assert clock.now < limit, "that never came about"
            clock.stopped = False
            clock.run(limit)
        clock.after_tick.remove(look)
        await trio.lowlevel.checkpoint()

    async def rest(self, seconds: float) -> None:
        clock = self.world.clock
        due = clock.tick + clock.ticks(seconds)
        clock.at(due, (_do, _nothing, (), None))
        while clock.tick < due:
            clock.stopped = False
            clock.run(due * clock.tick_seconds)
        await trio.lowlevel.checkpoint()

    def crash(self, node: Node) -> list[Node]:
        return self.world.do(f"crash node {node}")

    def silence(self, *nodes: Node) -> None:
        self.world.do(f"partition nodes {', '.join(map(str, nodes))}")

    def heal(self) -> None:
        self.world.do("heal")

    def lose_next(self, sender: Node, receiver: Node) -> None:
        links: Any = self.world.faults.links
        usual = links.fate

        def fate(one: Node, other: Node, entry: Entry) -> Fate:
            if (one, other) != (sender, receiver):
                lot: Fate = usual(one, other, entry)
                return lot
            links.fate = usual
            return Fate(0, copies=0)

        links.fate = fate

    def hosts(self) -> list[Host]:
        alive = self._network.alive
        return [host for address, host in self._network.hosts.items() if alive[address]]

    def host(self, node: Node) -> Host | None:
        return self._network.hosts.get(node)

    def chain(self, node: Node) -> list[Worker]:
        return self._network.chain(node)

    def connected(self, node: Node) -> int:
        return len(self._network.peers(node))


def _do(action: Callable[..., None], arguments: tuple[Any, ...], _: None) -> None:
    action(*arguments)


def _nothing() -> None:
    pass
