"""Leaving is noticed: a closed connection at once, a silent one after the heartbeat limit."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from core import messages as m
from tests.conformance.deployment import HEARTBEAT_SECONDS, Opener


async def test_a_closed_connection_is_noticed_at_once(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=9, fanout=3) as there:
        standby, session = await there.form_with_standby(10)
        gone = there.followers(session)[0]
        slot = there.slot(session, gone)
        crashed = there.now
        assert there.crash(gone) == [gone]
        await there.until(lambda: gone not in there.people(session))
        assert there.now - crashed < HEARTBEAT_SECONDS / 4
        assert there.record.of(session).messages.count(m.Left(gone)) == 1
        assert there.worker(session, slot) == standby
        await there.until(there.formed)
        await there.finish()


async def test_a_silent_connection_is_noticed_after_the_heartbeat_limit(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=9, fanout=3) as there:
        await there.form(9)
        silent = there.followers("0-1")[0]
        began = there.now
        there.silence(silent)
        await there.until(lambda: silent not in there.people("0-1"))
        assert 0.9 * HEARTBEAT_SECONDS < there.now - began < 1.5 * HEARTBEAT_SECONDS
        there.heal()
        await there.until(lambda: silent in there.people("0-1") and there.agree("0-1"))
        await there.finish()
        there.record.check()


async def test_who_is_quiet_has_not_left(opened: Opener, autojump_clock: MockClock) -> None:
    async with opened(partitions=9, fanout=3) as there:
        nodes = await there.form(9)
        await there.rest(5 * HEARTBEAT_SECONDS)
        assert there.formed()
        assert not [log for log in there.record.hosts.values() for s in log.messages if lost(s)]
        assert there.nodes == nodes
        await there.finish()


def lost(said: m.Message) -> bool:
    return isinstance(said, m.Left)


async def test_all_nodes_of_a_process_go_with_it(opened: Opener, autojump_clock: MockClock) -> None:
    async with opened(partitions=12, fanout=6) as there:
        nodes = await there.form(12, together=3)
        last = nodes[-1]
        crashed = there.now
        gone = there.crash(last)
        assert last in gone
        await there.until(lambda: not set(gone) & set(there.people("0-0") + there.people("0-1")))
        assert there.now - crashed < HEARTBEAT_SECONDS / 4
        await there.finish()


async def test_the_next_in_join_order_leads(opened: Opener, autojump_clock: MockClock) -> None:
    async with opened(partitions=9, fanout=3) as there:
        await there.form(9, listens=False)  # so that the sessions outlive whoever leads them
        first, second, third = there.people("0-1")
        assert there.leader("0-1") == first
        there.crash(first)
        await there.until(lambda: there.leader("0-1") == second and there.agree("0-1"))
        assert [there.replica(node, "0-1").leader for node in (second, third)] == [second, second]
        await there.finish()  # which the new leader hands up


@pytest.mark.parametrize("listens", [True, False], ids=["listening", "not listening"])
async def test_nobody_is_left_and_others_come(
    opened: Opener, autojump_clock: MockClock, listens: bool
) -> None:
    async with opened(partitions=9, fanout=3) as there:
        nodes = await there.form(9, listens=listens)
        there.hands.finish(*(node for node in nodes if node not in there.people("0-1")))
        await there.until(lambda: set(there.done("0")) == {0, 2})
        there.hands.finish(there.people("0-1")[1])
        await there.until(lambda: len(there.done("0-1")) == 1)
        slot = there.session("0-1").model.shape.first + there.done("0-1")[0]
        for node in nodes:
            if node in there.nodes:
                there.crash(node)
        await there.until(lambda: not there.people("0"))
        await there.form(2, listens=listens)
        await there.finish()
        outside = [p for p in range(9) if p not in range(3, 6)]
        assert {there.hands.times(p) for p in outside} == {1}  # the root knew of these
        if not listens:  # it is held by another process, and keeps its state
            assert there.hands.times(slot) == 1
