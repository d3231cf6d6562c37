"""A deployment on real sockets: several processes' worth of transport on one loop.

Each is what `transports.command.deployment.opened` makes, with a tap on what it accepts. Time is
the loop's testing clock: when nothing happens any more, it jumps to the next timer.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import attrs
import trio
from trio.testing import MockClock

from core import Host, Reflector, Worker
from core import messages as m
from core.cutting import ROOT
from core.messages import Command, Message, Node, Place, Value
from core.sessions.messages import NODE_BITS
from tests.conformance.deployment import (
    HEARTBEAT_SECONDS,
    INPUT,
    LIMIT_SECONDS,
    Condition,
    Deployment,
    Divergence,
)
from tests.conformance.taps import Tap
from transports.command.deployment import listeners_at, working
from transports.command.tracing import Tracing
from transports.net import wire
from transports.net.addresses import Address
from transports.net.connection import Me
from transports.net.security import Security
from transports.process.keys import NO_KEYS, Keys, digest_of
from transports.process.process import Process, nodes_of
from transports.process.station import Station
from transports.values.blobs import Blobs
from transports.work import jobs
from transports.work.functions import Work

ANY_PORT = Address("127.0.0.1", 0)
ACTIONS_MAX = 200_000  # for any condition: the clock stands still while there is something to do


@asynccontextmanager
async def tcp(
    partitions: int,
    fanout: int,
    job: str | None = None,
    value: Value = INPUT,
    trace: Path | None = None,
) -> AsyncIterator[Deployment]:
    """With a `job`, its functions run in computing processes, which take what time they need.

    With `trace`, all write into that folder.
    """
    if job is None:
        assert isinstance(trio.lowlevel.current_clock(), MockClock), "a case waits for nobody"
    async with trio.open_nursery() as nursery:
        deployment = Tcp(partitions, fanout, nursery, job, trace)
        await deployment.submit(value)
        with deployment.record.watching():
            yield deployment
        for tracing in deployment.traces:
            await tracing.close()
        nursery.cancel_scope.cancel()


class Watched(Process):
    """A process that tells the deployment what happens in it."""

    vote_every = 1  # as in the simulator
    deployment: Tcp

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        queue, carrier = self.queue, self.carrier
        queue.do, queue.failed = self._do, self._failed  # type: ignore[method-assign]
        self._broadcast, self._diverged = carrier.broadcast, carrier.diverged
        carrier.broadcast = self._ordered  # type: ignore[method-assign]
        carrier.diverged = self._differs  # type: ignore[method-assign]

    def _do(self, action: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        action(*arguments)
        self.deployment.look()

    def _failed(self, error: Exception, **about: object) -> None:
        raise error

    def _ordered(
        self, reflector: Reflector, message: Message, commands: list[tuple[Node, Command]]
    ) -> None:
        self.deployment.record.ordered(reflector, self.queue.now, message)
        self._broadcast(reflector, message, commands)

    def _differs(self, reflector: Reflector, seq: int, node: Node, fields: list[str]) -> None:
        self._diverged(reflector, seq, node, fields)
        found = Divergence(reflector.session, seq, node, tuple(fields))
        self.deployment.found.append(found)


@attrs.define(eq=False)
class Machine:
    """One process, and how it ends. Its views are found again by the first that it had."""

    process: Watched
    scope: trio.CancelScope
    views: dict[Node, Any] = attrs.Factory(dict)


class Tcp(Deployment):
    """Every process has sockets of its own, on the loopback interface."""

    def __init__(
        self,
        partitions: int,
        fanout: int,
        nursery: trio.Nursery,
        job: str | None,
        trace: Path | None,
    ) -> None:
        super().__init__(partitions, fanout)
        self.trace = trace
        self.traces: list[Tracing] = []
        self.found: list[Divergence] = []
        self.machines: dict[int, Machine] = {}  # by number of the process
        self._nursery = nursery
        self._chosen = None if job is None else jobs.own(job, {})
        self._waiting: dict[trio.Event, Condition] = {}
        self._apart: frozenset[int] = frozenset()  # processes
        self._healed = trio.Event()
        self._passes = trio.Event()
        self._passes.set()
        self._actions = 0

    # -- processes -----------------------------------------------------------------------------

    async def submit(self, value: Value) -> None:
        """The submitter's process opens the root, as `transports.command.root` does."""
        keys = Keys.drawn()
        machine: Machine = await self._nursery.start(self._serve, True, 0, keys)
        self.root = process = machine.process
        (self.submitter,) = nodes_of(process.me.number, 1)
        place = Place(ROOT, (process.me.name,))
        partitions, fanout = self.shape.partitions, self.shape.fanout
        now, end = time.time(), digest_of(keys.end)
        begin = wire.Begin("a case", {}, "", partitions, fanout, None, 0, place, now, end)
        process.begin(begin, self._work(process, begin))
        process.submit(m.Open(place, (1,), self.shape.plain()), self.submitter, value)
        machine.views[self.submitter] = process.views.living[self.submitter]

    def _work(self, process: Process, begin: wire.Begin) -> Work:
        if self._chosen is not None:
            return working(process, begin, self._chosen)
        return cast(Work, self.hands.port(process.post))

    async def _serve(
        self,
        listens: bool,
        nodes: int,
        keys: Keys = NO_KEYS,
        task_status: trio.TaskStatus[Machine] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        listeners, address = await listeners_at(ANY_PORT, None) if listens else ([], None)
        me = Me(wire.random_number(), address, nodes)
        with Blobs() as blobs:
            async with trio.open_nursery() as nursery:
                station = Station(me, Security(), nursery, HEARTBEAT_SECONDS)
                process = Watched(station, nursery, blobs, None, keys)
                process.deployment = self
                if self.trace is not None:
                    process.trace = Tracing(me, self.trace, 1, process.untrace)
                    self.traces.append(process.trace)
                machine = self.machines[me.number] = Machine(process, nursery.cancel_scope)
                if listeners:
                    handler = partial(self._accept, process)
                    nursery.start_soon(trio.serve_listeners, handler, listeners)
                nursery.start_soon(process.run)
                task_status.started(machine)

    async def _accept(self, process: Process, stream: trio.SocketStream) -> None:
        near = process.me.number
        tap = await Tap.on(stream, partial(self._passing, near))
        if tap is None or not self._passing(near, tap.far).is_set():
            await trio.aclose_forcefully(stream)
        else:
            await process.connections.accept(tap)

    def _machine(self, node: Node) -> Machine:
        return self.machines[node >> NODE_BITS]

    async def start(self, nodes: int, together: int = 1, listens: bool = True) -> list[Node]:
        started: list[Node] = []
        while len(started) < nodes:
            count = min(together, nodes - len(started))
            machine: Machine = await self._nursery.start(self._serve, listens, count)
            machine.process.on_begin = partial(self._begin, machine)
            await machine.process.reach(self.root.me.name)
            started += nodes_of(machine.process.me.number, count)
            await self.until(lambda last=started[-1]: last in self.nodes)  # type: ignore[misc]
        return started

    def _begin(self, machine: Machine, begin: wire.Begin) -> None:
        """As `transports.command.joining` does."""
        process = machine.process
        if process.begun is None:
            process.begin(begin, self._work(process, begin))
            for node in nodes_of(process.me.number, process.me.nodes):
                machine.views[node] = process.enter(node, begin.root)

    # -- looking -------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return trio.current_time()

    @property
    def outcome(self) -> m.Ended | None:
        return self.root.outcome

    @property
    def nodes(self) -> list[Node]:
        return [n for one in self.machines.values() for n in one.views if n != self.submitter]

    @property
    def divergences(self) -> list[Divergence]:
        return self.found

    def hosts(self) -> list[Host]:
        return [machine.process.host for machine in self.machines.values()]

    def host(self, node: Node) -> Host | None:
        return self._machine(node).process.host

    def chain(self, node: Node) -> list[Worker]:
        machine = self.machines.get(node >> NODE_BITS)
        view = machine and machine.views.get(node)
        return view.chain() if view else []

    def connected(self, node: Node) -> int:
        peers = self._machine(node).process.connections.peers.values()
        return sum(1 for peer in peers if peer.greeted)

    def look(self) -> None:
        """Something has happened."""
        self._actions += 1
        assert self._actions < ACTIONS_MAX, "that never came about"
        for check in self.always:
            check()
        for event, condition in list(self._waiting.items()):
            if condition():
                event.set()

    async def until(self, condition: Condition) -> None:
        event, self._actions = trio.Event(), 0
        if condition():
            return await trio.lowlevel.checkpoint()
        self._waiting[event] = condition
        with trio.fail_after(LIMIT_SECONDS):
            await event.wait()
        del self._waiting[event]
        return None

    async def rest(self, seconds: float) -> None:
        self._actions = 0
        await trio.sleep(seconds)  # on the testing clock

    # -- what goes wrong -----------------------------------------------------------------------

    def crash(self, node: Node) -> list[Node]:
        machine = self.machines.pop(node >> NODE_BITS)
        machine.scope.cancel()
        return list(machine.views)

    def silence(self, *nodes: Node) -> None:
        self._apart = frozenset(node >> NODE_BITS for node in nodes)
        self._healed = trio.Event()

    def heal(self) -> None:
        self._apart = frozenset()
        self._healed.set()

    def _passing(self, near: int, far: int) -> trio.Event:
        """Set when something may pass between the two."""
        return self._healed if (near in self._apart) != (far in self._apart) else self._passes

    def lose_next(self, sender: Node, receiver: Node) -> None:
        sent = self._tap(sender, receiver)
        if sent is not None:
            sent.lose_sent = True
        else:
            received = self._tap(receiver, sender)
            assert received is not None, "they are not connected"
            received.lose_received = True

    def _tap(self, near: Node, far: Node) -> Tap | None:
        """The connection of two, at its end in the process of `near`, if that was dialled."""
        name = self._machine(far).process.me.name
        peer = self._machine(near).process.connections.peers.get(name)
        taps = [link.stream for link in peer.links] if peer else []
        return next((tap for tap in taps if isinstance(tap, Tap)), None)
