"""What `map` returns: the results, in order, as somebody takes them, in a thread or in a loop.

If anything is interrupted, or cancelled, it can be asked for again, and nothing is missing then.
Where it takes long to get items, results that are known are given before more is taken.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from core.messages import Failure
from transports.fleet.errors import FleetLost, JobFailed
from transports.fleet.mapping import NOTHING, MayBeOver, UnderWay, Windows
from transports.fleet.submitted import AsyncJob

SOON_SECONDS = 0.1  # so long results are waited for, rather than items


ENDS = (StopIteration, StopAsyncIteration)
NO_END = "what is no end of the results was raised as if it were"  # PEP 479


class Timed(UnderWay, MayBeOver, Protocol):
    """A job whose end can be waited for, for a while."""

    def failures(self) -> list[Failure]:
        """What is missing from its result."""
        raise NotImplementedError


Submit = Callable[[dict[str, Any], int, str, bool], Timed]
AsyncSubmit = Callable[[dict[str, Any], int, str, bool], Awaitable[AsyncJob]]


class Mapped(Windows[Timed, Submit], Iterator[Any]):
    """The results, in order. `close` cancels what is under way, and so does it when nobody has this
    any more. What the iterables raise is raised behind the results of what they gave before.

    Several threads may take results: each comes once.
    """

    def __init__(self, *given: Any) -> None:
        self._taking = threading.RLock()
        super().__init__(*given)
        try:
            self._fill()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            while (result := self._next_result()) is NOTHING:
                if not self._has_more():
                    break
        except Exception as error:
            self.close()
            if isinstance(error, ENDS):
                raise RuntimeError(NO_END) from error
            raise
        if result is NOTHING:
            raise StopIteration
        return result

    def close(self) -> None:
        """Nothing more is wanted."""
        with suppress(FleetLost):
            for job in self._end():
                job.cancel()

    def _has_more(self) -> bool:
        """Whether there are more results, of which the next ones are known then."""
        with self._taking:
            while self._results.is_empty:
                self._fill()
                job = self._first()
                if job is None:
                    return False
                try:
                    outputs = job.result()
                except JobFailed as error:
                    self._name(error)
                    if not self._goes_on:
                        raise
                    outputs = []
                self._take(outputs, job.failures() if self._goes_on else ())
                if not self._source.is_late:
                    self._fill()
            return True

    def _fill(self) -> None:
        while not self._gives_first(SOON_SECONDS) and (chunks := self._wanted()):
            given = self._input(chunks), len(chunks), self._title, self._goes_on
            self._begun(self._submit(*given))


class AsyncMapped(Windows[AsyncJob, AsyncSubmit], AsyncIterator[Any]):
    """The same for a loop of Trio or asyncio. It begins when the first result is wanted. One task
    at a time takes results: RuntimeError for another one."""

    _taking = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._taking:
            raise RuntimeError("another task takes results of this map: take them in one task")
        self._taking = True
        try:
            while (result := self._next_result()) is NOTHING:
                if not await self._has_more():
                    break
        except Exception as error:
            await self.aclose()
            if isinstance(error, ENDS):
                raise RuntimeError(NO_END) from error
            raise
        finally:
            self._taking = False
        if result is NOTHING:
            raise StopAsyncIteration
        return result

    async def aclose(self) -> None:
        """Nothing more is wanted."""
        with suppress(FleetLost):
            for job in self._end():
                await job.cancel()

    async def _has_more(self) -> bool:
        while self._results.is_empty:
            await self._fill()
            job = self._first()
            if job is None:
                return False
            try:
                outputs = await job
            except JobFailed as error:
                self._name(error)
                if not self._goes_on:
                    raise
                outputs = []
            self._take(outputs, await job.failures() if self._goes_on else ())
            if not self._source.is_late:
                await self._fill()
        return True

    async def _fill(self) -> None:
        while not self._gives_first(0) and (chunks := self._wanted()):
            given = self._input(chunks), len(chunks), self._title, self._goes_on
            self._begun(await self._submit(*given))
