"""Bots in processes on this machine. `where` says nothing; 0 processes are as many as cores.

Ctrl-C in the terminal does not reach them (`setsid`): it is for the command, which ends them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NoReturn

import trio

from plugins.console.cores import cores
from plugins.launching import AGAIN_SECONDS, STOP_SECONDS, BotsError, Command, again_in, placed

HERE = "127.0.0.1"


class LocalBots:
    """The processes that were started."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._started: list[trio.Process] = []
        self._open: Callable[[int], Awaitable[trio.Process]]

    @property
    def running(self) -> int:
        """How many have not ended."""
        return sum(process.returncode is None for process in self._started)

    async def wait(self) -> list[int | None]:
        """Wait until all have ended by themselves. Returns their exit codes."""
        return [await process.wait() for process in self._started]

    async def keep(self, note: Callable[[str], None]) -> NoReturn:
        """Start another one for each that has ended, at once where that one had lasted."""
        async with trio.open_nursery() as nursery:
            for i in range(self.processes):
                nursery.start_soon(self._keep, i, note)
        raise AssertionError("each goes on until it is cancelled")

    async def _keep(self, i: int, note: Callable[[str], None]) -> None:
        which = f"process {i + 1} of {self.processes} with nodes"
        while True:
            began = trio.current_time()
            code = await self._started[i].wait()
            pause = max(0.0, began + AGAIN_SECONDS - trio.current_time())
            note(f"{which} has ended, exit code {code}: {again_in(pause)}")
            await trio.sleep(pause)
            with trio.CancelScope(shield=True):  # none is started that nobody knows of
                try:
                    self._started[i] = await self._open(i)
                except BotsError as error:
                    note(str(error))

    async def start(self, command: Command, environment: Mapping[str, str]) -> None:
        """Start them all. Raises BotsError."""

        async def opened(i: int) -> trio.Process:
            words = placed(command(i, self.processes), sys.executable, HERE)
            try:
                return await trio.lowlevel.open_process(
                    words,
                    stdin=subprocess.PIPE,
                    stdout=_standard_error(),
                    env={**os.environ, **environment},
                    start_new_session=True,
                )
            except OSError as error:
                reason = error.strerror or error
                raise BotsError(
                    f"process {i + 1} of {self.processes} cannot be started ({reason}): "
                    "start fewer, with --processes"
                ) from error

        self._open = opened
        for i in range(self.processes):
            self._started.append(await opened(i))

    async def stop(self) -> None:
        """Tell those that are left to end, and see to it that they do."""
        for process in self._started:
            if process.stdin is not None:
                await process.stdin.aclose()
        with trio.move_on_after(STOP_SECONDS):
            await self.wait()
        for process in self._started:
            process.kill()
        await self.wait()


def _standard_error() -> int:
    """Ours, also where Python's own was replaced; nothing where it was closed."""
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2


@asynccontextmanager
async def bots(
    where: str, processes: int, command: Command, environment: Mapping[str, str]
) -> AsyncIterator[LocalBots]:
    """Processes on this machine for as long as this lasts. Raises BotsError."""
    if where:
        raise BotsError(f"{where!r:.60} means nothing to plugins.bots_local, leave it out")
    started = LocalBots(processes or cores())
    try:
        await started.start(command, environment)
        yield started
    finally:
        with trio.CancelScope(shield=True):
            await started.stop()
