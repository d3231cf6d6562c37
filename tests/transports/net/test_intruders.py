"""Whoever comes to the port by mistake or in bad faith, on real sockets, while a job is computed.

Each costs one line in the log, or none where it merely goes away, and the job does not notice.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trustme

from tests.transports.living import Life, life, settled
from tests.transports.logged import warnings
from tests.transports.talking import Stranger, serve, until
from transports.net import connection, strangers, wire, writing
from transports.net.frames import HEADER
from transports.net.security import Security

SECONDS_MAX = 60  # before something is called hung
Visit = Callable[[trio.SocketStream], Awaitable[None]]


async def scan(stream: trio.SocketStream) -> None:
    """A port scanner: connects, and goes with a reset."""
    linger = b"\x01\0\0\0\0\0\0\0"
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    stream.socket.close()


async def browse(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await Stranger(stream).is_left_alone()


async def secure(stream: trio.SocketStream) -> None:
    context = ssl.create_default_context()
    with suppress(trio.BrokenResourceError):
        await trio.SSLStream(stream, context, server_hostname="localhost").do_handshake()


async def greet_by_halves(stream: trio.SocketStream) -> None:
    await stream.send_all(wire.encode(connection.Me(9, None).hello(token=False))[:20])
    await Stranger(stream).is_left_alone()


async def announce_4_gigabytes(stream: trio.SocketStream) -> None:
    await stream.send_all(b"\xff" * 4)
    await Stranger(stream).is_left_alone()


async def greet(stream: trio.SocketStream) -> None:
    """A good process, but without TLS."""
    hello = wire.encode(connection.Me(9, None).hello(token=False))
    with suppress(trio.BrokenResourceError):
        await stream.send_all(hello)
    await Stranger(stream).is_left_alone()


async def announce_4_gigabytes_later(stream: trio.SocketStream) -> None:
    stranger = Stranger(stream)
    await stranger.greet()
    await stranger.say(b"\xff" * 4)
    await stranger.is_left_alone()


async def speak_in_tongues(stream: trio.SocketStream) -> None:
    stranger = Stranger(stream)
    await stranger.greet()
    await stranger.say(HEADER.pack(3) + b"\xc1\xc1\xc1")
    await stranger.is_left_alone()


async def never_read(stream: trio.SocketStream) -> None:
    """Asks, and does not listen."""
    stranger = Stranger(stream)
    await stranger.greet()
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while True:
            await stranger.say(wire.encode(wire.Ask()))
            await trio.lowlevel.checkpoint()


PLAIN: list[tuple[Visit, str | None]] = [
    (scan, None),
    (browse, "it speaks HTTP"),
    (secure, "it speaks TLS"),
    (greet_by_halves, "did not greet within"),
    (announce_4_gigabytes, "4294967295 bytes"),
    (announce_4_gigabytes_later, "4294967295 bytes"),
    (speak_in_tongues, "malformed frame"),
    (never_read, "does not read"),
]


async def visited(
    lived: Life, visit: Visit, line: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Have it come in the middle of a job, which ends as it should."""
    lived.host.station.status = lambda: {"much": "x" * 100_000}
    address = await serve(lived.nursery, lived.host.connections.accept)
    host, _, port = address.rpartition(":")
    for _ in range(4):
        lived.finish_one()
        await settled(lived.host)
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        await visit(stream)
    if line is not None:
        await until(lambda: bool(warnings(caplog)))
    assert await lived.finish() == lived.right
    assert {peer.name for peer in lived.host.connections.peers.values()} <= set(lived.processes)
    assert len(warnings(caplog)) == (line is not None), warnings(caplog)
    assert line is None or line in warnings(caplog)[0]


@pytest.mark.parametrize(("visit", "line"), PLAIN, ids=lambda it: getattr(it, "__name__", ""))
async def test_an_intruder_costs_one_line(
    visit: Visit,
    line: str | None,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if visit is greet_by_halves:  # others may be slow to greet
        monkeypatch.setattr(strangers, "GREETING_SECONDS", 0.2)
    monkeypatch.setattr(writing, "WAITING_BYTES_MAX", 2**22)
    async with life(tmp_path, seconds_max=SECONDS_MAX) as lived:
        await visited(lived, visit, line, caplog)


@pytest.mark.parametrize(
    ("visit", "line"),
    [(scan, None), (browse, "TLS"), (greet, "does not speak TLS")],
    ids=lambda it: getattr(it, "__name__", ""),
)
async def test_an_intruder_on_a_port_with_tls_costs_one_line(
    visit: Visit, line: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(server)
    async with life(tmp_path, seconds_max=SECONDS_MAX) as lived:
        lived.host.connections._meeting._security = Security(None, server)
        await visited(lived, visit, line, caplog)
