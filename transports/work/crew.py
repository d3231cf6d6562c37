"""The computing processes, as the process that they work for sees them.

Rules it keeps:
- A computing process is given the next calls before it has done with those before, so that it
  never waits. What it has not begun can be taken back at any time; should it have begun at that
  very moment, what comes of it is not listened to.
- It is started by the thread that the loop runs in, as the kernel ends it together with the thread
  that started it. (That, calls given ahead, and knowing what it died of is why these are not those
  of a library for worker processes: one of trio-parallel's is started by a thread that may end
  before, has one call at a time, and dies with all that it was given.)
- It may be started before it is known what for, as starting takes longer than most calls.
- It is gone when it has ended, not when its connection is closed, which what it started itself may
  keep open; and when its connection is closed, it is ended.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from mmap import mmap
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import msgspec
import trio

from core import Worker
from core.messages import Value
from core.sessions.states import GONE
from transports.work.computing import (
    AT,
    COLLECT,
    COMPUTE,
    DROPPED,
    HEADER_BYTES,
    KINDS,
    PAGE_BYTES,
    PIECE,
    Answer,
    Order,
    framed,
    words,
)

STDERR = 2
TOP = Path(__file__).parents[2]
RECEIVE_BYTES = 2**18
LAST_SECONDS = 2.0  # for a computing process to end by itself
BUFFER_BYTES = 2**20  # of calls that wait in the connection
BOOT = (
    "import json, sys; options = json.loads(sys.argv[1]); sys.path[:] = options.pop('path'); "
    "from transports.work.computing import serve; serve(**options)"
)

_ANSWERS = msgspec.msgpack.Decoder(list[Answer])


@attrs.define(eq=False)
class Call:
    """One call of a function of the job, for a view."""

    worker: Worker
    session: str
    kind: int
    first: int  # partition of slot 0
    slots: tuple[int, ...] | list[int]  # or, for prepare, sizes
    values: tuple[Value, ...] | list[Value]
    began: float  # on the loop's clock
    until: float = 0.0  # nothing comes of it before
    seconds: float = 0.0  # that it is likely to take

    @property
    def wanted(self) -> bool:
        """Whether the view is still where it was when it asked."""
        return self.worker.state is not GONE and self.worker.place.session == self.session

    @property
    def obsolete(self) -> bool:
        """Whether nobody needs what comes of it any more, though it may be at work for long."""
        if not self.wanted or self.worker.seat is None:
            return not self.wanted
        model: Any = self.worker.seat.state.model
        slots = model.slots
        if self.kind == COMPUTE:
            return all(slots.done[slot] for slot in self.slots)
        return bool(model.steps.collected) if self.kind == COLLECT else slots.inputs is not None

    def slot(self, piece: int) -> int | None:
        return self.slots[piece] if self.kind == COMPUTE else None

    def where(self, piece: int) -> str:
        """Which piece, for people."""
        slot = self.slot(piece)
        return KINDS[self.kind] if slot is None else f"partition {self.first + slot}"


class Computer:
    """One computing process. `answered` is told what came of a call, `ended` that it has ended;
    `begun`, where that is of interest, which call it begins with."""

    def __init__(
        self,
        setup: dict[str, object],
        answered: Callable[[Call, Answer], None],
        more: Callable[[], None],
        ended: Callable[[Computer, str], None],
        reserve: list[Started],
        begun: Callable[[Call], None] | None = None,
    ) -> None:
        self.calls: dict[int, Call] = {}  # that it has, by number
        self.seconds = 0.0  # that these are likely to take
        self.ready = False  # it has loaded the job
        self.started = True  # unless that was tried in vain
        self.stuck = False  # what it is at takes longer than was thought
        self._setup = setup
        self._reserve = reserve
        self._answered, self._wants_more, self._ended = answered, more, ended
        self._begun = begun
        self._at = 0  # the number of the last call of which that was told
        self._number = 0  # of the last call
        self._process: subprocess.Popen[bytes] | None = None
        self._seen = 0
        self._piece = (
            0,
            0,
            0.0,
        )  # that it was at when it was last looked at: call, place, since when
        self.overtime: float | None = None  # seconds: it was ended as a piece took longer
        self._unsent: list[Order] = []
        self._more = trio.lowlevel.ParkingLot()
        self._page = memoryview(bytearray(PAGE_BYTES)).cast("Q")  # until it is started

    def give(self, call: Call) -> None:
        """Have it make this call, after those that it has."""
        self._number += 1
        self.calls[self._number] = call
        self.seconds += call.seconds
        self._unsent.append((self._number, call.kind, call.first, call.slots, call.values))
        self._more.unpark()
        if self._begun is not None:
            self._tell_begun(self._begun)

    def _tell_begun(self, begun: Callable[[Call], None]) -> None:
        """It is at the first of those that it has: it takes one after the other."""
        number = next(iter(self.calls), self._at)
        if number != self._at:
            self._at = number
            begun(self.calls[number])

    def look(self) -> list[Call]:
        """The calls behind one that was begun before the last look, which it is to have no more."""
        at, seen = self._page[AT], self._seen
        self._seen = at
        self.stuck = at == seen and at in self.calls
        return self._take(at) if self.stuck and len(self.calls) > 1 else []

    def is_at_nothing(self) -> bool:
        """Whether it is for long at what nobody needs, and at nothing else."""
        return self.stuck and all(call.obsolete for call in self.calls.values())

    def _take(self, at: int) -> list[Call]:
        self._page[DROPPED] = self._number
        behind = [self.calls.pop(number) for number in list(self.calls) if number > at]
        self._unsent = [order for order in self._unsent if order[0] in self.calls]
        self.seconds -= sum(call.seconds for call in behind)
        return behind

    def fatal(self) -> tuple[Call, int] | None:
        """After it has ended: the call that it was at, removed from the others, and the piece."""
        at, piece = self._page[AT], self._page[PIECE]
        if at == 0 and self.calls:  # or it would be started for them again and again
            at, piece = next(iter(self.calls)), 0
        call = self.calls.pop(at, None)
        return None if call is None else (call, piece)

    # -- the process -----------------------------------------------------------------------

    async def run(self) -> None:
        """Start it, and serve it until it has ended. Cancelled: end it."""
        try:
            started = self._reserve.pop() if self._reserve else start()
        except OSError as error:
            self.started = False
            self._ended(self, f"the computing process could not be started ({error})")
            return
        started.page[DROPPED], self._page = self._page[DROPPED], started.page
        with trio.socket.from_stdlib_socket(started.connection) as ours:
            code = await self._serve(started.process, trio.SocketStream(ours))
        self._ended(self, f"the computing process ended ({_exit(code)})")

    def limit(self, seconds: float) -> None:
        """End it where it has been at one piece for longer."""
        at, piece, now = self._page[AT], self._page[PIECE], trio.current_time()
        if at not in self.calls or (at, piece) != self._piece[:2]:
            self._piece = at, piece, now
        elif now - self._piece[2] > seconds:
            self.overtime = seconds
            self.end()

    def end(self) -> None:
        """End it, whatever it is at."""
        if self._process is not None:
            self._process.kill()

    async def _serve(self, process: subprocess.Popen[bytes], stream: trio.SocketStream) -> int:
        self._process, data = process, bytearray()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, stream)
                nursery.start_soon(self._read, stream, data, process)
                code = await trio.to_thread.run_sync(
                    process.wait, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
                )
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                if not self.calls:
                    await _let_go(process, stream)
                process.kill()
                await trio.to_thread.run_sync(process.wait)
        self._drain(stream.socket, data)
        return code

    async def _write(self, stream: trio.SocketStream) -> None:
        try:
            await stream.send_all(framed(self._setup))
            while True:
                if not self._unsent:
                    await self._more.park()
                orders, self._unsent = self._unsent, []
                await stream.send_all(framed(orders))
        except trio.BrokenResourceError:
            pass  # it ends, and that is noticed

    async def _read(
        self, stream: trio.SocketStream, data: bytearray, process: subprocess.Popen[bytes]
    ) -> None:
        try:
            while more := await stream.receive_some(RECEIVE_BYTES):
                data += more
                self._receive(data)
        except trio.BrokenResourceError:
            pass
        process.kill()  # it ends, or nothing more can be heard from it

    def _drain(self, connection: trio.socket.SocketType, data: bytearray) -> None:
        """What it said before it ended."""
        rest = socket.socket(fileno=os.dup(connection.fileno()))
        with rest:
            try:
                while more := rest.recv(RECEIVE_BYTES):
                    data += more
            except OSError:
                pass
        self._receive(data)

    def _receive(self, data: bytearray) -> None:
        start = 0
        while len(data) >= start + HEADER_BYTES:
            end = start + HEADER_BYTES + int.from_bytes(data[start : start + HEADER_BYTES], "big")
            if len(data) < end:
                break
            self._take_in(_ANSWERS.decode(memoryview(data)[start + HEADER_BYTES : end]))
            start = end
        if start:
            del data[:start]
            self._wants_more()

    def _take_in(self, answers: list[Answer]) -> None:
        self.ready = True
        self.stuck = False
        for answer in answers:
            if call := self.calls.pop(answer[0], None):  # else it was taken back
                self.seconds = self.seconds - call.seconds if self.calls else 0.0
                self._answered(call, answer)
            if self._begun is not None:
                self._tell_begun(self._begun)


async def _let_go(process: subprocess.Popen[bytes], stream: trio.SocketStream) -> None:
    """Have it end by itself, for a while: what the job has left open is written then."""
    with suppress(OSError):
        stream.socket.shutdown(socket.SHUT_WR)
    with trio.move_on_after(LAST_SECONDS):
        await trio.to_thread.run_sync(
            process.wait, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
        )


@attrs.define(eq=False)
class Started:
    """A computing process that has yet to be told which job it is for."""

    process: subprocess.Popen[bytes]
    connection: socket.socket
    page: memoryview[int]

    def end(self) -> None:
        """It is not needed."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


