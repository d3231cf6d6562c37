"""Who waits at a host for a session to open."""

from __future__ import annotations

from pathlib import Path

import trio
from trio.testing import MockClock

from core import messages as m
from tests.transports.living import life
from tests.transports.process.intruding import EVIL, NODE, Bringer
from transports.net import wire


async def test_who_waits_for_a_session_is_bounded_and_others_are_told_to_ask_later(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path) as lived:
        await trio.sleep(11)  # nobody waits any more
        lived.host.host.reflectors = {"0": lived.host.host.reflectors["0"]}
        lived.host.calls.waiting_max, session = 20, "0-1-1"
        bringer = Bringer(lived, tmp_path / "bringer")
        await bringer.begin()
        arrivals = [wire.Call(session, NODE + i, m.Arrive(NODE + i, EVIL, None)) for i in range(50)]
        for _ in range(2):
            await bringer.say(*arrivals)
            assert (
                10 < len(lived.host.host.waiting[session]) <= lived.host.calls.count_waiting() <= 20
            )
            assert EVIL in lived.host.connections.peers
            assert bringer.replies.pop(m.TurnedAway) >= 30  # sent back, they would come at once
            await trio.sleep(11)  # they have been sent back by then, and are not counted any more
            assert session not in lived.host.host.waiting
