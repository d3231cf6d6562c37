"""100,000 frames that nobody should send, to processes in the middle of a computation.

Frames are drawn by a seed. Those who take no part in the computation change nothing; those who do
may lie about what they computed, which nobody verifies, but not bring a process down.
"""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from core import messages as m
from core.sessions.messages import NODE_BITS
from tests.transports.living import HELPER, HOST, Intruder, Life, life, settled
from tests.transports.process.intruding import EVIL, NUMBER
from tests.transports.process.junk import CALLS, CLASSES, Junk
from tests.transports.talking import Stranger
from transports.net import wire
from transports.net.frames import HEADER
from transports.process.process import Process, nodes_of

NODES = 50
BATCH = 100
SESSIONS = 13
GROWTH_BYTES_MAX = 200 * 2**20
OUTSIDE = [call for call in CALLS if call not in (m.Arrive, m.Open)]  # who says no other, is it


@pytest.fixture(autouse=True)
def errors() -> Iterator[list[str]]:
    """What was logged as an error of this program; there must be nothing."""
    found: list[str] = []

    class Finder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    handler, log = Finder(logging.ERROR), logging.getLogger("million_nodes.tcp")
    before, log.propagate = log.propagate, False
    log.addHandler(handler)
    yield found
    log.removeHandler(handler)
    log.propagate = before
    assert [line for line in found if line.startswith("failed")] == []


def junk(lived: Life, seed: int, calls: list[Any] = OUTSIDE) -> Junk:
    """That knows what is under way there."""
    hosts = [process.host for process in lived.processes.values()]
    snapshots = [r.state.snapshot() for host in hosts for r in host.reflectors.values()]
    return Junk(seed, lived.shape, nodes_of(NUMBER, NODES), snapshots, calls)


async def begun(lived: Life) -> list[bytes]:
    """Have some pieces finished; returns the frames that the host has heard."""
    for _ in range(4):
        lived.finish_one()
        await settled(lived.host)
    return [*lived.host.heard]


async def say(intruder: Intruder, draw: Callable[[], bytes], count: int) -> None:
    """So many at least, while the computation goes on."""
    end = intruder.said + count
    while intruder.said < end:
        await intruder.say([draw() for _ in range(BATCH)])


def kept(process: Process) -> dict[str, int]:
    """How much it keeps of each kind that is not to grow with what strangers say."""
    host, strangers = process.host, process.connections.peers.keys() - {HOST, HELPER, EVIL, "#3"}
    return {
        "strangers": len(strangers),
        "held": len(process.held_calls.held) + len(process.held_calls.held_bytes),
        "queue": len(process.queue),
        "transfers": len(process.values.transfers._coming),
        "waiting": max(0, len(host.waiting) - SESSIONS),
        "kept": max(0, len(host.backups.facts) - SESSIONS),
        "reflectors": max(0, len(host.reflectors) - SESSIONS),
        "replicas": max(0, len(process.following.replicas) - 2 * SESSIONS),
        "tries": max(0, len(process.connections._meeting.backoff.tries) - 1000),
    }


def is_small(process: Process) -> bool:
    """Whether nothing is kept of those who have gone."""
    assert not any((found := kept(process)).values()), found
    return True


async def test_what_outsiders_say_changes_nothing(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path) as lived:
        real = await begun(lived)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        drawn = junk(lived, 1)
        said = 0
        for target, typed, broken, noise in (
            (lived.host, 70_000, 5_000, 1_000),
            (lived.helper, 23_000, 1_000, 200),
        ):
            intruder = Intruder(lived, target, NUMBER, None, NODES)
            await say(intruder, drawn.frame, typed)
            lived.finish_one()
            await say(intruder, lambda: drawn.broken(drawn.random.choice(real)), broken)
            lived.finish_one()
            await say(intruder, drawn.noise, noise)
            said += intruder.said
            assert lived.host.outcome is None
            await intruder.leave()
        assert said >= 100_000
        ended = await lived.finish()
        assert ended == lived.right
        assert all(is_small(process) for process in lived.processes.values())
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        assert grown * 1024 < GROWTH_BYTES_MAX