def start() -> Started:
    """Start one. Raises OSError."""
    with _memory() as memory, ExitStack() as stack:
        page = words(mmap(memory.fileno(), PAGE_BYTES))
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        with theirs:
            process = _process(theirs.fileno(), memory.fileno())
        stack.pop_all()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    return Started(process, ours, page)


def _memory() -> BinaryIO:
    """A page that both can map. Raises OSError.

    Not one of a disk, if possible: where that turns out to be full whoever writes to it dies.
    """
    if sys.platform == "linux":
        memory: BinaryIO = os.fdopen(os.memfd_create("page"), "w+b")
    else:
        memory = tempfile.TemporaryFile()  # noqa: SIM115  whoever asks closes it
    memory.write(bytes(PAGE_BYTES))
    memory.flush()
    return memory


def _process(fd: int, memory: int) -> subprocess.Popen[bytes]:
    own_first = [str(TOP), *sys.path]  # a job's folder may have something that is called like ours
    options = {"fd": fd, "memory": memory, "parent": os.getpid(), "path": own_first}
    # An interruption is for this process to deal with, also while the other one starts.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return subprocess.Popen(
            [sys.executable, "-c", BOOT, json.dumps(options)],
            stdin=subprocess.DEVNULL,
            stdout=STDERR,
            pass_fds=(fd, memory),
            process_group=0,  # a job that sends a signal to its own does not send it to ours
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _exit(code: int) -> str:
    try:
        return f"exit code {code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"exit code {code}"
