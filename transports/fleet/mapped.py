"""What `map` returns: the results, in order, as somebody takes them, in a thread or in a loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

from transports.fleet.errors import FleetLost
from transports.fleet.mapping import UnderWay, Windows
from transports.fleet.submitted import AsyncJob

Submit = Callable[[dict[str, Any], int, str], UnderWay]
AsyncSubmit = Callable[[dict[str, Any], int, str], Awaitable[AsyncJob]]


class Mapped(Windows[UnderWay, Submit], Iterator[Any]):
    """The results, in order. `close` cancels what is under way. What the iterables raise is raised
    behind the results of what they gave before."""

    def __init__(self, *given: Any) -> None:
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
            while not self._results:
                self._fill()  # if any of this is interrupted it can be asked for again
                self._take(self._first(StopIteration).result())
                self._fill()
            return self._next_result()
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """Nothing more is wanted."""
        with suppress(FleetLost):
            for job in self._end():
                job.cancel()

    def _fill(self) -> None:
        while chunks := self._wanted():
            self._begun(self._submit(self._input(chunks), len(chunks), self._title))


class AsyncMapped(Windows[AsyncJob, AsyncSubmit], AsyncIterator[Any]):
    """The same for a loop of Trio or asyncio. It begins when the first result is wanted."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            while not self._results:
                await self._fill()  # if any of this is cancelled it can be asked for again
                self._take(await self._first(StopAsyncIteration))
                await self._fill()
            return self._next_result()
        except Exception:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Nothing more is wanted."""
        with suppress(FleetLost):
            for job in self._end():
                await job.cancel()

    async def _fill(self) -> None:
        while chunks := self._wanted():
            self._begun(await self._submit(self._input(chunks), len(chunks), self._title))
