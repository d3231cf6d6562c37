"""What a launcher of bots is: a module that starts processes with nodes, and ends them.

    @asynccontextmanager
    async def bots(where, processes, command, environment) -> AsyncIterator[Bots]

`where` is text that the launcher understands, such as the address of a scheduler; `processes` how
many to start, 0 for as many as the launcher has places. `command(i, n)` is the command of the
i-th of n, from 0; in it `{python}` stands for the Python of the machine where it runs, `{here}`
for the address by which that machine is reached. `environment` is added to that of the processes.

Rules a launcher keeps:
- The standard input of a process stays open for as long as it is needed, and ends when it is
  not, or when the launcher's own process has ended, however that was. What it prints goes to
  standard error.
- Who leaves the context, also by an exception or a cancellation, stops them: kindly at first, by
  ending their standard input, and after STOP_SECONDS by force. None is left behind.
- What is wrong is a BotsError of one line.
- For a root that stays, it keeps processes going: who has ended is told, and another one is started
  where there is room, but not again and again at once where that one ends, too.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NoReturn, Protocol, cast

PYTHON, HERE = "{python}", "{here}"
STOP_SECONDS = 5.0
AGAIN_SECONDS = 30.0  # from the start of a process to that of the next in its place, at least

Command = Callable[[int, int], Sequence[str]]


class BotsError(ValueError):
    """Bots cannot be started. The message is one line: what was given, what would be right."""


class Bots(Protocol):
    """The processes that were started."""

    processes: int  # that were started

    @property
    def running(self) -> int:
        """How many have not ended."""

    async def wait(self) -> list[int | None]:
        """Wait until all have ended by themselves. Returns their exit codes, None where one was
        lost with its machine."""

    async def keep(self, note: Callable[[str], None]) -> NoReturn:
        """Until cancelled: start another one for each that has ended, and tell `note` so."""


class Launcher(Protocol):
    """The function `bots` of a launcher."""

    def __call__(
        self, where: str, processes: int, command: Command, environment: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Bots]:
        """Bots for as long as the context lasts."""


def launcher(name: str) -> Launcher:
    """The function `bots` of the module called `name`. Raises BotsError."""
    remedy = "give plugins.bots_local, plugins.bots_dask:SCHEDULER, or a module with such a bots()"
    try:
        found = getattr(importlib.import_module(name), "bots", None)
    except ImportError as error:
        raise BotsError(f"no module {name!r} to start bots with ({error}); {remedy}") from error
    if not callable(found):
        raise BotsError(f"module {name!r} has no function bots; {remedy}")
    return cast(Launcher, found)


def placed(command: Sequence[str], python: str, here: str) -> list[str]:
    """The command for one machine."""
    return [part.replace(PYTHON, python).replace(HERE, here) for part in command]


def again_in(seconds: float) -> str:
    """When another one is started, in words."""
    return f"it is started again{f' in {seconds:.0f} s' if seconds >= 1 else ''}"
