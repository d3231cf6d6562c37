"""Waiting in a loop, that of Trio or that of asyncio, for what happens in other threads.

Rules it keeps:
- The loop goes on meanwhile. Whoever is cancelled only stops waiting.
- Which loop it is, is found out when somebody waits.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from typing import Any, TypeVar

import sniffio
import trio

T = TypeVar("T")


def is_in_loop() -> bool:
    """Whether a loop runs in this thread, and would be held up by who waits here."""
    try:
        sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return False
    return True


class Bell:
    """Rung in any thread, heard in the loop in which it was made. Raises RuntimeError where that
    is none of the two."""

    def __init__(self) -> None:
        self._event: trio.Event | asyncio.Event
        self._soon: Callable[..., object]
        match sniffio.current_async_library():
            case "trio":
                self._event = trio.Event()
                self._soon = trio.lowlevel.current_trio_token().run_sync_soon
            case "asyncio":
                self._event = asyncio.Event()
                self._soon = asyncio.get_running_loop().call_soon_threadsafe
            case other:
                raise RuntimeError(f"a fleet is not awaited in {other}: use Trio or asyncio")

    def ring(self) -> None:
        """Whoever waits goes on; if its loop is over, nobody does."""
        with suppress(RuntimeError):
            self._soon(self._event.set)

    async def heard(self) -> None:
        """Returns when it was rung."""
        await self._event.wait()


async def done(future: Future[Any]) -> None:
    """Returns when it is. For futures for which nobody waits twice: each time something is left
    at the future."""
    bell = Bell()
    future.add_done_callback(lambda _: bell.ring())
    await bell.heard()


async def in_thread(call: Callable[[], T], undo: Callable[[], object]) -> T:
    """What `call` returns, in a thread of its own, or raises. It goes on where nobody waits any
    more; then what it has done is undone."""
    answer: Future[T] = Future()
    threading.Thread(target=_run, args=(answer, call), name="fleet call", daemon=True).start()
    try:
        await done(answer)
    except BaseException:
        answer.add_done_callback(lambda _: undo())
        raise
    return answer.result()


async def in_thread_for_good(call: Callable[[], T]) -> T:
    """The same, and Trio's cancelling waits for it: nothing of it is left when a block ends."""
    with trio.CancelScope(shield=True) if _is_trio() else nullcontext():
        return await in_thread(call, _nothing)


def _is_trio() -> bool:
    return sniffio.current_async_library() == "trio"


def _nothing() -> None:
    pass


def _run(answer: Future[T], call: Callable[[], T]) -> None:
    try:
        answer.set_result(call())
    except BaseException as error:  # noqa: BLE001  it is for whoever waits
        answer.set_exception(error)
