"""A job whose pieces wait until the test lets them go, and one who asks for them.

Run as a program it is a process that has one such piece computed, in a computing process.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from core import messages as m
from core.messages import Place, Value
from core.sessions.states import GONE, SEATED, State
from transports.work.cores import Cores, Part
from transports.work.functions import Work
from transports.work.jobs import Chosen, own
from transports.work.starting import Started

SESSION = "0-2"
FIRST = 100  # partition of slot 0
SECONDS_MAX = 60  # of a test
LONG = 1000.0  # the same by the clock of tests

# An input says what to do: ["wait", port], ["hold", port] likewise but with the interpreter's
# lock, ["do", statements], or it is the output itself.
JOB = """
import ctypes, os, signal, socket, sys

def call(port, index):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"%d\\n" % index)
    return connection

def compute(input, index):
    if isinstance(input, list) and input[:1] == ["wait"]:
        with call(input[1], index) as connection:
            return connection.recv(1).decode()
    if isinstance(input, list) and input[:1] == ["hold"]:
        with call(input[1], index) as connection:
            ctypes.PyDLL(None).recv(connection.fileno(), ctypes.create_string_buffer(1), 1, 0)
            return "held"
    if isinstance(input, list) and input[:1] == ["do"]:
        names = {}
        exec(input[1], globals(), names)
        return names.get("output")
    return input

def prepare(input, sizes):
    return [compute(input, -1)] * len(sizes)

def collect(outputs):
    return compute(outputs[0], -2)
"""

# The same, in the loop.
ASYNC_JOB = """
import trio
from plugins.demo import collect, prepare

async def compute(input, index):
    if isinstance(input, list):
        return input
    if isinstance(input, str):
        names = {}
        exec(input, globals(), names)
        return names["output"]
    await trio.sleep(input)
    return [index, trio.current_time()]
"""


class Asker:
    """Stands in for a view: keeps what came of its calls, in order, for all askers together."""

    def __init__(self, node: int, outcomes: list[tuple[Any, ...]]) -> None:
        self.node = node
        self.place = Place(SESSION, ("here", "there"))
        self.state: State = SEATED
        self.seat = None  # so that nothing that it asks for is ever done by others
        self._outcomes = outcomes

    def leave(self) -> None:
        self.state = GONE

    def raised(self, session: str, slot: int | None, text: str, local: bool = False) -> None:
        """`local` stands at the end where it is the machine's fault."""
        more = ("local",) if local else ()
        self._outcomes.append((self.node, "raised", session, slot, text, *more))

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Computed, raised, prepared, collected."""
        return lambda *arguments: self._outcomes.append((self.node, name, *arguments))


class Desk:
    """One process's work. `outcomes`: node, what it was told, session, and so on."""

    def __init__(self, work: Work, outcomes: list[tuple[Any, ...]], more: list[trio.Event]) -> None:
        self.work = work
        self.outcomes = outcomes
        self._more = more

    def asker(self, node: int) -> Any:
        return Asker(node, self.outcomes)

    def compute(self, node: int, *inputs: Value, slot: int = 0) -> Any:
        """Ask for these pieces, of this slot and those that follow."""
        asker = self.asker(node)
        slots = tuple(range(slot, slot + len(inputs)))
        self.work.compute(asker, m.Compute(SESSION, FIRST, slots, inputs))
        return asker

    async def told(self, count: int = 1) -> list[tuple[Any, ...]]:
        """The outcomes, as soon as there are so many; they are forgotten."""
        while len(self.outcomes) < count:
            self._more[0] = trio.Event()
            await self._more[0].wait()
        told = self.outcomes[:]
        self.outcomes.clear()
        return told


async def no_fetch(handle: Value, session: str) -> Value:
    raise AssertionError("no large value was expected")


@asynccontextmanager
async def desk(
    folder: Path,
    cores: int | Part = 1,
    delay: Callable[[], float] | None = None,
    fetch: Callable[[Value, str], Any] = no_fetch,
    source: str = JOB,
    reserve: list[Started] | None = None,
    chosen: Chosen | None = None,
    **more: Any,
) -> AsyncIterator[Desk]:
    """Work that runs the job above, or the one that is `chosen`, until the block is left."""
    path = folder / "job.py"
    path.write_text(source)
    blobs = folder / "blobs"
    blobs.mkdir(exist_ok=True)
    outcomes: list[tuple[Any, ...]] = []
    news = [trio.Event()]

    def post(action: Callable[..., None], *arguments: Any) -> None:
        action(*arguments)
        news[0].set()

    part = Cores(cores).part() if isinstance(cores, int) else cores
    chosen = chosen or own(str(path), {})
    work = Work(chosen, post, blobs, fetch, part, delay, reserve, **more)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work.run)
        yield Desk(work, outcomes, news)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def bounded(
    folder: Path, cores: int | Part = 1, seconds: float = SECONDS_MAX, **more: Any
) -> AsyncIterator[Desk]:
    """The same, and it is over in time."""
    with trio.fail_after(seconds):
        async with desk(folder, cores, **more) as one:
            yield one


def do(statements: str) -> list[str]:
    """An input."""
    return ["do", statements]


class Gate:
    """Where the pieces wait."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self._listener = listener
        self.port: int = listener.socket.getsockname()[1]
        self.streams: list[trio.SocketStream] = []

    def fileno(self) -> int:
        return self._listener.socket.fileno()

    async def begun(self) -> tuple[int, trio.SocketStream]:
        """The partition of the next piece that has begun, and what lets it go."""
        stream = await self._listener.accept()
        self.streams.append(stream)
        number = b""
        while not number.endswith(b"\n"):
            number += await stream.receive_some(1)
        return int(number), stream


@asynccontextmanager
async def gate() -> AsyncIterator[Gate]:
    listener, *_ = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        door = Gate(listener)
        try:
            yield door
        finally:
            for stream in door.streams:
                stream.socket.close()


async def _hold(folder: Path, port: int, cores: int) -> None:
    async with desk(folder, cores) as work:
        for node in range(cores):
            work.compute(node, ["hold", port], slot=node)
        await work.told(cores)


if __name__ == "__main__":
    try:
        trio.run(_hold, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except* KeyboardInterrupt:
        sys.exit(130)
