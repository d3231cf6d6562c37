"""Whom a process dials to say something."""

from __future__ import annotations

from pathlib import Path

from trio.testing import MockClock

from tests.transports.living import life
from tests.transports.process.intruding import EVIL
from transports.net import wire


async def test_nobody_is_dialled_to_be_answered(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with life(tmp_path) as lived:
        lived.host.outgoing.say(EVIL, wire.Missing("ab" * 32))
        assert EVIL not in lived.host.connections.peers
        lived.host.outgoing.say(EVIL, wire.Fetch("ab" * 32, "0", 0, True))
        assert EVIL in lived.host.connections.peers
