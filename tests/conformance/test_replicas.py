"""Replicas at one number are one content; one that differs is found, named and repaired."""

from __future__ import annotations

from trio.testing import MockClock

from core.sessions.digest import digest
from core.sessions.votes import HOST
from tests.conformance.deployment import Deployment, Divergence, Opener


def alike(there: Deployment, session: str) -> bool:
    """Whether all who are in a session have seen the same, and hold the same."""
    own = digest(there.session(session).state.snapshot())
    people = there.people(session)
    return there.agree(session) and {
        digest(there.replica(node, session).snapshot()) for node in people
    } == {own}


async def test_all_are_alike_whoever_comes_and_goes(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=16, fanout=4) as there:
        nodes = await there.form(12)
        for node in nodes[::3]:
            there.crash(node)
            await there.start(1)
            await there.until(there.formed)
            there.hands.finish(next(n for n in there.nodes if there.computing(n)))
        await there.until(lambda: all(alike(there, r.session) for r in there.reflectors()))
        await there.finish()
        assert there.record.check() > 50
        assert there.divergences == []


async def test_a_participants_replica_is_named_and_repaired(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=16, fanout=4) as there:
        await there.form(16)
        *others, wrong = there.followers("0-1")
        there.replica(wrong, "0-1").model.slots.assigned[3] += 1
        there.replica(wrong, "0-1").model.input = "something else"
        seq = there.session("0-1").state.seq
        assert not alike(there, "0-1")
        there.hands.finish(others[0])
        await there.until(lambda: bool(there.divergences))
        assert there.divergences == [Divergence("0-1", seq + 1, wrong, ("input", "assigned"))]
        await there.until(lambda: alike(there, "0-1"))
        there.hands.finish(wrong)
        await there.until(lambda: len(there.done("0-1")) == 2 and alike(there, "0-1"))
        await there.finish()
        assert len(there.divergences) == 1


async def test_the_hosts_own_replica_is_named_and_repaired(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=16, fanout=4) as there:
        await there.form(16)
        right = there.session("0-1").model.input
        there.session("0-1").model.input = "something else"
        seq = there.session("0-1").state.seq
        there.hands.finish(there.followers("0-1")[0])
        await there.until(lambda: bool(there.divergences))
        assert there.divergences == [Divergence("0-1", seq + 1, HOST, ("input",))]
        await there.until(lambda: there.session("0-1").model.input == right)
        await there.until(lambda: alike(there, "0-1"))
        await there.finish()


async def test_what_differs_in_the_root_is_repaired_too(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=16, fanout=4) as there:
        await there.form(16)
        wrong = there.followers("0")[-1]
        there.replica(wrong, "0").model.slots.worker[2] = None
        seq = there.session("0").state.seq
        there.hands.finish(*there.people("0-1"))
        await there.until(lambda: bool(there.divergences))
        assert there.divergences == [Divergence("0", seq + 1, wrong, ("worker",))]
        await there.until(lambda: alike(there, "0"))
        await there.finish()
