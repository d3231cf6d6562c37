"""Starts the processes of one computation on this machine, and ends them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from core import Shape
from core import messages as m
from core.messages import Place
from plugins.loading import load
from transports.process import Process

LOOPBACK = "127.0.0.1"
NODE_BITS = 20  # of a node's number; those above are the number of its process
SUBMITTER = 0
GRACE_SECONDS = 2.0  # for the bots to hear that it is over
END_SECONDS = 5.0  # for them to end when they are told to


@attrs.frozen
class Report:
    """How a run went."""

    result: Any
    failure: m.Failure | None
    nodes: int
    partitions: int
    fanout: int
    levels: int
    processes: int
    lost_processes: int  # that ended before the answer was there
    told_processes: int  # that had to be told that it is over
    root_messages: int
    frames_sent: int  # by the root's process
    bytes_sent: int
    seconds: float


@asynccontextmanager
async def opened(job: str) -> AsyncIterator[Process]:
    """A process of this deployment, listening on a port of its own."""
    functions = load(job)
    listeners = await trio.open_tcp_listeners(0, host=LOOPBACK)
    _, port, *_ = listeners[0].socket.getsockname()
    async with trio.open_nursery() as nursery:
        process = Process(f"{LOOPBACK}:{port}", functions, nursery)
        nursery.start_soon(trio.serve_listeners, process.connections.accept, listeners)
        nursery.start_soon(process.run)
        yield process
        await process.connections.close()
        nursery.cancel_scope.cancel()


async def bots(job: str, root: str, first: int, nodes: int) -> None:
    """Be nodes `first` and following, until the computation is over or standard input ends."""
    async with opened(job) as process, trio.open_nursery() as nursery:

        async def watch() -> None:
            async with trio.lowlevel.FdStream(sys.stdin.fileno()) as stream:
                while await stream.receive_some():
                    pass
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        for node in range(first, first + nodes):
            process.enter(node, Place("0", (root,)))
        await process.over.wait()
        nursery.cancel_scope.cancel()


class Launch:
    """The bot processes of a run."""

    def __init__(self, job: str, root: str, nodes: int, processes: int) -> None:
        self.job = job
        self.root = root
        self.running: dict[int, trio.Process] = {}
        self._sizes = {
            number: (nodes * number // processes) - (nodes * (number - 1) // processes)
            for number in range(1, processes + 1)
        }

    async def start(self) -> None:
        """Start them all."""
        for number, nodes in self._sizes.items():
            command = [sys.executable, "-m", "transports.bots", "--job", self.job]
            command += ["--root", self.root, "--nodes", str(nodes)]
            command += ["--first", str(number << NODE_BITS)]
            self.running[number] = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE)

    async def watch(self) -> None:
        """Wait until all have ended."""
        async with trio.open_nursery() as nursery:
            for number in list(self.running):
                nursery.start_soon(self._watch, number)

    async def _watch(self, number: int) -> None:
        await self.running[number].wait()
        self.running.pop(number, None)

    async def end(self) -> None:
        """Tell those that are left to end, and see to it that they do."""
        left = list(self.running.values())
        for bot in left:
            if bot.stdin is not None:
                await bot.stdin.aclose()
        with trio.move_on_after(END_SECONDS):
            for bot in left:
                await bot.wait()
        for bot in left:
            bot.kill()


async def compute(shape: Shape, job: str, value: Any, nodes: int, processes: int) -> Report:
    """Have `nodes` bots in `processes` processes compute. Raises RuntimeError if all are lost."""
    began = time.perf_counter()
    async with opened(job) as process, trio.open_nursery() as nursery:
        opening = m.Open(shape, (1,), Place("0", (process.address,)))
        process.submit(opening, SUBMITTER, value)
        launch = Launch(job, process.address, nodes, processes)

        async def watch() -> None:
            await launch.watch()
            process.over.set()

        try:
            await launch.start()
            nursery.start_soon(watch)
            await process.over.wait()
            seconds = time.perf_counter() - began
            lost = processes - len(launch.running)
            root_messages = process.host.reflectors["0"].model.seq
            with trio.move_on_after(GRACE_SECONDS):
                await launch.watch()
            told = len(launch.running)
        finally:
            with trio.CancelScope(shield=True):
                await launch.end()
        nursery.cancel_scope.cancel()
    if process.outcome is None:
        raise RuntimeError("all bot processes have ended, and there is no result")
    return Report(
        process.outcome.result,
        process.outcome.failure,
        nodes,
        shape.partitions,
        shape.fanout,
        shape.levels,
        processes,
        lost,
        told,
        root_messages,
        process.connections.frames_sent,
        process.connections.bytes_sent,
        seconds,
    )
