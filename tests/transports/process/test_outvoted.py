"""Replicas that a majority brings to its host: taken if they can be, and no end to the host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from core import messages as m
from core.messages import Value
from core.sessions.votes import digests
from tests.transports.living import life, settled
from tests.transports.process.intruding import NUMBER
from tests.transports.process.members import SECONDS_MAX, Member, connected, forged
from transports.process.process import Process


def all_done(member: Member) -> dict[str, Value]:
    count = len(member.reflector.model.slots)
    done = {"outputs": [5] * count, "done": b"\1" * count, "remaining": 0, "free": 0}
    return forged(member, **done, helpers=[], former=[])


def held_by_a_ghost(member: Member) -> dict[str, Value]:
    worker = [99 if node == member.node else node for node in member.reflector.model.slots.worker]
    return forged(member, worker=worker)


def with_a_ghost(member: Member) -> dict[str, Value]:
    return forged(member, people=[*member.reflector.members, 99])


def led_by_itself(member: Member) -> dict[str, Value]:
    others = [node for node in member.reflector.members if node != member.node]
    return forged(member, people=[member.node, *others], leader=member.node, observers=[])


def once_had_by_a_ghost(member: Member) -> dict[str, Value]:
    return forged(member, former=[[0, [99, 2**62]]], failed=[[1, [98]]])


@pytest.mark.parametrize(
    ("forge", "refused"),
    [
        (held_by_a_ghost, True),
        (with_a_ghost, True),
        (all_done, False),
        (led_by_itself, False),
        (once_had_by_a_ghost, False),
    ],
)
async def test_who_outvotes_a_host_does_not_end_it(
    forge: Callable[[Member], dict[str, Value]],
    refused: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Six, against the host and two who follow. What they agree on is believed, if it can be."""
    monkeypatch.setattr(Process, "vote_every", 1)
    async with life(tmp_path, 24, 24, seconds_max=SECONDS_MAX) as lived, AsyncExitStack() as stack:
        members: list[Member] = []
        for number in range(NUMBER, NUMBER + 6):
            member = await stack.enter_async_context(connected(lived, lived.host, number))
            await member.join()
            members.append(member)
        for _ in range(3):
            lived.finish_one()
            await settled(lived.host)
        bringer, state = members[0], members[0].reflector.state
        replica = forge(bringer)
        vote = m.Vote(state.epoch, state.seq, digests(replica))
        for member in members:
            await member.call(vote)
        while m.SendState() not in bringer.replies():
            assert await bringer.next() is not None
        await bringer.call(m.StateTransfer(replica))
        assert await bringer.is_cut() == (forge is held_by_a_ghost)
        assert lived.host.divergences >= 1
        assert (bringer.reflector.state is state) == refused
        for member in members[1:]:
            assert not await member.is_cut()
        await stack.aclose()
        for _ in range(30):
            lived.finish_one()
            await settled(lived.host)
        async with connected(lived, lived.host, 99) as asker:
            assert not await asker.is_cut()
        if refused:
            assert await lived.finish() == lived.right
