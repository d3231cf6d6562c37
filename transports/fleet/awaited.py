"""A fleet for who awaits it, on Trio or on asyncio, as Jupyter does.

    async with Fleet(nodes=100) as fleet:
        jobs = [await fleet.submit("plugins.primes", 10**n) for n in (5, 6, 7)]
        async for job in fleet.as_completed(jobs):
            print(job.number, await job)

Rules it keeps:
- All is called as in `Fleet` and raises the same. Nothing holds the loop up, and nothing has a
  timeout: loops have their own.
- Whoever is cancelled only stops waiting. A job that nobody could ask for any more is ended in a
  fleet of one's own: one that was just being submitted, or that of `run`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from transports.fleet.asked import Asked, Named, number_of
from transports.fleet.job import CALLS
from transports.fleet.loops import in_thread
from transports.fleet.opened import Opened
from transports.fleet.submitted import AsCompleted, AsyncJob
from transports.net import wire

if TYPE_CHECKING:  # what pickles functions is loaded when it is needed
    from transports.fleet.mapped import AsyncMapped


class AsyncFleet:
    """A fleet whose answers are awaited: what `async with` gives for a `Fleet`."""

    def __init__(self, fleet: object, opened: Opened) -> None:
        self._fleet = fleet  # which ends when nobody has it
        self._line = opened.line
        self._opened = opened
        self._own = opened.own is not None
        self._partitions = opened.partitions
        self.address = opened.address

    def __repr__(self) -> str:
        return repr(self._fleet)

    async def submit(self, job: Named, input: Any = None, **options: Any) -> AsyncJob:
        """As `Fleet.submit`, with its options. To await the job is to wait for its result."""
        if options.get("partitions") is None:
            options["partitions"] = self._partitions
        asked = Asked(job=job, input=input, **options)
        key = secrets.token_bytes(16)
        spec = await self._spec(asked, key)
        try:
            watched = await self._line.ask(self._line.submitting, spec, key)
        except BaseException as error:
            if self._own and not isinstance(error, Exception):  # cancelled
                self._line.begin(self._line.withdrawing, spec, key)
            raise
        return AsyncJob(self._fleet, self._line, watched, self._opened.answering(asked))

    async def _spec(self, asked: Asked, key: bytes) -> wire.Spec:
        """In a thread where it is signed: files are read for that, and all of the input."""
        spec = partial(self._opened.spec, asked, key)
        return spec() if self._opened.signing is None else await in_thread(spec, lambda: None)

    async def run(self, job: Named, input: Any = None, **options: Any) -> Any:
        """The result of that job: `submit`, and to await it, in one. If that is cancelled, or
        interrupted, so is the job."""
        submitted = await self.submit(job, input, **options)
        try:
            return await submitted
        except BaseException as error:
            if not isinstance(error, Exception):
                submitted.cancel_soon()
            raise

    def map(
        self,
        function: Callable[..., Any],
        *iterables: Iterable[Any],
        chunk: int | None = None,
        return_exceptions: bool = False,
    ) -> AsyncMapped:
        """As `Fleet.map`, for `async for`; it begins with that."""
        from transports.fleet.mapped import AsyncMapped

        return AsyncMapped(
            self._submit_chunks, function, iterables, self._partitions, return_exceptions, chunk
        )

    async def map_reduce(
        self,
        function: Callable[..., Any],
        *iterables: Iterable[Any],
        reduce: Callable[[list[Any]], Any],
    ) -> Any:
        """As `Fleet.map_reduce`."""
        from transports.fleet.mapping import cut_to_reduce, name_of, pieces, reduced

        value, partitions = cut_to_reduce(function, iterables, reduce, pieces(self._partitions))
        named = {"partitions": partitions, "title": name_of(function)}
        return reduced(await self.run(CALLS, value, **named))

    async def _submit_chunks(
        self, value: dict[str, Any], partitions: int, title: str, keep_going: bool = False
    ) -> AsyncJob:
        more = {"title": title, "keep_going": keep_going}
        return await self.submit(CALLS, value, partitions=partitions, **more)

    @staticmethod
    def as_completed(jobs: Iterable[AsyncJob]) -> AsCompleted[AsyncJob]:
        """The jobs, each when it is over, whatever came of it: for `async for`."""
        return AsCompleted(jobs)

    async def job(self, number: int) -> AsyncJob:
        """As `Fleet.job`."""
        watched = await self._line.ask(self._line.watching, number_of(number))
        job = AsyncJob(self._fleet, self._line, watched, by_number=True)
        job.insist_on_known()
        return job

    async def jobs(self) -> list[dict[str, Any]]:
        """As `Fleet.jobs`."""
        return list((await self._line.ask(self._line.looking))["jobs"])
