"""Reaching another process: sockets, why it did not work, and when to try again."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable

import attrs
import trio

from transports.net import addresses

DIAL_SECONDS = 10.0
WAIT_SECONDS_MIN, WAIT_SECONDS_MAX = 0.1, 5.0  # after a try that failed


class ConnectError(Exception):
    """A process was not reached. The message is one line: who, why, and what to do.

    `final`: it is of no use to try again as it is. `absent`: nobody listens there.
    """

    def __init__(self, line: str, final: bool = False, absent: bool = False) -> None:
        super().__init__(line)
        self.final, self.absent = final, absent


async def dial(address: str) -> trio.abc.Stream:
    """A connection to whoever listens at `address`. Raises ConnectError."""
    where = parsed(address)
    try:
        with trio.fail_after(DIAL_SECONDS):
            return await trio.open_tcp_stream(where.host, where.port)
    except trio.TooSlowError:
        why = f"no answer within {DIAL_SECONDS:g} s: see whether a firewall lets it through"
        raise ConnectError(f"{address}: {why}") from None
    except socket.gaierror as error:
        why = f"unknown host ({error.strerror}): see whether the name is right"
        raise ConnectError(f"{address}: {why}") from error
    except OSError as error:
        first = _first(error)
        if isinstance(first, ConnectionRefusedError):
            why = "nobody listens there: see whether it runs"
            raise ConnectError(f"{address}: {why}", absent=True) from error
        raise ConnectError(f"{address}: not reached ({first.strerror or first})") from error


def parsed(address: str) -> addresses.Address:
    """The parts of an address to dial. Raises ConnectError."""
    try:
        return addresses.parse(address, port_min=1)
    except ValueError as error:
        raise ConnectError(str(error), final=True) from error


def _first(error: OSError) -> OSError:
    """Of those that it stands for: one for each address that the name has."""
    causes = error.__cause__
    if isinstance(causes, BaseExceptionGroup):
        return next((e for e in causes.exceptions if isinstance(e, OSError)), error)
    return causes if isinstance(causes, OSError) else error


def origin(stream: trio.abc.Stream) -> str:
    """The socket address of the other end, as far as there is one."""
    while isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    if not isinstance(stream, trio.SocketStream):
        return "memory"
    try:
        name = stream.socket.getpeername()
    except OSError:
        return "unknown"
    return str(addresses.Address(name[0], name[1])) if isinstance(name, tuple) else "unix"


async def end_sending(stream: trio.abc.Stream) -> None:
    """Have the other end notice that nothing more will come; reading goes on."""
    while isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    if isinstance(stream, trio.abc.HalfCloseableStream):
        await stream.send_eof()
    else:
        await stream.aclose()


@attrs.frozen
class Try:
    """The last one to reach an address, which failed."""

    wait: float  # seconds
    until: float


@attrs.define
class Backoff:
    """When each address may be dialled again. Each wait is at least half of what it could be."""

    tries: dict[str, Try] = attrs.Factory(dict)
    draw: Callable[[], float] = random.random

    def ready(self, address: str) -> bool:
        """Whether it may be dialled now."""
        last = self.tries.get(address)
        return last is None or trio.current_time() >= last.until

    def failed(self, address: str) -> None:
        """It was dialled, in vain."""
        last = self.tries.get(address)
        wait = min(2 * last.wait, WAIT_SECONDS_MAX) if last else WAIT_SECONDS_MIN
        now = trio.current_time()
        self.tries[address] = Try(wait, now + wait * (1 + self.draw()) / 2)

    def forget(self, address: str) -> None:
        """It is there."""
        self.tries.pop(address, None)

    def tidy_up(self) -> None:
        """Addresses that nobody dialled for long begin anew."""
        before = trio.current_time() - 2 * WAIT_SECONDS_MAX
        for address in [a for a, last in self.tries.items() if last.until < before]:
            del self.tries[address]
