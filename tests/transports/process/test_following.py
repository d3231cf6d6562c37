"""What a process follows: only what its nodes have asked for, and only as it can be."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from trio.testing import MockClock

from core import Computation, Session
from core import messages as m
from core.sessions.messages import NODE_BITS
from tests.transports.living import HOST, life
from tests.transports.process.intruding import EVIL, cut
from transports.net import wire


async def test_nobody_has_a_process_follow_what_it_did_not_ask_for(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path) as lived:
        snapshot = lived.host.host.reflectors["0"].state.snapshot()
        for place in (m.Place("0", (EVIL,)), m.Place("0", (HOST,))):
            assert await cut(lived, lived.helper, wire.Follow(place, snapshot, b""))
        assert not any(name == EVIL for name, _ in lived.helper.following.replicas)
        lived.helper.views.asked.add((EVIL, "0"))
        assert await cut(lived, lived.helper, wire.Follow(m.Place("0", (HOST,)), snapshot, b""))
        lived.helper.views.asked.add((EVIL, "0"))
        follow = wire.Follow(m.Place("0", (EVIL,)), snapshot, b"")
        assert not await cut(lived, lived.helper, follow)


async def test_a_host_that_appoints_who_leads_already_is_cut_off(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no such step in the core's table of states."""
    async with life(tmp_path) as lived:
        place, ghost = m.Place("0", (EVIL,)), 99
        node = lived.helper.enter((2 << NODE_BITS) + 100, place).node
        joined = m.Joined(node, None, None, (), False)
        state = Session("0", (1,), Computation, lived.shape.plain())
        begins = wire.Follow(place, state.snapshot(), b"")
        appoints = wire.Ordered("0", 1, 1.0, joined)
        for message in (replace(joined, node=ghost), joined):
            state.apply(1.0, message)
        repairs = wire.Follow(place, state.snapshot(), b"")
        again = wire.Ordered("0", 3, 1.0, m.Left(ghost))
        assert await cut(lived, lived.helper, begins, appoints, repairs, again)
        assert "APPOINT while LEADING" in caplog.text
        assert "failed" not in caplog.text
        assert await lived.finish() == lived.right
