"""Who says what it has no right to, on real sockets, in the middle of a job.

It is counted, named and cut off, and nobody else loses anything by it: the job ends as it should.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from core import messages as m
from core.messages import Place
from tests.transports.living import HELPER, life, settled
from tests.transports.logged import warnings
from tests.transports.process.intruding import EVIL, NUMBER
from tests.transports.process.members import (
    INTERIOR,
    KEY,
    LEAF,
    OTHER,
    SECONDS_MAX,
    Member,
    connected,
    forged,
    place,
)

Call = Callable[[Member], Any]


def failure(session: str, partition: int | None) -> m.Failure:
    return m.Failure(session, partition, "no")


def opening(member: Member, child: int, **changes: Any) -> m.Open:
    """That of a child session of the root, as it is assigned now."""
    state = member.reflector.state
    epoch = (*state.epoch, state.model.room.times(child))
    good = m.Open(place(f"0-{child}"), epoch, state.model.child_plan(child))
    return replace(good, **changes)


OFFENCES: list[tuple[str, tuple[int, int], Call]] = [
    ("a slot never given", LEAF, lambda me: m.Finished(me.node, (0,), [0], 1.0)),
    ("its own and another", LEAF, lambda me: m.Finished(me.node, (me.slot, 1), [0, 0], 1.0)),
    ("no slot at all", LEAF, lambda me: m.Finished(me.node, (16,), [0], 1.0)),
    ("too few outputs", LEAF, lambda me: m.Finished(me.node, (me.slot,), [], 1.0)),
    ("for another node", LEAF, lambda me: m.Finished(OTHER, (0,), [0], 1.0)),
    ("a child never given", INTERIOR, lambda me: m.Finished(me.node, (0,), [0], 1.0)),
    ("another moved", LEAF, lambda me: m.Moved(OTHER, Place("0", (EVIL,)))),
    ("ended", LEAF, lambda me: m.Ended(0)),
    ("ended with a key", LEAF, lambda me: m.Ended(0, None, KEY)),
    ("ended above", INTERIOR, lambda me: m.Ended(0, None, KEY)),
    ("finally", LEAF, lambda me: m.Failed(me.node, me.slot, failure("0", me.slot), True)),
    ("all of it", LEAF, lambda me: m.Failed(me.node, None, failure("0", None), True)),
    ("elsewhere", LEAF, lambda me: m.Failed(me.node, me.slot, failure("0", 0), False)),
    ("not of a child", INTERIOR, lambda me: m.Failed(me.node, me.slot, failure("0", 0), True)),
    ("not finally", INTERIOR, lambda me: m.Failed(me.node, me.slot, failure("0-14", 0), False)),
    ("a child of others", INTERIOR, lambda me: opening(me, 0)),
    ("a newer epoch", INTERIOR, lambda me: opening(me, me.slot, epoch=(1000, 99))),
    ("a newer parent", INTERIOR, lambda me: opening(me, me.slot, epoch=(1001, 1))),
    ("again", INTERIOR, lambda me: opening(me, me.slot, again=True)),
    ("another plan", INTERIOR, lambda me: opening(me, me.slot, plan=["0-14", 9, 9, 2, 3, False])),
    ("the root", INTERIOR, lambda me: m.Open(place("0"), (9999,), me.reflector.state.model.plan)),
    ("below a leaf", LEAF, lambda me: m.Key("0", KEY)),
    ("a key", INTERIOR, lambda me: m.Key("0-14", KEY)),
    ("the submitter", LEAF, lambda me: m.Arrive(me.node, None, None, observes=True)),
    ("another", LEAF, lambda me: m.Arrive(OTHER, None, None)),
    ("from elsewhere", LEAF, lambda me: m.Arrive(me.node, HELPER, None)),
    ("kept above", INTERIOR, lambda me: m.Backup("0", {0: [1, 1.0]})),
]
# What somebody honest may say too late: the leader has changed, or others hold it by now.
TOO_LATE: list[tuple[str, tuple[int, int], Call]] = [
    ("prepared", LEAF, lambda me: m.Prepared([0] * 16)),
    ("prepared above", INTERIOR, lambda me: m.Prepared([0] * 15)),
    ("given", LEAF, lambda me: m.Given(5)),
    ("moved", LEAF, lambda me: m.Moved(me.node, Place("0", (EVIL,)))),
    ("kept for another", INTERIOR, lambda me: m.Backup("0-0", {0: [5, 1.0]})),
    ("kept below another", INTERIOR, lambda me: m.Backup("0-0", {14: [5, 1.0]})),
    ("not asked", LEAF, lambda me: m.StateTransfer(forged(me, outputs=[5] * 16))),
    ("an old epoch", INTERIOR, lambda me: opening(me, me.slot, epoch=(999, 1))),
]


@pytest.mark.parametrize(("what", "shape", "call"), OFFENCES, ids=[what for what, *_ in OFFENCES])
async def test_an_offence_costs_the_connection_of_who_commits_it(
    what: str, shape: tuple[int, int], call: Call, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with life(tmp_path, *shape, seconds_max=SECONDS_MAX) as lived:
        others = {*lived.host.connections.peers}
        async with connected(lived, lived.host) as member:
            await member.join()
            said, before = call(member), member.reflector.state.seq
            opened = {*lived.host.host.reflectors}
            session = said.place.session if isinstance(said, m.Open) else "0"
            await member.call(said, session)
            assert await member.is_cut()
        assert lived.host.offences == 1
        (line,) = warnings(caplog)
        assert line.startswith(f"cut peer=#{NUMBER:x} ")
        assert f"{type(said).__name__} " in line
        assert isinstance(said, m.Arrive) or f"session {session} " in line
        await settled(lived.host)
        messages = member.reflector.state.seq - before
        assert messages == 1  # that it has left
        assert {*lived.host.host.reflectors} == opened
        assert others <= {*lived.host.connections.peers}
        assert await lived.finish() == lived.right


@pytest.mark.parametrize(("what", "shape", "call"), TOO_LATE, ids=[what for what, *_ in TOO_LATE])
async def test_what_may_be_late_counts_for_nothing(
    what: str, shape: tuple[int, int], call: Call, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with life(tmp_path, *shape, seconds_max=SECONDS_MAX) as lived:
        async with connected(lived, lived.host) as member:
            await member.join()
            said = call(member)
            opened, before = {*lived.host.host.reflectors}, member.reflector.state.snapshot()
            await member.call(said, said.place.session if isinstance(said, m.Open) else "0")
            assert not await member.is_cut()
            assert member.reflector.state.snapshot() == before
            assert {*lived.host.host.reflectors} == opened
            assert not lived.host.host.backups.facts
        assert lived.host.offences == 0
        assert warnings(caplog) == []
        assert await lived.finish() == lived.right


async def test_what_a_stranger_says_is_not_heard(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with life(tmp_path, *INTERIOR, seconds_max=SECONDS_MAX) as lived:
        async with connected(lived, lived.host) as member:
            before = member.reflector.state.snapshot()
            for call in (
                m.Finished(member.node, (0,), [0], 1.0),
                m.Failed(member.node, None, failure("0", None), True),
                m.Prepared([0] * 15),
                m.Given(5),
                m.Moved(member.node, Place("0", (EVIL,))),
                m.Ended(0, None, KEY),
                m.Backup("0-0", {0: [5, 1.0]}),
                m.StateTransfer(forged(member)),
                m.Vote((1000,), 1, {"outputs": "0" * 32}),
                m.Leave(),
            ):
                await member.call(call)
            await member.call(opening(member, 0), "0-0")
            assert not await member.is_cut()
            assert member.reflector.state.snapshot() == before
        assert warnings(caplog) == []
        assert await lived.finish() == lived.right
