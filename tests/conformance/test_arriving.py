"""Who comes late, who is sent on, who waits, and how many anybody has to do with."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from core.messages import Node
from core.sessions.digest import digest
from core.sessions.states import HELD, PAUSED
from tests.conformance.deployment import Deployment, Opener

LISTENING = pytest.mark.parametrize("listens", [True, False], ids=["listening", "not listening"])


@LISTENING
async def test_a_late_one_has_a_snapshot_and_all_that_comes_after_it(
    opened: Opener, autojump_clock: MockClock, listens: bool
) -> None:
    async with opened(partitions=8, fanout=4) as there:
        await there.form(2, listens=listens)
        early = await two_done(there)
        seq = there.session("0-0").state.seq
        (late,) = await there.form(1, listens=listens)
        assert there.people("0-0") == [early, late]
        (log,) = (log for log in there.record.following("0-0") if late in log.nodes)
        assert [entry.seq for entry in log.entries] == [seq + 1]
        assert log.entries[0].digest == there.record.of("0-0").entries[seq].digest
        assert same(there, late, early)

        there.hands.finish(late)
        await there.until(lambda: len(there.done("0-0")) == 3 and there.agree("0-0"))
        assert same(there, late, early)
        assert there.record.check() > 0
        await there.finish()


def same(there: Deployment, *nodes: Node) -> bool:
    """Whether what these read of their session is one content."""
    own = there.session("0-0").state
    states = [there.replica(node, "0-0") for node in nodes]
    contents = [digest(state.snapshot()) for state in states]
    models = all(state.model.plain() == own.model.plain() for state in states)
    people = all([*state.people] == [*own.people] for state in states)
    return models and people and set(contents) == {digest(own.snapshot())}


async def two_done(there: Deployment) -> Node:
    """Have two pieces of 0-0 done by the only one there, who begins a third."""
    early = there.leader("0-0")
    for done in (1, 2):
        there.hands.finish(early)
        await there.until(lambda: there.computing(early))
        assert len(there.done("0-0")) == done
    return early


async def test_a_late_one_can_take_the_place_of_any_other(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=8, fanout=4) as there:
        await there.form(2)
        early = await two_done(there)
        known = [partition for node, partition in there.hands.begun if node == early][:2]
        (late,) = await there.form(1)
        there.crash(early)  # who led the session, and held it
        await there.until(lambda: there.open("0-0") and there.leader("0-0") == late)
        assert there.host_of("0-0") == late
        assert set(there.done("0-0")) == {0, 1}
        await there.finish()
        assert [there.hands.times(partition) for partition in known] == [1, 1]


async def test_an_arrival_is_sent_on_without_a_message(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=27, fanout=3) as there:
        await there.form(12)
        full = [r for r in there.reflectors() if not r.model.leaf and not r.model.slots.free]
        assert {r.session for r in full} >= {"0", "0-0"}
        before = {r.session: (r.state.seq, list(r.members)) for r in full}
        more = await there.form(10)
        assert {r.session: (r.state.seq, list(r.members)) for r in full} == before
        assert all(there.chain(node)[0].place.session.count("-") == 2 for node in more)
        await there.finish()


async def test_nobody_has_more_people_or_standbys_than_the_fanout(
    opened: Opener, autojump_clock: MockClock
) -> None:
    async with opened(partitions=8, fanout=2) as there:
        most = {"people": 0, "standbys": 0}

        def check() -> None:
            for reflector in there.reflectors():
                people = sum(1 for node in reflector.members if node != there.submitter)
                most["people"] = max(most["people"], people)
                most["standbys"] = max(most["standbys"], len(reflector.admission.standbys))

        there.always.append(check)
        nodes = await there.form(30)
        away = [n for n in nodes if there.chain(n)[-1].state in (PAUSED, HELD)]
        assert len(away) == 30 - 8 - 4 * 2
        for node in nodes[:16]:  # so that those who were turned away are needed
            if node not in away:
                there.crash(node)
        await there.until(lambda: any(there.computing(node) for node in away))
        await there.finish()
        assert most == {"people": 2, "standbys": 2}


async def test_connections_are_bounded(opened: Opener, autojump_clock: MockClock) -> None:
    async with opened(partitions=27, fanout=3) as there:
        nodes = await there.form(27)
        limit = there.shape.fanout * there.shape.levels  # no standbys are there

        def most() -> int:
            return max(map(there.connected, [there.submitter, *nodes]))

        await there.until(lambda: most() <= limit and there.connected(there.submitter) == 3)
        await there.rest(30.0)
        assert most() <= limit
        await there.finish()
