"""A whole computation in one event loop, in memory, that goes on piece by piece; and who disturbs.

The processes are real ones, with all that they are but sockets and computing processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio
import trio.testing

from core import Shape, Worker
from core import messages as m
from core.messages import Place, Value
from tests.transports.talking import Stranger
from transports.net import wire
from transports.net.connection import Me, Peer
from transports.net.dialling import ConnectError
from transports.net.peer import Link
from transports.net.security import Security
from transports.process.incoming import Handler
from transports.process.keys import NO_KEYS, Keys, digest_of
from transports.process.process import Process, nodes_of
from transports.process.station import Station
from transports.values.blobs import Blobs

HOST, HELPER = "127.0.0.1:5001", "127.0.0.1:5002"
HOST_NUMBER, HELPER_NUMBER, SILENT_NUMBER = 1, 2, 3
OPEN = Security()


class Pieces:
    """Stands in for Work: the outputs are what they ought to be, when they are asked for."""

    def __init__(self, process: Process) -> None:
        self.post = process.post
        self.waiting: deque[tuple[Worker, m.Compute]] = deque()

    async def run(self) -> None:
        await trio.sleep_forever()

    def compute(self, worker: Worker, command: m.Compute) -> None:
        self.waiting.append((worker, command))

    def finish_one(self) -> None:
        """The one that waits longest."""
        if self.waiting:
            worker, command = self.waiting.popleft()
            outputs = [command.first + slot for slot in command.slots]
            self.post(worker.computed, command.session, command.slots, outputs, 1.0)

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        self.post(worker.prepared, session, [value] * len(sizes))

    def collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        good = all(type(output) is int for output in outputs)
        self.post(worker.collected, session, sum(outputs) if good else None)


class Recording(Process):
    """A process that keeps some of what it hears, as frames."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.heard: dict[bytes, None] = {}
        handlers = self.incoming.handlers
        self.incoming.handlers = {kind: partial(self._record, handlers[kind]) for kind in handlers}

    def _record(self, handler: Handler, peer: Peer, envelope: wire.Envelope, link: Link) -> None:
        if len(self.heard) < 2000:
            self.heard[wire.encode(envelope)] = None
        handler(peer, envelope, link)


class Life:
    """The host, one process that listens, and one that does not.

    `before`: another computation of the same processes.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        folder: Path,
        shape: Shape,
        tree: int = 0,
        before: Life | None = None,
    ) -> None:
        self.nursery = nursery
        self.shape = attrs.evolve(shape, session=str(tree))
        self.tree = tree
        self.stations: dict[str, Station] = {} if before is None else before.stations
        self.processes: dict[str, Recording] = {}
        self.pieces: list[Pieces] = []
        self.host = self._process(folder / "host", Me(HOST_NUMBER, HOST), Keys.drawn())
        self.helper = self._process(folder / "helper", Me(HELPER_NUMBER, HELPER, 300))
        self.silent = self._process(folder / "silent", Me(SILENT_NUMBER, None, 6))

    def _process(self, folder: Path, me: Me, keys: Keys = NO_KEYS) -> Recording:
        if me.name not in self.stations:
            self.stations[me.name] = Station(me, OPEN, self.nursery)
            self.stations[me.name].connections._meeting._dial = self._dial
        station, blobs = self.stations[me.name], Blobs(folder)
        process = Recording(station, self.nursery, blobs, keys=keys, tree=self.tree)
        self.processes[me.name] = process
        return process

    async def _dial(self, address: str) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if address not in self.processes:
            raise ConnectError(f"{address}: nobody listens there")
        return self.stream(self.processes[address])

    def stream(self, process: Process) -> trio.abc.HalfCloseableStream:
        """A connection to it."""
        mine, its = trio.testing.memory_stream_pair()
        self.nursery.start_soon(process.connections.accept, its)
        return mine

    def begin(self) -> None:
        """The host opens the root, and the others join it."""
        place = self.place
        partitions, fanout, end = self.shape.partitions, self.shape.fanout, self.host.end_key
        begin = wire.Begin("job", {}, "", partitions, fanout, None, 0, place, 0.0, digest_of(end))
        for process in self.processes.values():
            self.pieces.append(pieces := Pieces(process))
            process.begin(begin, pieces)  # type: ignore[arg-type]
            if process is not self.host:
                process.on_begin = lambda begin: None
            self.nursery.start_soon(process.run)
        (submitter,) = nodes_of(HOST_NUMBER, 1)
        self.host.submit(m.Open(place, (1000,), self.shape.plain()), submitter, 0)
        for process in (self.helper, self.silent):
            self.enter(process)

    def enter(self, process: Process) -> None:
        """Six nodes of it."""
        for node in nodes_of(process.me.number, 6):
            process.enter(node, self.place)

    @property
    def place(self) -> Place:
        """Of the root session."""
        return Place(self.shape.session, (HOST,))

    @property
    def right(self) -> m.Ended:
        """What is to come of all."""
        return m.Ended(sum(range(self.shape.partitions)), None, self.host.end_key)

    def finish_one(self) -> None:
        """One piece of each process."""
        for pieces in self.pieces:
            pieces.finish_one()

    async def finish(self) -> m.Ended | None:
        """The rest; returns what comes of all."""
        while self.host.outcome is None:
            self.finish_one()
            await trio.testing.wait_all_tasks_blocked()
            if not any(pieces.waiting for pieces in self.pieces):
                await trio.sleep(0.01)  # some wait for time to pass
        return self.host.outcome


@asynccontextmanager
async def life(
    folder: Path, partitions: int = 27, fanout: int = 3, seconds_max: float = 10_000
) -> AsyncIterator[Life]:
    """One that has begun. By the testing clock some hours are not long."""
    with trio.fail_after(seconds_max):
        async with trio.open_nursery() as nursery:
            lived = Life(nursery, folder, Shape.root(partitions, fanout))
            lived.begin()
            await trio.testing.wait_all_tasks_blocked()
            yield lived
            nursery.cancel_scope.cancel()


class Intruder:
    """One process after the other with the same number, which says what it likes.

    `said` counts the frames that the host has read from it.
    """

    def __init__(
        self, life: Life, target: Process, number: int, address: str | None, nodes: int = 50
    ) -> None:
        self.life, self.target = life, target
        self.me = Me(number, address, nodes)
        self.said = 0
        self._stream: trio.abc.HalfCloseableStream | None = None

    async def say(self, frames: Sequence[bytes]) -> None:
        """All of them, on as many connections as it takes."""
        frames = [*frames]
        while frames:
            stream = await self._connected()
            before = self.target.connections.frames_received
            await stream.send_all(b"".join(frames))
            await settled(self.target)
            read = self.target.connections.frames_received - before
            if self._is_cut(stream):
                read += read < len(frames)  # the last one was malformed, and so is not counted
                self._stream = None
            elif read < len(frames):  # pings do not count
                read = len(frames)
            self.said += read
            del frames[:read]

    async def _connected(self) -> trio.abc.HalfCloseableStream:
        if self._stream is None or self._is_cut(self._stream):
            self._stream = self.life.stream(self.target)
            await Stranger(self._stream).greet(self.me)
        return self._stream

    def _is_cut(self, stream: Any) -> bool:
        peer = self.target.connections.peers.get(self.me.name)
        return peer is None or bool(peer.reason)

    async def leave(self) -> None:
        if self._stream is not None:
            await self._stream.aclose()
            self._stream = None


async def settled(process: Process) -> None:
    """Waits until it has dealt with what it was sent."""
    await trio.testing.wait_all_tasks_blocked()
