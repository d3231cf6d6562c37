"""Whoever comes to the port by mistake or in bad faith, on real sockets, while a job is computed.

Each costs one line in the log, or none where it merely goes away, and the job does not notice.
"""

from __future__ import annotations

import shutil
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest
import trio
import trustme
from trio.testing import MockClock

from core import Computation, Host, Session, Shape
from core import messages as m
from core.sessions.messages import NODE_BITS
from tests.transports.living import HOST, Intruder, Life, life, settled
from tests.transports.logged import warnings
from tests.transports.talking import Stranger, serve, until
from transports.net import connection, strangers, wire, writing
from transports.net.connection import Me
from transports.net.frames import HEADER
from transports.net.limits import CHUNK_BYTES
from transports.net.security import Security
from transports.process import held, incoming
from transports.process.process import Process
from transports.values.blobs import Blobs
from transports.values.content import Content
from transports.values.files import stored
from transports.values.handles import KEY

SECONDS_MAX = 20
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
    lived.host.status = lambda: {"much": "x" * 100_000}
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


# -- who has greeted -----------------------------------------------------------------------

NUMBER, EVIL = 77, "127.0.0.1:5009"
NODE = NUMBER << NODE_BITS
LARGE = {"\0blob": "ab" * 32, "size": 5000}


async def cut(lived: Life, target: Process, *said: wire.Envelope) -> bool:
    """Whether one who says that is."""
    intruder = Intruder(lived, target, NUMBER, EVIL)
    await intruder.say([wire.encode(envelope) for envelope in said])
    await settled(target)
    gone = EVIL not in target.connections.peers
    await intruder.leave()
    return gone


