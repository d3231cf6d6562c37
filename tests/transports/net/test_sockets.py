"""Connections on real sockets, with TLS and without; and what does not belong on them."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterator

import pytest
import trio
import trustme

from tests.transports.talking import Net, Party, Stranger, said, serve, until
from transports.net import connection, strangers
from transports.net.connection import ConnectError
from transports.net.dialling import dial, origin
from transports.net.security import Security
from transports.net.strangers import GREETING_SECONDS

SECONDS_MAX = 60  # before something is called hung
TOKEN = b"a token of all of them"


@pytest.fixture
def nursery(nursery: trio.Nursery) -> Iterator[trio.Nursery]:
    nursery.cancel_scope.deadline = trio.current_time() + SECONDS_MAX
    return nursery  # type: ignore[return-value]  # it may be either


@pytest.fixture(scope="module")
def tls() -> Security:
    """The certificate of 127.0.0.1, and trust in who signed it."""
    return secured(ca := trustme.CA(), ca)


def secured(signs: trustme.CA, trusted: trustme.CA, host: str = "127.0.0.1") -> Security:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    signs.issue_cert(host).configure_cert(server)
    client = ssl.create_default_context()
    trusted.configure_trust(client)
    return Security(TOKEN, server, client)


@pytest.fixture(params=["plain", "TLS"])
def security(request: pytest.FixtureRequest, tls: Security) -> Security:
    return tls if request.param == "TLS" else Security(TOKEN)


async def party(nursery: trio.Nursery, security: Security, listens: bool = True) -> Party:
    """A process that dials real sockets, and listens on one."""
    net, box = Net(nursery), list[Party]()

    async def accept(stream: trio.SocketStream) -> None:
        await box[0].connections.accept(stream)

    net.dial = dial  # type: ignore[method-assign]  # the real one
    address = await serve(nursery, accept) if listens else None
    box.append(net.party(address, security))
    return box[0]


def lines(caplog: pytest.LogCaptureFixture, name: str) -> list[logging.LogRecord]:
    return [r for r in caplog.records if r.getMessage().startswith(name)]


# -- as it should be -----------------------------------------------------------------------


async def test_frames_arrive(nursery: trio.Nursery, security: Security) -> None:
    here, there = await party(nursery, security), await party(nursery, security)
    for i in range(1000):
        here.connections.send(there.me.name, said(f"{i} " + "x" * i))
        there.connections.send(here.me.name, said(i))
    await until(lambda: len(here.texts()) == len(there.texts()) == 1000)
    assert there.texts() == [f"{i} " + "x" * i for i in range(1000)]
    assert here.texts() == [str(i) for i in range(1000)]


async def test_a_frame_of_megabytes_arrives(nursery: trio.Nursery, security: Security) -> None:
    here, there = await party(nursery, security), await party(nursery, security)
    here.connections.send(there.me.name, said("x" * 10**7))
    await until(lambda: len(there.texts()) == 1)
    assert there.texts() == ["x" * 10**7]


async def test_cut_is_noticed_at_both_ends(nursery: trio.Nursery, security: Security) -> None:
    here, there = await party(nursery, security), await party(nursery, security, listens=False)
    peer = await there.connections.connect(here.me.name)
    await until(lambda: len(here.log) == 1)
    there.connections.cut(peer, "a test")
    await until(lambda: len(here.log) == len(there.log) == 2)
    assert here.log == [f"met {there.me.name}", f"lost {there.me.name}"]
    assert there.log == [f"met {here.me.name}", f"lost {here.me.name}"]


async def test_cut_ends_a_send_under_way(nursery: trio.Nursery, security: Security) -> None:
    """To somebody who does not read, so that its buffers are full."""
    here, there = await party(nursery, security), await party(nursery, security, listens=False)
    there.receiving = trio.Event()
    peer = await there.connections.connect(here.me.name)
    await until(lambda: len(here.log) == 1)
    for _ in range(40):
        here.connections.send_back(there.me.name, said("x" * 10**6))
    await trio.sleep(0.1)  # until the buffers are full, which nothing tells
    there.connections.cut(peer, "a test")
    here.connections.cut(here.peer(), "a test")
    await until(lambda: len(here.log) == len(there.log) == 2)
    await until(lambda: not here.connections._links and not there.connections._links)


async def test_everything_is_said_before_the_end(nursery: trio.Nursery, security: Security) -> None:
    here, there = await party(nursery, security), await party(nursery, security)
    for i in range(200):
        here.connections.send(there.me.name, said(f"{i} " + "x" * 10_000))
    with trio.fail_after(connection.CLOSING_SECONDS):
        await here.connections.close()
    assert [text.split()[0] for text in there.texts()] == [str(i) for i in range(200)]
    await until(lambda: there.log[-1] == f"lost {here.me.name}")
    assert here.log[-1] == f"lost {there.me.name}"


async def test_parting(nursery: trio.Nursery, security: Security) -> None:
    here, there = await party(nursery, security), await party(nursery, security)
    peer = await here.connections.connect(there.me.name)
    here.connections.send(there.me.name, said("last"))
    here.connections.part(peer)
    await until(lambda: len(there.log) == 3 and not here.connections._links)
    assert there.log == [f"met {here.me.name}", f"{here.me.name}: last", f"lost {here.me.name}"]


# -- who does not belong -------------------------------------------------------------------


FOREIGN = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "garbage": bytes(range(256)) * 64,
    "zeros": bytes(10_000),
    "long": b"\x7f\xff\xff\xff" * 4,
    "nothing": b"",
}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
async def test_whoever_says_something_else_is_one_line(
    nursery: trio.Nursery, security: Security, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    here, good = await party(nursery, security), await party(nursery, security)
    await good.connections.connect(here.me.name)
    async with await dial(here.me.name) as stream:
        bad = Stranger(stream)
        await bad.say(data)
        if data:
            await bad.is_left_alone()
    await until(lambda: bool(lines(caplog, "refused")))
    good.connections.send(here.me.name, said("still here"))
    await until(lambda: here.texts() == ["still here"])
    (line,) = lines(caplog, "refused")
    assert line.levelno == (logging.WARNING if data else logging.INFO)
    assert here.log[0] == f"met {good.me.name}"
    assert len(here.log) == 2


async def test_a_reset_is_no_reason_for_a_warning(
    nursery: trio.Nursery, security: Security, caplog: pytest.LogCaptureFixture
) -> None:
    """As a port scanner does it."""
    here = await party(nursery, security)
    host, port = here.me.name.split(":")
    with socket.create_connection((host, int(port))) as scanner:
        scanner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    await until(lambda: bool(lines(caplog, "refused")))
    assert [r.levelno for r in lines(caplog, "refused")] == [logging.INFO]


async def test_a_browser_with_tls_on_a_plain_port(
    nursery: trio.Nursery, tls: Security, caplog: pytest.LogCaptureFixture
) -> None:
    here = await party(nursery, Security(TOKEN))
    assert tls.client is not None
    async with await dial(here.me.name) as plain:
        stream = trio.SSLStream(plain, tls.client, server_hostname="127.0.0.1")
        with pytest.raises(trio.BrokenResourceError):
            await stream.do_handshake()
    (line,) = lines(caplog, "refused")
    assert "it speaks TLS, this process has no certificate" in line.getMessage()


async def test_many_who_never_greet_hold_nobody_up(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,500 of them; somebody who greets comes in between, and after."""
    monkeypatch.setattr(strangers, "GREETING_SECONDS", 2.0 * SECONDS_MAX)
    here = await party(nursery, Security(TOKEN))
    host, port = here.me.name.split(":")
    flood = list[socket.socket]()
    good = [await party(nursery, Security(TOKEN), listens=False) for _ in range(3)]
    try:
        for one in good:
            for _ in range(500):
                flood.append(socket.create_connection((host, int(port))))
                await trio.lowlevel.checkpoint()
            with trio.fail_after(GREETING_SECONDS):
                await one.connections.connect(here.me.name)
        waiting = here.connections._meeting.strangers._waiting
        await until(lambda: len(waiting) == 999)  # one had to go for who greeted
        assert [is_closed(one) for one in flood] == [True] * 501 + [False] * 999  # the oldest
        assert len(here.connections.peers) == 3
    finally:
        for one in flood:
            one.close()


