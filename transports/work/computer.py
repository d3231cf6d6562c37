"""A computing process, as the process that it works for sees it.

Rules it keeps:
- It is given the next calls before it has done with those before, so that it never waits. What it
  has not begun can be taken back at any time; should it have begun at that very moment, what comes
  of it is not listened to.
- No two calls of this process have the same number. So what was taken back in one job is not taken
  for a call of the next one, which the same computing process may serve.
- It is gone when it has ended, not when its connection is closed, which what it started itself may
  keep open; and when its connection is closed, it is ended.
- What it has started ends with it. Where its job was cancelled, it is not kept for another one.

(Calls given ahead, knowing what it died of, and who starts it are why these are not those of a
library for worker processes: one of trio-parallel's is started by a thread that may end before, has
one call at a time, and dies with all that it was given.)
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress

import msgspec
import trio

from transports.work.calls import Call
from transports.work.computing import (
    AT,
    DROPPED,
    HEADER_BYTES,
    PAGE_BYTES,
    PIECE,
    Answer,
    Order,
    framed,
)
from transports.work.printing import ignore, passed_on, rest
from transports.work.shares import Hold
from transports.work.starting import Started, end_group, start
from transports.work.waiting import ended
from transports.work.warm import Shelf

RECEIVE_BYTES = 2**18
LAST_SECONDS = 2.0  # for a computing process to end by itself
ABANDONED_SECONDS = 0.3  # the same, where what it has computed is not wanted any more

_NUMBERS = itertools.count(1)  # of calls
_ANSWERS = msgspec.msgpack.Decoder(list[Answer])


class Computer:
    """One computing process. `answered` is told what came of a call, `ended` that it has ended;
    `begun`, where that is of interest, which call it begins with; `printed`, what it prints."""

    def __init__(
        self,
        setup: dict[str, object],
        answered: Callable[[Call, Answer], None],
        more: Callable[[], None],
        ended: Callable[[Computer, str], None],
        reserve: list[Started],
        begun: Callable[[Call], None] | None = None,
        shelf: Shelf | None = None,
        printed: Callable[[bytes], None] = ignore,
    ) -> None:
        self.calls: dict[int, Call] = {}  # that it has, by number
        self.seconds = 0.0  # that these are likely to take
        self.ready = False  # it has loaded the job
        self.started = True  # unless that was tried in vain
        self._was_warm = False  # it had loaded the job before
        self._kept = False  # it serves the next job
        self.stuck = False  # what it is at takes longer than was thought
        self.abandoned = False  # it serves no other job, and is to be gone soon
        self.given_up = False  # it was ended, though what it was at has not failed
        self.hold: Hold | None = None  # the core that it has, while it has calls
        self._setup = setup
        self._reserve = reserve
        self._shelf = shelf
        self._answered, self._wants_more, self._ended = answered, more, ended
        self._begun = begun
        self._printed = printed
        self._at = 0  # the number of the last call of which that was told
        self._number = 0  # of the last call
        self._done = 0  # that of the last one that was answered, whoever wanted it
        self._sending = False  # a part of what it is to have is there already
        self._process: subprocess.Popen[bytes] | None = None
        self._seen = 0
        self._piece = (0, 0, 0.0)  # that it was at at the last look: call, place, since when
        self.overtime: float | None = None  # seconds: it was ended as a piece took longer
        self._unsent: list[Order] = []
        self._more = trio.lowlevel.ParkingLot()
        self._page = memoryview(bytearray(PAGE_BYTES)).cast("Q")  # until it is started

    def give(self, call: Call) -> None:
        """Have it make this call, after those that it has."""
        self._number = next(_NUMBERS)
        self.calls[self._number] = call
        self.seconds += call.seconds
        self._unsent.append((self._number, call.kind, call.first, call.slots, call.values))
        self._more.unpark()
        if self._begun is not None:
            self._tell_begun(self._begun)

    def _give_anew(self) -> None:
        """Under higher numbers; nothing is sent yet."""
        calls, self.seconds = [*self.calls.values()], 0.0
        self.calls.clear()
        self._unsent.clear()
        for call in calls:
            self.give(call)

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
        if at == 0 and self.calls and not self._was_warm:  # or one was started again and again
            at, piece = next(iter(self.calls)), 0
        call = self.calls.pop(at, None)
        return None if call is None else (call, piece)

    # -- the process -----------------------------------------------------------------------

    async def run(self) -> None:
        """Start it, and serve it until it has ended. Cancelled: end it."""
        started = self._shelf.take() if self._shelf is not None else None
        self.ready = self._was_warm = started is not None
        try:
            if started is None:
                started = self._reserve.pop() if self._reserve else start()
        except OSError as error:
            self.started = False
            self._ended(self, f"the computing process could not be started ({error})")
            return
        if self._was_warm:
            rest(started.printed)  # by what the job before has left behind
        started.page[AT] = started.page[PIECE] = 0
        started.page[DROPPED] = max(started.page[DROPPED], self._page[DROPPED])
        self._page = started.page
        if self.calls and min(self.calls) <= started.page[DROPPED]:  # another has had it meanwhile
            self._give_anew()
        ours = trio.socket.from_stdlib_socket(started.connection)
        try:
            code = await self._serve(started, trio.SocketStream(ours))
        finally:
            if not self._kept:  # else whoever takes it next goes on with that very descriptor
                ours.close()
                started.close()
        self._ended(self, f"the computing process ended ({_exit(code)})")

    def limit(self, seconds: float) -> None:
        """End it where it has been at one piece for longer."""
        at, piece, now = self._page[AT], self._page[PIECE], trio.current_time()
        if at not in self.calls or (at, piece) != self._piece[:2]:
            self._piece = at, piece, now
        elif now - self._piece[2] > seconds:
            self.overtime = seconds
            self.end()

    def end(self) -> bool:
        """End it, whatever it is at. Says whether it had begun."""
        if self._process is not None:
            end_group(self._process)
        return self._process is not None

    async def _serve(self, started: Started, stream: trio.SocketStream) -> int:
        data = bytearray()
        try:
            async with passed_on(started.printed, self._printed):
                code = await self._served(started, stream, data)
        finally:
            if self._kept and self._shelf is not None:  # whoever has it next reads what it prints
                self._shelf.keep(started)
        self._drain(stream.socket, data)
        return code

    async def _served(self, started: Started, stream: trio.SocketStream, data: bytearray) -> int:
        process = self._process = started.process
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, stream)
                nursery.start_soon(self._read, stream, data, process)
                code = await ended(process)
                nursery.cancel_scope.cancel()
        finally:
            self._kept = not self.abandoned and self._may_be_kept(started)
            if not self._kept:
                with trio.CancelScope(shield=True):
                    if not self.calls:
                        seconds = ABANDONED_SECONDS if self.abandoned else LAST_SECONDS
                        await _let_go(process, stream, seconds)
                    end_group(process)
                    await ended(process)
        return code

    def _may_be_kept(self, started: Started) -> bool:
        """Whether it is left to the next job with the same code: it is at nothing."""
        at_nothing = not self.calls and self._page[AT] == self._done and not self._sending
        idle = self.ready and at_nothing and started.process.poll() is None
        return idle and self._shelf is not None

    async def _write(self, stream: trio.SocketStream) -> None:
        try:
            await self._send(stream, framed(self._setup))
            while True:
                if not self._unsent:
                    await self._more.park()
                orders, self._unsent = self._unsent, []
                await self._send(stream, framed(orders))
        except trio.BrokenResourceError:
            pass  # it ends, and that is noticed

    async def _send(self, stream: trio.SocketStream, data: bytes) -> None:
        self._sending = True
        await stream.send_all(data)
        self._sending = False

    async def _read(
        self, stream: trio.SocketStream, data: bytearray, process: subprocess.Popen[bytes]
    ) -> None:
        try:
            while more := await stream.receive_some(RECEIVE_BYTES):
                data += more
                self._receive(data)
        except trio.BrokenResourceError:
            pass
        end_group(process)  # it ends, or nothing more can be heard from it

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
            self._done = answer[0]
            if call := self.calls.pop(answer[0], None):  # else it was taken back
                self.seconds = self.seconds - call.seconds if self.calls else 0.0
                self._answered(call, answer)
            if self._begun is not None:
                self._tell_begun(self._begun)


async def _let_go(
    process: subprocess.Popen[bytes], stream: trio.SocketStream, seconds: float
) -> None:
    """Have it end by itself, for a while: what the job has left open is written then."""
    with suppress(OSError):
        stream.socket.shutdown(socket.SHUT_WR)
    with trio.move_on_after(seconds):
        await ended(process)


def _exit(code: int) -> str:
    try:
        return f"exit code {code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"exit code {code}"
