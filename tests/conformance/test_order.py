"""One order for all: what is published comes back to everyone, its publisher too."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from core import messages as m
from tests.conformance.deployment import Opener

TOGETHER = pytest.mark.parametrize("together", [1, 3])  # nodes a process


@TOGETHER
async def test_every_replica_sees_the_same_at_the_same_numbers_and_times(
    opened: Opener, autojump_clock: MockClock, together: int
) -> None:
    async with opened(partitions=9, fanout=3) as there:
        await there.form(9, together)
        there.hands.finish(*there.people("0-2")[:2])
        await there.until(lambda: len(there.done("0-2")) == 2 and there.agree("0-2"))
        own = there.record.of("0-2").entries
        followed = there.record.following("0-2")
        assert bool(followed) == bool(there.followers("0-2"))
        assert all(log.entries[-1] == own[-1] for log in followed)
        await there.finish()
        assert there.record.check() > 20


async def test_joining_and_leaving_are_in_the_order(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=9, fanout=3) as there:
        await there.form(9)
        gone, stays = there.followers("0-1")
        there.crash(gone)
        await there.until(lambda: gone not in there.people("0-1") and there.agree("0-1"))
        messages = there.record.of("0-1").messages
        joined = [said.node for said in messages if isinstance(said, m.Joined)]
        assert joined == [there.leader("0-1"), gone, stays]
        (log,) = (log for log in there.record.following("0-1") if stays in log.nodes)
        assert log.messages[-1] == messages[-1] == m.Left(gone)
        await there.finish()


async def test_what_was_published_counts_when_it_comes_back(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=9, fanout=3) as there:
        await there.form(9)
        node = there.followers("0-1")[0]
        view, replica = there.view(node, "0-1"), there.replica(node, "0-1")
        assert view is not None
        (slot,) = view.claims
        there.hands.finish(node)
        await there.until(lambda: view.unacknowledged is not None)
        assert view.claims == (slot,)
        assert not replica.model.slots.done[slot]
        await there.until(lambda: view.unacknowledged is None)
        assert replica.model.slots.done[slot]
        (log,) = (log for log in there.record.following("0-1") if node in log.nodes)
        own = [s for s in log.messages if isinstance(s, m.Finished) and s.node == node]
        assert [said.slots for said in own] == [(slot,)]
        await there.finish()


async def test_what_one_publishes_stays_in_order_and_is_there_once(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=9, fanout=3) as there:
        await there.form(9)
        people = there.people("0-1")
        for number in range(20):
            for node in people:
                there.publish(node, "0-1", remark(node, number))

        def heard() -> list[m.Failed]:
            return [s for s in there.record.of("0-1").messages if isinstance(s, m.Failed)]

        await there.until(lambda: len(heard()) == 60 and there.agree("0-1"))
        for node in people:
            numbers = [said.failure.error for said in heard() if said.node == node]
            assert numbers == [str(number) for number in range(20)]
        for log in there.record.following("0-1"):
            said = [s for s in log.messages if isinstance(s, m.Failed)]
            assert said[-60:] == heard()
        await there.finish()
        there.record.check()


def remark(node: m.Node, number: int) -> m.Failed:
    """What anybody may say, and nothing follows from: too late for any step of a leader."""
    return m.Failed(node, None, m.Failure("0-1", None, str(number)), False, before=-1)