async def test_who_has_not_greeted_is_not_heard(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path) as lived:
        real = await begun(lived)
        drawn = junk(lived, 2)
        heard = lived.host.connections.frames_received
        for i in range(1500):
            draw = (drawn.frame, drawn.noise, lambda: drawn.random.choice(real))[i % 3]
            stream = lived.stream(lived.host)
            await stream.send_all(draw() + b"".join(real))
            with trio.fail_after(60):
                await Stranger(stream).is_left_alone()
        assert lived.host.connections.frames_received == heard
        assert await lived.finish() == lived.right


@pytest.mark.parametrize("seed", range(3))
async def test_who_takes_part_brings_nobody_down(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, seed: int
) -> None:
    async with life(tmp_path) as lived:
        await begun(lived)
        drawn = junk(lived, seed, [*CALLS, m.Arrive, m.Arrive, m.Open])
        for target, address in ((lived.host, None), (lived.helper, EVIL), (lived.host, EVIL)):
            intruder = Intruder(lived, target, NUMBER, address, NODES)
            for _ in range(20):
                arrivals = [arrival(session) for session in drawn.sessions[:4]]
                await intruder.say(arrivals)
                await say(intruder, drawn.frame, 100)
                lived.finish_one()
                await intruder.leave()
            await settled(target)
        await all_is_well(lived)


def arrival(session: str) -> bytes:
    node = NUMBER << NODE_BITS
    return wire.encode(wire.Call(session, node, m.Arrive(node, None, None)))


async def answers(lived: Life, process: Process) -> bool:
    """Whether it is alive, and has time for others."""
    stranger = Stranger(lived.stream(process))
    await stranger.greet()
    await stranger.say(wire.encode(wire.Ask()))
    with trio.fail_after(60):
        while not isinstance(said := await stranger.hear(), wire.Told):
            assert said is not None
    return True


async def all_is_well(lived: Life) -> None:
    """Some time later, when nothing waits for anything any more."""
    await trio.sleep(600)  # by the testing clock
    await settled(lived.host)
    for process in (lived.host, lived.helper):
        assert is_small(process)
        assert await answers(lived, process)


@pytest.mark.parametrize("seed", range(3))
async def test_who_hosts_brings_nobody_down(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, seed: int
) -> None:
    """The host of a session says junk to those who follow it."""
    async with life(tmp_path) as lived:
        await begun(lived)
        drawn = junk(lived, seed)
        host = Host(drawn)
        there = m.Place("0", (EVIL,))
        intruder = Intruder(lived, lived.helper, NUMBER, EVIL, NODES)
        for round_ in range(60):
            node = lived.helper.enter((2 << NODE_BITS) + 100 + round_, there).node
            await intruder.say([host.follow(), *[host.frame(node) for _ in range(40)]])
        await intruder.leave()
        await all_is_well(lived)


class Host:
    """Says what a host of the root would say, more or less."""

    def __init__(self, junk: Junk) -> None:
        self.junk = junk
        self.seq = 0
        self.snapshots = [s for s in junk.snapshots if s["session"] == "0"]

    def follow(self) -> bytes:
        snapshot = {**self.junk.random.choice(self.snapshots)}
        self.seq = snapshot["seq"]
        if self.junk.chance(0.3):
            self.junk._spoil(snapshot)
        return wire.encode(wire.Follow(m.Place("0", (EVIL,)), snapshot, b""))

    def frame(self, node: int) -> bytes:
        junk = self.junk
        if junk.chance(0.2):
            data = ["Answer", "0", node, junk.typed(m.Reply)]
        else:
            self.seq += 1
            message = junk.typed(m.Message)
            if junk.chance(0.3):
                message = ["Joined", node, None, None, junk._claims(), False]
            data = ["Ordered", "0", self.seq, junk.pick(1.0, junk._seconds()), message]
        encoded = wire._ENCODER.encode(data)
        return HEADER.pack(len(encoded)) + encoded


def test_all_that_can_be_said_is_drawn() -> None:
    assert {wire.Call, wire.Follow, wire.Ordered, wire.Answer, wire.Chunk} < {*CLASSES}
    assert {m.StateTransfer, m.Backup, m.Vote, m.Finished} < {*CALLS}
