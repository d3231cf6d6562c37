"""What a process keeps for others."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from core import messages as m
from tests.transports.living import life
from tests.transports.logged import warnings
from tests.transports.process.intruding import EVIL, NODE, Bringer
from transports.net import wire


async def test_what_is_kept_for_others_is_bounded(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it is too much nothing more is kept, until some of it is forgotten."""
    async with life(tmp_path) as lived:
        host, size = lived.host.host, 2000
        host.reflectors = {"0": host.reflectors["0"]}  # the others are elsewhere
        lived.host.backup_budget.bytes_max = 5 * size
        root = host.reflectors["0"]
        host.backups.facts.clear()
        root.members[NODE] = (EVIL, NODE)
        root.model.slots.worker[2] = NODE
        bringer = Bringer(lived, tmp_path / "bringer")
        await bringer.begin()

        def kept(number: int, slot: int) -> wire.Call:
            facts = {slot: (bytes(size), 1.0)}
            return wire.Call("0", NODE, m.Backup(f"0-2-{number}", facts))

        for _ in range(3):
            await bringer.say(*[kept(number, slot) for number in range(3) for slot in range(3)])
        assert 3 <= sum(map(len, host.backups.facts.values())) <= 5
        assert "not_kept" in warnings(caplog)[0]
        assert EVIL in lived.host.connections.peers
        host.backups.facts.clear()
        await trio.sleep(10)
        await bringer.say(kept(0, 0))
        assert [*host.backups.facts] == ["0-2-0"]
