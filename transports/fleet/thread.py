"""A thread in which Trio runs, for programs that do not: they may have a loop of their own, as
Jupyter has, or none, and ask from any thread.

Rules it keeps:
- Whoever asks waits for the answer in its own thread, where Ctrl-C ends the waiting, and what was
  asked with it; or in a loop of its own, where being cancelled does so.
- When the thread is over, whoever still waits is told so. In a process that was forked it is.
- It does not keep the program from ending.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

import trio

from transports.fleet.loops import done

T = TypeVar("T")


class Closed(Exception):
    """The thread is over."""


def _nothing() -> None:
    pass


class Portal:
    """One such thread, from when this is made until it is closed. `last` is done at its end."""

    def __init__(self, last: Callable[[], None] = _nothing) -> None:
        self._last = last
        self._ready: Future[None] = Future()
        self._open: set[Future[Any]] = set()  # answers that are waited for
        self._closed = False
        # Of these two. What is collected as garbage may ask for something wherever that comes.
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        self._thread.start()
        self._ready.result()

    def call(self, what: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """What came of it. Raises what it raises, and Closed."""
        answer: Future[T] = Future()
        scope = trio.CancelScope()
        try:
            self._begin(answer, scope, what, arguments)
            return answer.result()
        except BaseException:
            self._soon(scope.cancel)  # of no use if it is over; the caller was interrupted if not
            raise

    async def ask(self, what: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """The same for who waits in a loop, of Trio or asyncio, which goes on meanwhile."""
        answer: Future[T] = Future()
        scope = trio.CancelScope()
        try:
            self._begin(answer, scope, what, arguments)
            await done(answer)
            return answer.result()
        except BaseException:
            self._soon(scope.cancel)
            raise

    def begin(self, what: Callable[..., Awaitable[object]], *arguments: Any) -> None:
        """Have it done without waiting for it. Raises Closed."""
        self._begin(Future(), trio.CancelScope(), what, arguments)

    def is_here(self) -> bool:
        """Whether this is the process with that thread: one that was forked has none."""
        return os.getpid() == self._pid

    @property
    def nursery(self) -> trio.Nursery:
        """That of the thread, for what is done there."""
        return self._nursery

    def close_soon(self) -> None:
        """Whatever is going on there is cancelled; do not wait for that."""
        self._soon(self._stop.set)

    def close(self) -> None:
        """The same, and wait."""
        self.close_soon()
        self._thread.join()

    # -- from other threads ----------------------------------------------------------------

    def _begin(
        self,
        answer: Future[Any],
        scope: trio.CancelScope,
        what: Callable[..., Awaitable[Any]],
        arguments: tuple[Any, ...],
    ) -> None:
        if not self.is_here():
            raise Closed
        with self._lock:
            if self._closed:
                raise Closed
            self._open.add(answer)
        self._soon(self._launch, self._answer, answer, scope, what, arguments)

    def _soon(self, what: Callable[..., object], *arguments: Any) -> None:
        """Do it there, unless that is over."""
        if not self.is_here():
            return
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(what, *arguments)

    # -- in the thread ---------------------------------------------------------------------

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)  # for whoever has made it
        finally:
            with self._lock:
                self._closed = True
            for answer in list(self._open):
                answer.set_exception(Closed())
            self._last()

    async def _serve(self) -> None:
        self._stop = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        try:
            async with trio.open_nursery() as self._nursery:
                self._ready.set_result(None)
                await self._stop.wait()
                self._nursery.cancel_scope.cancel()
        finally:
            self._stop.set()

    def _launch(self, what: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        with suppress(RuntimeError):  # it is over already: who waits is told so at the end
            self._nursery.start_soon(what, *arguments)

    async def _answer(
        self,
        answer: Future[Any],
        scope: trio.CancelScope,
        what: Callable[..., Awaitable[Any]],
        arguments: tuple[Any, ...],
    ) -> None:
        try:
            with scope:
                came = await what(*arguments)
                self._open.discard(answer)
                answer.set_result(came)
        except Exception as error:  # noqa: BLE001  it is for whoever asked
            self._open.discard(answer)
            answer.set_exception(error)
        if scope.cancelled_caught:
            self._open.discard(answer)
            answer.set_exception(Closed())
