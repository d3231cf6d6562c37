"""What computing processes print: shown on standard error here, and the last of it kept.

Rules it keeps:
- It is read as fast as it can be shown, and no faster than BYTES_SECOND: who prints more waits,
  and the loop has time for all else. A terminal that stands still holds up those who print alone.
- What a process has printed before it ended is shown and kept, however it ended.
"""

from __future__ import annotations

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
    reading, limit = trio.CancelScope(shield=True), trio.CapacityLimiter(1)
    raised: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read_on, fd, keep, reading, limit)
            try:
                yield
            except BaseException as error:  # noqa: BLE001  raised again, but not by the nursery
                raised = error
            reading.cancel()
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + LAST_SECONDS):
            if data := rest(fd):
                keep(data)
                await trio.to_thread.run_sync(show, data, abandon_on_cancel=True)
    if raised is not None:
        raise raised


async def _read_on(
    fd: int,
    keep: Callable[[bytes], None],
    reading: trio.CancelScope,
    limit: trio.CapacityLimiter,
) -> None:
    with reading:
        while data := await _some(fd):
            keep(data)
            ready = time.monotonic() + len(data) / BYTES_SECOND
            await trio.to_thread.run_sync(show, data, abandon_on_cancel=True, limiter=limit)
            await trio.sleep(max(0.0, ready - time.monotonic()))


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