def is_closed(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        return one.recv(1) == b""
    except BlockingIOError:
        return False


# -- TLS -----------------------------------------------------------------------------------


async def refused(nursery: trio.Nursery, dials: Security, listens: Security) -> ConnectError:
    """What is said where one process dials another."""
    there, here = await party(nursery, listens), await party(nursery, dials, listens=False)
    with pytest.raises(ConnectError) as error:
        await here.connections.connect(there.me.name)
    assert error.value.final
    assert "\n" not in str(error.value)
    assert there.log == []
    return error.value


async def test_a_certificate_that_others_signed(nursery: trio.Nursery) -> None:
    one, other = trustme.CA(), trustme.CA()
    error = await refused(nursery, secured(one, one), secured(other, other))
    assert "its certificate is not trusted" in str(error)
    assert "--tls-ca is to name who signed it" in str(error)


async def test_a_certificate_of_another_host(nursery: trio.Nursery) -> None:
    ca = trustme.CA()
    error = await refused(nursery, secured(ca, ca), secured(ca, ca, host="example.org"))
    assert "the certificate is to name its host" in str(error)


async def test_who_dials_plainly_where_tls_is_spoken(
    nursery: trio.Nursery, tls: Security, caplog: pytest.LogCaptureFixture
) -> None:
    error = await refused(nursery, Security(TOKEN), tls)
    assert "it may accept TLS only, which --tls-ca is for" in str(error)
    assert "it does not speak TLS, this process does" in lines(caplog, "refused")[0].getMessage()


async def test_who_dials_by_tls_where_none_is_spoken(
    nursery: trio.Nursery, tls: Security, caplog: pytest.LogCaptureFixture
) -> None:
    error = await refused(nursery, tls, Security(TOKEN))
    assert "it does not speak TLS" in str(error)
    assert (
        "it speaks TLS, this process has no certificate" in lines(caplog, "refused")[0].getMessage()
    )


async def test_tls_is_no_token(nursery: trio.Nursery, tls: Security) -> None:
    error = await refused(nursery, Security(b"another token", tls.server, tls.client), tls)
    assert "it does not know the token" in str(error)


async def test_nothing_can_be_read_on_the_way(nursery: trio.Nursery, tls: Security) -> None:
    """Somebody in between hands on what passes, and keeps it."""
    there, passed = await party(nursery, tls), bytearray()

    async def pump(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
        async for data in source:
            passed.extend(data)
            await sink.send_all(data)

    async def between(stream: trio.SocketStream) -> None:
        async with await dial(there.me.name) as onward, trio.open_nursery() as both:
            both.start_soon(pump, stream, onward)
            both.start_soon(pump, onward, stream)

    address = await serve(nursery, between)
    here = await party(nursery, tls, listens=False)
    here.connections.send(address, said("a secret"))
    await until(lambda: there.texts() == ["a secret"])
    assert len(passed) > 1000
    assert b"secret" not in passed
    assert b"Hello" not in passed


# -- dialling ------------------------------------------------------------------------------


async def test_where_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ConnectError, match=f"^{address}: nobody listens there: see whether"):
            await dial(address)


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:0", "127.0.0.1:99999", "a b:1", "#2a"])
async def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ConnectError) as error:
        await dial(address)
    assert error.value.final


async def test_the_other_end_has_a_socket_address(nursery: trio.Nursery) -> None:
    seen = list[str]()

    async def look(stream: trio.SocketStream) -> None:
        seen.append(origin(stream))

    stream = await dial(address := await serve(nursery, look))
    assert origin(stream) == address
    await until(lambda: bool(seen))
    assert isinstance(stream, trio.SocketStream)
    assert seen == [f"127.0.0.1:{stream.socket.getsockname()[1]}"]
    await stream.aclose()
