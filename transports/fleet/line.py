"""The line of a program to a fleet: a client in a thread of its own, and the jobs that it watches.

All that is said of `Watched` and of the jobs here is said in that thread; other threads only wait
for its futures.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from contextlib import aclosing, suppress
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import attrs
import trio

from transports.fleet.asked import user
from transports.fleet.client import Client
from transports.fleet.errors import FleetLost
from transports.fleet.loops import Bell
from transports.fleet.thread import Closed, Portal
from transports.net import wire
from transports.net.security import Security

T = TypeVar("T")
Heard = Callable[[wire.Output], None]

CLOSED = "the fleet is closed"
FORKED = "the fleet is that of another process, which was forked: connect to it anew from here"


@attrs.define(eq=False)
class Watched:
    """A job, as far as it is known here: what it has come to, and what came of it in the end."""

    number: int
    latest: wire.Progress | None = None
    outcome: Future[wire.Outcome] = attrs.Factory(Future)  # or FleetLost
    known: trio.Event = attrs.Factory(trio.Event)  # something is
    _bells: set[Bell] = attrs.field(factory=set, init=False)  # of those who wait in a loop

    async def over(self) -> None:
        """Returns when it is, on whichever loop."""
        await first_over([self])

    def ring(self) -> None:
        """There is an outcome: whoever waits in a loop goes on."""
        for bell in list(self._bells):
            bell.ring()


async def first_over(jobs: Iterable[Watched]) -> None:
    """Returns when one of them is over, on whichever loop."""
    jobs, bell = list(jobs), Bell()
    for job in jobs:
        job._bells.add(bell)
    try:
        if not any(job.outcome.done() for job in jobs):
            await bell.heard()
    finally:
        for job in jobs:
            job._bells.discard(bell)


class Line:
    """Connected from when this is made until it is closed; `last` is done then, or when nobody
    was reached. Raises ConnectError."""

    def __init__(
        self,
        address: str,
        security: Security,
        patience_seconds: float,
        last: Callable[[], None],
    ) -> None:
        self._jobs: WeakValueDictionary[int, Watched] = WeakValueDictionary()
        self._heard: dict[int, Heard] = {}  # by number of the job
        self._portal = Portal(last)
        try:
            self._client = self._portal.call(self._connect, address, security, patience_seconds)
        except BaseException:
            self._portal.close()
            raise

    async def _connect(self, address: str, security: Security, patience_seconds: float) -> Client:
        client = Client(address, security, self._portal.nursery, patience_seconds)
        client.on_output, client.user = self._hear, user()
        await client.connect()
        return client

    @property
    def fleet(self) -> str:
        """The id of the fleet."""
        return self._client.fleet

    # -- from any thread -------------------------------------------------------------------

    def submit(self, spec: wire.Spec, key: bytes, heard: Heard | None = None) -> Watched:
        """The job that this has become; `heard` is given each output of a partition when it is
        there. Raises Refused, TooLarge, FleetLost."""
        return self._call(self.submitting, spec, key, heard)

    def withdraw(self, spec: wire.Spec, key: bytes) -> None:
        """End the job that has become of it, if one has. Raises as `submit`."""
        self._call(self.withdrawing, spec, key)

    def watched(self, number: int) -> Watched:
        """The job of that number; where there is none, or the fleet is lost, its outcome says so.
        Raises FleetLost where this is closed."""
        return self._call(self.watching, number)

    def cancel(self, number: int) -> wire.Outcome:
        """End that job; how it ended. Raises FleetLost."""
        return self._call(self.cancelling, number)

    def weigh(self, number: int, priority: int | None, weight: float | None) -> wire.Weighed:
        """Have that job weigh so from now on; what it is and weighs now. Raises FleetLost."""
        return self._call(self.weighing, number, priority, weight)

    def status(self) -> dict[str, Any]:
        """How the fleet stands. Raises FleetLost."""
        return self._call(self.looking)

    async def ask(self, what: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """What comes of one of those that run in its own thread, for who waits in a loop. Raises
        what it raises, and FleetLost."""
        try:
            return await self._portal.ask(what, *arguments)
        except Closed:
            raise self._closed() from None

    def begin(self, what: Callable[..., Awaitable[object]], *arguments: Any) -> None:
        """Have one of them done, whatever comes of it, if this is not closed."""
        with suppress(Closed):
            self._portal.begin(what, *arguments)

    def log(self, number: int) -> dict[str, Any] | None:
        """What was raised and printed in that job; None: there is none. Raises FleetLost."""
        return self._call(self.logging, number)

    def close(self) -> None:
        """Who still waits for something is told that the fleet is lost."""
        try:
            self._portal.call(self._client.close)
        except Closed:
            pass
        finally:
            self._portal.close()

    def close_soon(self) -> None:
        """The same, without waiting for it."""
        self._portal.close_soon()

    def _call(self, what: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        try:
            return self._portal.call(what, *arguments)
        except Closed:
            raise self._closed() from None

    def _closed(self) -> FleetLost:
        return FleetLost(CLOSED if self.is_here() else FORKED)

    def is_here(self) -> bool:
        """Whether it can be used: not in a process that was forked from the one that has it."""
        return self._portal.is_here()

    # -- in its own thread -----------------------------------------------------------------

    async def submitting(self, spec: wire.Spec, key: bytes, heard: Heard | None = None) -> Watched:
        """As `submit`."""
        number = await self._client.submit(spec, key)
        if heard is not None:
            self._heard[number] = heard
        return await self.watching(number)

    def _hear(self, output: wire.Output) -> None:
        if heard := self._heard.get(output.number):
            heard(output)

    async def withdrawing(self, spec: wire.Spec, key: bytes) -> None:
        """As `withdraw`."""
        await self._client.cancel(await self._client.submit(spec, key))  # the same one

    async def cancelling(self, number: int) -> wire.Outcome:
        """As `cancel`."""
        return await self._client.cancel(number)

    async def weighing(
        self, number: int, priority: int | None, weight: float | None
    ) -> wire.Weighed:
        """As `weigh`."""
        return await self._client.weigh(number, priority, weight)

    async def logging(self, number: int) -> dict[str, Any] | None:
        """As `log`."""
        return await self._client.log(number)

    async def looking(self) -> dict[str, Any]:
        """As `status`."""
        return await self._client.status()

    async def watching(self, number: int) -> Watched:
        """It is watched from now on; returns when something is known of it."""
        watched = self._jobs.get(number)
        if watched is None or _says_nothing(watched.outcome):
            self._jobs[number] = watched = Watched(number)
            self._portal.nursery.start_soon(self._watch, watched)
        await watched.known.wait()
        return watched

    async def _watch(self, watched: Watched) -> None:
        lost = FleetLost(CLOSED)
        try:
            number = watched.number
            async with aclosing(self._client.watch(number, number in self._heard)) as news:
                async for one in news:
                    if isinstance(one, wire.Outcome):
                        watched.outcome.set_result(one)
                    else:
                        watched.latest = one
                    watched.known.set()
        except FleetLost as error:
            lost = error
        finally:
            if not watched.outcome.done():
                watched.outcome.set_exception(lost)
            watched.known.set()
            watched.ring()
            self._heard.pop(watched.number, None)


def _says_nothing(outcome: Future[wire.Outcome]) -> bool:
    """Whether it is to be asked for again: the fleet was lost, or had no such job yet."""
    return outcome.done() and (
        outcome.exception() is not None or outcome.result().state == "unknown"
    )
