"""Hosts die, and networks split: the answer is right, and what is known is not computed again."""

from __future__ import annotations

from random import Random

import pytest
from trio.testing import MockClock

from core.messages import Node
from tests.conformance.deployment import Deployment, Opener


def known(there: Deployment, session: str) -> list[int]:
    """The partitions of a leaf session that its host has acknowledged."""
    first = there.session(session).model.shape.first
    return [first + slot for slot in there.done(session)]


async def some_done(there: Deployment, *sessions: str) -> list[int]:
    """Have one piece of each done by one who does not hold the session, and all know of it."""
    for session in sessions:
        there.hands.finish(there.followers(session)[0])
        await there.until(lambda s=session: bool(there.done(s)) and there.agree(s))  # type: ignore[misc]
    return [partition for session in sessions for partition in known(there, session)]


async def test_the_host_of_an_interior_session_dies(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=27, fanout=3) as there:
        await there.form(27)
        acknowledged = await some_done(there, "0-1-0", "0-1-1", "0-1-2", "0-0-2")
        victim, epoch = there.leader("0-1"), there.session("0-1").state.epoch
        assert there.host_of("0-1") == there.host_of("0-1-0") == victim
        there.crash(victim)
        await there.until(lambda: there.open("0-1") and there.session("0-1").state.epoch > epoch)
        await there.until(lambda: there.open("0-1-0") and bool(there.done("0-1-0")))
        await there.finish()
        assert [there.hands.times(partition) for partition in acknowledged] == [1] * 4
        there.record.check()


async def test_what_a_whole_session_came_to_outlives_its_parents_host(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=27, fanout=3) as there:
        await there.form(27)
        there.hands.finish(*there.people("0-1-2"))
        await there.until(lambda: 2 in there.done("0-1") and there.agree("0-1"))
        there.crash(there.leader("0-1"))
        await there.until(lambda: there.open("0-1") and 2 in there.done("0-1"))
        await there.finish()
        assert [there.hands.times(partition) for partition in (15, 16, 17)] == [1] * 3


async def test_hosts_of_two_levels_die_at_once(opened: Opener, autojump_clock: MockClock) -> None:
    async with opened(partitions=27, fanout=3) as there:
        await there.form(27)
        acknowledged = await some_done(there, "0-1-1", "0-1-2", "0-2-0")
        there.crash(there.leader("0-1"))
        there.crash(there.leader("0-1-1"))
        await there.until(lambda: there.open("0-1-1") and bool(there.done("0-1-1")))
        await there.finish()
        # Nobody waits for replicas: who takes a slot before its old leader is back may begin one.
        assert [there.hands.times(partition) for partition in acknowledged][0::2] == [1, 1]
        assert there.hands.times(acknowledged[1]) <= 2


async def test_the_newer_leader_wins(opened: Opener, autojump_clock: MockClock) -> None:
    async with opened(partitions=16, fanout=4) as there:
        await there.form(16)
        older, *_, with_it = there.people("0-1")
        acknowledged = await some_done(there, "0-1")
        there.silence(older, with_it)
        await there.until(lambda: len(leaders(there, "0-1")) == 2)
        first, second = there.incarnations("0-1")
        assert first.state.epoch < second.state.epoch
        assert list(first.members) == [older, with_it]
        there.heal()
        await there.until(lambda: {older, with_it} <= set(second.members))
        await there.until(lambda: leaders(there, "0-1") == [second.state.leader])
        assert second.state.leader != older
        await there.finish()
        assert [there.hands.times(partition) for partition in acknowledged] == [1]
        there.record.check()


def leaders(there: Deployment, session: str) -> list[Node | None]:
    """Of all incarnations of a session in which there is anybody, the oldest first."""
    return [r.state.leader for r in there.incarnations(session) if r.members]


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("seed", range(3))
async def test_half_of_all_die_at_one_moment(
    opened: Opener, autojump_clock: MockClock, seed: int, together: int
) -> None:
    async with opened(partitions=27, fanout=3) as there:
        nodes = await there.form(24, together)
        random = Random(seed)
        there.hands.finish(*random.sample([n for n in nodes if there.computing(n)], 8))
        for node in random.sample(nodes, 12):
            if node in there.nodes:
                there.crash(node)
        await there.start(3, together)
        await there.finish()
        there.record.check()