async def test_an_error_of_ours_costs_one_connection(
    autojump_clock: MockClock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receive = Host.receive

    def fails(host: Host, link: tuple[str, int], *arguments: Any) -> None:
        if link[0] == EVIL:
            raise LookupError("a mistake")
        receive(host, link, *arguments)

    monkeypatch.setattr(Host, "receive", fails)
    async with life(tmp_path) as lived:
        assert await cut(lived, lived.host, wire.Call("0", NODE, m.Leave()))
        assert any(line.startswith("failed") and "a mistake" in line for line in warnings(caplog))
        assert await lived.finish() == lived.right


async def test_nobody_has_a_process_follow_what_it_did_not_ask_for(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path) as lived:
        snapshot = lived.host.host.reflectors["0"].state.snapshot()
        for place in (m.Place("0", (EVIL,)), m.Place("0", (HOST,))):
            assert await cut(lived, lived.helper, wire.Follow(place, snapshot, b""))
        assert not any(name == EVIL for name, _ in lived.helper.following.replicas)
        lived.helper.views.asked.add((EVIL, "0"))
        assert await cut(lived, lived.helper, wire.Follow(m.Place("0", (HOST,)), snapshot, b""))
        lived.helper.views.asked.add((EVIL, "0"))
        follow = wire.Follow(m.Place("0", (EVIL,)), snapshot, b"")
        assert not await cut(lived, lived.helper, follow)


async def test_a_host_that_appoints_who_leads_already_is_cut_off(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no such step in the core's table of states."""
    async with life(tmp_path) as lived:
        place, ghost = m.Place("0", (EVIL,)), 99
        node = lived.helper.enter((2 << NODE_BITS) + 100, place).node
        joined = m.Joined(node, None, None, (), False)
        state = Session("0", (1,), Computation, lived.shape.plain())
        begins = wire.Follow(place, state.snapshot(), b"")
        appoints = wire.Ordered("0", 1, 1.0, joined)
        for message in (attrs.evolve(joined, node=ghost), joined):
            state.apply(1.0, message)
        repairs = wire.Follow(place, state.snapshot(), b"")
        again = wire.Ordered("0", 3, 1.0, m.Left(ghost))
        assert await cut(lived, lived.helper, begins, appoints, repairs, again)
        assert "APPOINT while LEADING" in caplog.text
        assert "failed" not in caplog.text
        assert await lived.finish() == lived.right


async def test_only_its_own_root_begins_anything_in_a_process(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path) as lived:
        begun: list[wire.Begin] = []
        lived.helper.on_begin = begun.append
        for place in (m.Place("0", (EVIL,)), m.Place("0", (HOST,))):
            begin = wire.Begin("evil", {}, "", 1, 2, None, 0, place, 0.0, bytes(32))
            assert await cut(lived, lived.helper, begin)
        assert begun == []


async def test_nobody_is_dialled_to_be_answered(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with life(tmp_path) as lived:
        lived.host.outgoing.say(EVIL, wire.Missing("ab" * 32))
        assert EVIL not in lived.host.connections.peers
        lived.host.outgoing.say(EVIL, wire.Fetch("ab" * 32, "0", 0, True))
        assert EVIL in lived.host.connections.peers


def finished(slot: int, value: Any = LARGE) -> wire.Call:
    return wire.Call("0", NODE, m.Finished(NODE, (slot,), [value], 1.0))


def take_part(lived: Life, *slots: int) -> None:
    """Have the intruder be in the root, and have been given these slots."""
    reflector = lived.host.host.reflectors["0"]
    reflector.members[NODE] = (EVIL, NODE)
    for slot in slots:
        reflector.model.slots.recall(slot, NODE)


async def test_what_waits_for_bytes_is_bounded(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "HELD_BYTES_MAX", 10 * held.HELD_CALL_BYTES)
    async with life(tmp_path) as lived:
        take_part(lived, 0)
        assert not await cut(lived, lived.host, finished(0))
        await trio.sleep(100)
        take_part(lived, 1)
        assert await cut(lived, lived.host, *[finished(1)] * 20)
        lived.host.host.reflectors["0"].members.pop(NODE, None)
        await trio.sleep(100)
        assert not lived.host.held_calls.held
        assert not lived.host.held_calls.held_bytes


async def test_bytes_are_fetched_only_for_who_takes_part(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path) as lived:
        intruder = Intruder(lived, lived.host, NUMBER, EVIL)
        await intruder.say([wire.encode(finished(0))])
        assert not lived.host.values.transfers._coming
        assert not lived.host.held_calls.held
        await intruder.leave()


class Bringer:
    """Takes part by hand, and has whatever values it is asked for."""

    def __init__(self, lived: Life, folder: Path) -> None:
        self.lived = lived
        self.stranger = Stranger(lived.stream(lived.host))
        self.blobs = Blobs(folder)
        self.sizes: Counter[str] = Counter()  # what was asked for
        self.replies: Counter[type] = Counter()

    def value(self, seed: int, size: int = 5000) -> Any:
        return stored(self.blobs.folder, Random(seed).randbytes(size))

    async def begin(self, *slots: int) -> None:
        await self.stranger.greet(Me(NUMBER, EVIL, 50))
        self.lived.nursery.start_soon(self._serve)
        await settled(self.lived.host)
        take_part(self.lived, *slots)

    async def say(self, *calls: wire.Envelope) -> None:
        await self.stranger.say(*map(wire.encode, calls))
        await settled(self.lived.host)

    async def _serve(self) -> None:
        while (heard := await self.stranger.hear()) is not None:
            if isinstance(heard, wire.Answer):
                self.replies[type(heard.reply)] += 1
            if isinstance(heard, wire.Fetch):
                self.sizes[heard.sha] += 1
                data = self.blobs.read(heard.sha, heard.offset, CHUNK_BYTES)
                size = self.blobs.size(heard.sha) or 0
                await self.stranger.say(
                    wire.encode(wire.Chunk(heard.sha, heard.offset, size, data))
                )


def blobs_of(process: Process) -> set[str]:
    return {path.name for path in process.blobs.folder.iterdir()} - {"lock"}


async def test_a_slot_takes_one_value_and_no_more(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """However many are brought for it, at once or one after the other."""
    async with life(tmp_path) as lived:
        bringer = Bringer(lived, tmp_path / "bringer")
        values = [bringer.value(seed) for seed in range(20)]
        await bringer.begin(0)
        await bringer.say(*[finished(0, value) for value in values])
        for value in values:
            await bringer.say(finished(0, value))
        assert [*bringer.sizes] == [values[0][KEY]]
        assert blobs_of(lived.host) == {values[0][KEY]}
        assert EVIL in lived.host.connections.peers  # what comes too late is no offence


async def test_a_value_that_came_too_late_does_not_stay(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with life(tmp_path) as lived:
        bringer = Bringer(lived, tmp_path / "bringer")
        late, other = bringer.value(1), bringer.value(2)
        await bringer.begin(0, 1)
        write = Content.write

        async def overtaken(content: Content, data: bytes) -> None:
            lived.host.host.reflectors["0"].order(m.Finished(NODE, (0,), [7], 1.0))
            monkeypatch.setattr(Content, "write", write)
            await write(content, data)

        monkeypatch.setattr(Content, "write", overtaken)
        await bringer.say(finished(0, late))
        await bringer.say(finished(1, other))
        assert {*bringer.sizes} == {late[KEY], other[KEY]}
        assert blobs_of(lived.host) == {other[KEY]}
        assert lived.host.held_calls.fetched == {NUMBER: other["size"]}


async def test_what_one_process_brings_is_bounded(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with life(tmp_path) as lived:
        lived.host.held_calls.values_max = 12_000
        bringer = Bringer(lived, tmp_path / "bringer")
        values = [bringer.value(seed) for seed in range(3)]
        await bringer.begin(0, 1, 2)
        await bringer.say(*[finished(slot, value) for slot, value in enumerate(values)])
        assert blobs_of(lived.host) == {value[KEY] for value in values[:2]}
        assert EVIL not in lived.host.connections.peers
        assert "more than 12000 bytes, which --values-max is for" in warnings(caplog)[0]


async def test_nothing_is_brought_that_nobody_here_knows_of(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path) as lived:
        bringer = Bringer(lived, tmp_path / "bringer")
        value = bringer.value(1)
        await bringer.begin()
        await bringer.say(wire.Fetch("ab" * 32, "0-1", 0, True))
        assert not lived.host.values.transfers._coming
        take_part(lived, 0)
        await bringer.say(finished(0, value))
        for other in (lived.helper, lived.silent):
            shutil.copy(bringer.blobs.path(value[KEY]), other.blobs.folder)
        lived.host.blobs.remove(value[KEY])
        await bringer.say(wire.Fetch(value[KEY], "0", 0, True))
        assert blobs_of(lived.host) == {value[KEY]}  # by way of who follows the session


async def test_what_is_kept_for_others_is_bounded(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it is too much nothing more is kept, until some of it is forgotten."""
    async with life(tmp_path) as lived:
        host, size = lived.host.host, 2000
        host.reflectors = {"0": host.reflectors["0"]}  # the others are elsewhere
        lived.host.backup_budget.bytes_max = 5 * size
        root = host.reflectors["0"]
        host.backups.facts.clear()
        root.members[NODE] = (EVIL, NODE)
        root.model.slots.worker[2] = NODE
        bringer = Bringer(lived, tmp_path / "bringer")
        await bringer.begin()

        def kept(number: int, slot: int) -> wire.Call:
            facts = {slot: (bytes(size), 1.0)}
            return wire.Call("0", NODE, m.Backup(f"0-2-{number}", facts))

        for _ in range(3):
            await bringer.say(*[kept(number, slot) for number in range(3) for slot in range(3)])
        assert 3 <= sum(map(len, host.backups.facts.values())) <= 5
        assert "not_kept" in warnings(caplog)[0]
        assert EVIL in lived.host.connections.peers
        host.backups.facts.clear()
        await trio.sleep(10)
        await bringer.say(kept(0, 0))
        assert [*host.backups.facts] == ["0-2-0"]


async def test_who_waits_for_a_session_is_bounded_and_others_are_told_to_ask_later(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path) as lived:
        await trio.sleep(11)  # nobody waits any more
        lived.host.host.reflectors = {"0": lived.host.host.reflectors["0"]}
        lived.host.calls.waiting_max, session = 20, "0-1-1"
        bringer = Bringer(lived, tmp_path / "bringer")
        await bringer.begin()
        arrivals = [wire.Call(session, NODE + i, m.Arrive(NODE + i, EVIL, None)) for i in range(50)]
        for _ in range(2):
            await bringer.say(*arrivals)
            assert (
                10 < len(lived.host.host.waiting[session]) <= lived.host.calls.count_waiting() <= 20
            )
            assert EVIL in lived.host.connections.peers
            assert bringer.replies.pop(m.TurnedAway) >= 30  # sent back, they would come at once
            await trio.sleep(11)  # they have been sent back by then, and are not counted any more
            assert session not in lived.host.host.waiting


async def test_what_one_has_said_does_not_keep_others_waiting(
    nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path
) -> None:
    """However much it says: only so much of it is read before it is that one's turn again."""
    said = wire.encode(wire.Ask())
    large = wire.encode(wire.Call("0", NODE, m.Given(bytes(2**20))))
    lived = Life(nursery, tmp_path, Shape.root(1, 2))  # in which nothing is done
    loud, heavy, quiet = (Stranger(lived.stream(lived.host)) for _ in range(3))
    for number, one in enumerate((loud, heavy, quiet), 7):
        await one.greet(Me(number, None))
    await loud.say(*[said] * 10 * incoming.SHARE_MAX)
    await settled(lived.host)
    await quiet.say(said)
    await settled(lived.host)
    assert len(lived.host.queue) == incoming.SHARE_MAX + 1
    await heavy.say(*[large] * 10)
    await settled(lived.host)
    heard = len(lived.host.queue) - incoming.SHARE_MAX - 1
    assert incoming.QUEUE_BYTES_MAX <= heard * len(large) < incoming.QUEUE_BYTES_MAX + len(large)
    nursery.start_soon(lived.host.run)
    assert isinstance(await quiet.hear(), wire.Told)
    await settled(lived.host)
    assert lived.host.incoming.waiting_bytes == 0
    assert [peer.doing for peer in lived.host.connections.peers.values()] == [0, 0]  # one is cut
