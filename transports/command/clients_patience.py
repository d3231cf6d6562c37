"""For how long a command looks for who is to answer it.

A root that is started again is away for a moment: what nobody listens for is tried again. Whatever
else goes wrong, such as a name that nobody has or a wrong token, ends the command at once.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import trio

from transports.net.dialling import ConnectError, dial
from transports.net.figures import REACH_SECONDS

TRY_SECONDS_MIN, TRY_SECONDS_MAX = 0.1, 0.5

Dial = Callable[[str], Awaitable[trio.abc.Stream]]


def patiently(patience: float | None, note: Callable[[str], None], once: Dial = dial) -> Dial:
    """In place of `dial`: until somebody listens at the first address, for so many seconds; `note`
    is told that it waits. None: as long as commands do. Later it is as `once`."""
    left = REACH_SECONDS if patience is None else patience

    async def dialled(address: str) -> trio.abc.Stream:
        nonlocal left
        until, wait, left = trio.current_time() + left, TRY_SECONDS_MIN, 0.0
        told = False
        while True:
            try:
                return await once(address)
            except ConnectError as error:
                now = trio.current_time()
                if not error.absent or now >= until:
                    raise
                if not told:
                    seconds = math.ceil(until - now)
                    note(f"waiting for {address} for {seconds} s, nobody listens there")
                    told = True
            await trio.sleep(min(wait, until - now))
            wait = min(2 * wait, TRY_SECONDS_MAX)

    return dialled
