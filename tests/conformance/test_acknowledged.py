"""A publication is neither lost nor doubled by a connection that breaks just then."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from core import messages as m
from core.messages import Node
from tests.conformance.deployment import Deployment, Opener

BREAKS = pytest.mark.parametrize("lost", ["publication", "acknowledgement"])


def break_at(there: Deployment, lost: str, node: Node, host: Node) -> None:
    """Have the publication of `node` lost that comes now, or what it would know it by."""
    if lost == "publication":
        there.lose_next(node, host)
    else:
        there.lose_next(host, node)


def told(there: Deployment, session: str, slot: int) -> int:
    """How often an output of the slot was ordered."""
    said = there.record.of(session).messages
    return sum(1 for one in said if isinstance(one, m.Finished) and slot in one.slots)


@BREAKS
async def test_of_a_worker(opened: Opener, autojump_clock: MockClock, lost: str) -> None:
    async with opened(partitions=9, fanout=3) as there:
        await there.form(9)
        node, host = there.followers("0-1")[0], there.host_of("0-1")
        slot = there.slot("0-1", node)
        break_at(there, lost, node, host)
        there.hands.finish(node)
        await there.until(lambda: m.Left(node) in there.record.of("0-1").messages)
        await there.until(lambda: slot in there.done("0-1"))
        await there.until(lambda: there.view(node, "0-1") is not None and there.agree("0-1"))
        await there.rest(1.0)
        view, model = there.view(node, "0-1"), there.session("0-1").model
        assert view is not None
        assert view.unacknowledged is None
        assert told(there, "0-1", slot) == (1 if lost == "publication" else 2)
        assert model.slots.remaining == 3 - len(model.facts()) == 2
        assert there.hands.times(model.shape.first + slot) == 1
        await there.finish()
        there.record.check()


@BREAKS
async def test_of_a_leader(opened: Opener, autojump_clock: MockClock, lost: str) -> None:
    async with opened(partitions=9, fanout=3) as there:
        await there.form(9)
        leader = there.leader("0-1")
        break_at(there, lost, leader, there.submitter)
        there.hands.finish(*there.people("0-1"))
        await there.until(lambda: m.Left(leader) in there.record.of("0").messages)
        await there.until(lambda: 1 in there.done("0") and there.settled(leader))
        assert there.session("0").model.slots.remaining == 2
        await there.finish()
        assert all(there.hands.times(partition) == 1 for partition in range(3, 6))
        there.record.check()


@BREAKS
async def test_of_a_worker_whose_place_was_taken(
    opened: Opener, autojump_clock: MockClock, lost: str
) -> None:
    async with opened(partitions=9, fanout=3) as there:
        standby, session = await there.form_with_standby(10)
        node = there.followers(session)[0]
        slot = there.slot(session, node)
        break_at(there, lost, node, there.host_of(session))
        there.hands.finish(node)
        if lost == "publication":
            await there.until(lambda: there.computing(standby) and there.settled(node))
            there.hands.finish(standby)
        await there.until(lambda: slot in there.done(session) and there.agree(session))
        model = there.session(session).model
        assert model.slots.remaining == 3 - len(model.facts())
        await there.finish()
        there.record.check()
