"""What is said to those who join: who may say that a job begins, and that it is over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from core import messages as m
from core.messages import Place
from tests.transports.living import HOST, OPEN, Life, life
from tests.transports.logged import warnings
from tests.transports.process.intruding import EVIL, NUMBER
from tests.transports.process.members import KEY, LEAF, OTHER, SECONDS_MAX, connected
from tests.transports.talking import Stranger, serve, until
from transports.net import wire
from transports.net.connection import Me
from transports.net.dialling import dial
from transports.process.process import Process
from transports.process.station import Station
from transports.values.blobs import Blobs


def begin(root: str) -> wire.Begin:
    return wire.Begin("evil", {}, "", 1, 2, None, 0, Place("0", (root,)), 0.0, bytes(32))


def ordered_end(lived: Life, ended: m.Ended) -> list[wire.Envelope]:
    """By one of whom a node there has asked for a place."""
    lived.helper.views.asked.add((EVIL, "0"))
    snapshot = lived.host.host.reflectors["0"].state.snapshot()
    follow = wire.Follow(Place("0", (EVIL,)), snapshot, b"")
    return [follow, wire.Ordered("0", snapshot["seq"] + 1, 1.0, ended)]


ENDS: list[tuple[str, Callable[[Life], list[wire.Envelope]]]] = [
    ("Over", lambda lived: [wire.Over(b"")]),
    ("Over", lambda lived: [wire.Over(KEY)]),
    ("frame", lambda lived: [wire.Over(KEY, m.Failure("0", None, "x" * 200_000))]),
    ("Begin", lambda lived: [begin(EVIL)]),
    ("Begin", lambda lived: [begin(HOST)]),
    ("Stop", lambda lived: [wire.Answer("0", OTHER, m.Stop(m.Ended(0)))]),
    ("Stop", lambda lived: [wire.Answer("0", OTHER, m.Stop(m.Ended(0, None, KEY)))]),
    ("Key", lambda lived: [wire.Answer("0", OTHER, m.Key("0", KEY[1:]))]),
    ("Ended", lambda lived: ordered_end(lived, m.Ended(0))),
    ("Ended", lambda lived: ordered_end(lived, m.Ended(0, None, KEY))),
]


@pytest.mark.parametrize(("what", "said"), ENDS)
async def test_only_the_submitter_begins_and_ends(
    what: str,
    said: Callable[[Life], list[wire.Envelope]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        begun: list[wire.Begin] = []
        lived.helper.on_begin = begun.append
        async with connected(lived, lived.helper, address=EVIL) as intruder:
            with suppress(trio.BrokenResourceError):  # it is cut before all was sent
                await intruder.say(*map(wire.encode, said(lived)))
            assert await intruder.is_cut()
        assert lived.helper.offences == (what != "frame")  # that is seen before it is heard
        (line,) = warnings(caplog)
        assert line.startswith(f"cut peer={EVIL} ")
        assert f'reason="{what} ' in line
        assert (begun, lived.helper.over.is_set()) == ([], False)
        assert len(lived.helper.views.living) == 6
        assert HOST in lived.helper.connections.peers
        assert await lived.finish() == lived.right


async def test_who_shows_the_key_may_say_that_all_is_over(tmp_path: Path) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        async with connected(lived, lived.helper, address=EVIL) as other:
            await other.say(wire.encode(wire.Over(lived.host.end_key)))
            assert not await other.is_cut()
        assert lived.helper.over.is_set()
        assert lived.helper.end_shown == lived.host.end_key
        assert lived.helper.offences == 0


async def test_what_begins_is_heard_from_where_the_root_was_dialled(tmp_path: Path) -> None:
    """Not from who has dialled, nor from who was dialled for something else."""
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        begun: list[wire.Begin] = []
        station = Station(Me(NUMBER, None, 1), OPEN, lived.nursery)
        joining = Process(station, lived.nursery, Blobs(tmp_path / "joining"))
        joining.on_begin = begun.append
        lived.nursery.start_soon(joining.run)
        there: list[str] = []
        cut = trio.Event()

        async def pretend(stream: trio.SocketStream) -> None:
            stranger = Stranger(stream)
            await stranger.greet(Me(NUMBER + 1, there[0]), dials=False)
            await stranger.say(wire.encode(begin(there[0])))
            await stranger.is_left_alone()
            cut.set()

        there.append(await serve(lived.nursery, pretend))
        await joining.connections.connect(there[0])
        await cut.wait()
        assert (begun, joining.offences) == ([], 1)
        async with connected(lived, joining, NUMBER + 2, HOST) as pretender:
            assert lived.host.begun is not None
            await pretender.say(wire.encode(lived.host.begun))
            assert await pretender.is_cut()
        assert (begun, joining.offences) == ([], 2)
        await joining.reach(await serve(lived.nursery, lived.host.connections.accept))
        await until(lambda: bool(begun))
        assert begun == [lived.host.begun]
        assert joining.offences == 2


async def test_who_was_dialled_is_not_told_what_begins(tmp_path: Path) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        heard: list[wire.Envelope | None] = []

        async def listen(stream: trio.SocketStream) -> None:
            stranger = Stranger(stream)
            await stranger.greet(Me(NUMBER, None), dials=False)
            heard.append(await stranger.hear())

        address = await serve(lived.nursery, listen)
        lived.host.connections._meeting._dial = dial
        lived.host.connections.send(address, wire.encode(wire.Ask()))
        await until(lambda: bool(heard))
        assert heard == [wire.Ask()]
