"""What computing processes print: shown on standard error here, and the last of it kept.

Rules it keeps:
- It is read as fast as it can be shown, and no faster than BYTES_SECOND: who prints more waits,
  and the loop has time for all else. A terminal that stands still holds up those who print alone.
- What a process has printed before it ended is shown and kept, however it ended.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import attrs
import trio

STDERR = 2
KEPT_BYTES = 2**16  # of what a job prints
READ_BYTES = 2**16
BYTES_SECOND = 2**25
LAST_BYTES = 2**20  # that are read of a process which has ended
LAST_SECONDS = 1.0  # for these to be shown


def ignore(data: bytes) -> None:
    """For whoever keeps nothing."""


@attrs.define
class Kept:
    """The last that was printed, and how many bytes there were before it."""

    most: int = KEPT_BYTES
    data: bytearray = attrs.Factory(bytearray)
    missing: int = 0

    def add(self, data: bytes) -> None:
        """That was printed, after all else."""
        self.data += data
        if (over := len(self.data) - self.most) > 0:
            self.missing += over
            del self.data[:over]

    def last(self, most: int) -> tuple[bytes, int]:
        """At most so many bytes, and how many there were before these."""
        over = max(0, len(self.data) - most)
        return bytes(self.data[over:]), self.missing + over


@asynccontextmanager
async def passed_on(fd: int, keep: Callable[[bytes], None]) -> AsyncIterator[None]:
    """Show what comes from the pipe `fd`, which does not block, until the block is left, and then
    what is there already; `keep` is given it, too. Also while the block is being cancelled."""
    passing = _Passing(fd, keep)
    raised: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(passing.run)
            try:
                yield
            except BaseException as error:  # noqa: BLE001  raised again, but not by the nursery
                raised = error
            passing.end()
    finally:
        if data := rest(fd):
            await passing.on(data)
    if raised is not None:
        raise raised


class _Passing:
    """From one pipe, until it is to end; what is being shown then is waited for, a while."""

    def __init__(self, fd: int, keep: Callable[[bytes], None]) -> None:
        self._fd, self._keep = fd, keep
        self._reading, self._showing = trio.CancelScope(shield=True), trio.CancelScope()
        self._limit = trio.CapacityLimiter(1)
        self._until = math.inf

    async def run(self) -> None:
        with self._reading:
            while data := await _some(self._fd):
                ready = time.monotonic() + len(data) / BYTES_SECOND
                await self.on(data)
                await trio.sleep(max(0.0, ready - time.monotonic()))

    async def on(self, data: bytes) -> None:
        """Keep it, and show it."""
        self._keep(data)
        with trio.CancelScope(shield=True, deadline=self._until) as self._showing:
            await trio.to_thread.run_sync(show, data, abandon_on_cancel=True, limiter=self._limit)

    def end(self) -> None:
        self._until = self._showing.deadline = trio.current_time() + LAST_SECONDS
        self._reading.cancel()


async def _some(fd: int) -> bytes:
    """What has come; nothing where nothing comes any more."""
    while True:
        with suppress(BlockingIOError):
            return os.read(fd, READ_BYTES)
        await trio.lowlevel.wait_readable(fd)


def rest(fd: int) -> bytes:
    """What is there already, if that is not too much."""
    data = b""
    with suppress(BlockingIOError):
        while len(data) < LAST_BYTES and (more := os.read(fd, READ_BYTES)):
            data += more
    return data


def show(data: bytes) -> None:
    """On standard error; what cannot be written there is dropped."""
    with suppress(OSError):
        while data:
            data = data[os.write(STDERR, data) :]
