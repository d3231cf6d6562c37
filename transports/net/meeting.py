"""From a stream to a process that has greeted, for who dials and for who is dialled."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio

from transports.logs import event
from transports.net.dialling import Backoff, ConnectError, origin, parsed
from transports.net.errors import NotGreeted
from transports.net.greeting import Greeting, Me
from transports.net.peer import Link
from transports.net.security import Security
from transports.net.strangers import GREETING_SECONDS, Strangers
from transports.net.tls import shake_hands
from transports.net.wire import Hello

Meant = Callable[[Hello], bool]  # whether a connection to this one is of use


class Meeting:
    """How this process meets others."""

    def __init__(
        self, me: Me, security: Security, dial: Callable[[str], Awaitable[trio.abc.Stream]]
    ) -> None:
        self.backoff = Backoff()
        self.strangers = Strangers()
        self.closed = False
        self._me = me
        self._security = security
        self._dial = dial

    async def welcomed(self, stream: trio.abc.Stream) -> tuple[Hello, Link] | None:
        """Whoever has dialled this process; None, and the stream is closed, if it is refused."""
        who, greeted = origin(stream), None
        try:
            if not self.closed:
                with self.strangers.waiting() as stranger:
                    greeted = await self._answered(stream)
                if stranger.scope.cancelled_caught:
                    event(logging.WARNING, "refused", peer=who, reason=stranger.reason)
        except NotGreeted as error:
            level = logging.INFO if error.quiet else logging.WARNING
            event(level, "refused", peer=who, reason=error)
        except MemoryError:
            event(logging.WARNING, "refused", peer=who, reason="no memory is left here for it")
        finally:
            if greeted is None:
                await trio.aclose_forcefully(stream)
        return greeted

    async def _answered(self, stream: trio.abc.Stream) -> tuple[Hello, Link]:
        if self._security.server:
            stream = await shake_hands(stream, self._security.server, None)
        greeting = Greeting(stream, self._me, self._security.token, dials=False)
        hello = await greeting.hear()
        await greeting.prove()
        return hello, Link(stream, greeting.frames, dialled=None)

    async def reached(self, address: str, meant: Meant, at_once: bool) -> tuple[Hello, Link] | None:
        """Whoever is dialled there; None if it is of no use any more.

        Raises ConnectError, also where it was not reached a short while ago, unless `at_once`.
        """
        if address.startswith("#"):
            raise ConnectError(f"{address}: it does not listen, only it can dial")
        if not at_once and not self.backoff.ready(address):
            raise ConnectError(f"{address}: it was not reached just now")
        try:
            return await self._tried(address, meant)
        except ConnectError:
            self.backoff.failed(address)
            raise

    async def _tried(self, address: str, meant: Meant) -> tuple[Hello, Link] | None:
        stream, greeted = await self._dial(address), None
        try:
            with trio.fail_after(GREETING_SECONDS):
                greeted = await self._introduced(address, stream, meant)
        except NotGreeted as error:
            raise ConnectError(f"{address}: {error}", error.final) from error
        except trio.TooSlowError:
            why = f"it did not greet within {GREETING_SECONDS:g} s"
            raise ConnectError(f"{address}: {why}: see whether it is overloaded") from None
        finally:
            if greeted is None:
                await trio.aclose_forcefully(stream)
        return greeted

    async def _introduced(
        self, address: str, stream: trio.abc.Stream, meant: Meant
    ) -> tuple[Hello, Link] | None:
        if self._security.client:
            stream = await shake_hands(stream, self._security.client, parsed(address).host)
        greeting = Greeting(stream, self._me, self._security.token, dials=True)
        hello = await greeting.hear()
        if not meant(hello):  # it has dialled this process meanwhile, or has another name
            return None
        await greeting.prove()
        return hello, Link(stream, greeting.frames, dialled=address)
