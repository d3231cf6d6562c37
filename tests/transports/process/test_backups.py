"""What a process keeps for others."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from core import messages as m
from tests.transports.living import life
from tests.transports.logged import warnings
from tests.transports.process.intruding import EVIL, LARGE, NODE, Bringer
from transports.net import wire
from transports.process.backups import without_what_is_over


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


def test_what_is_told_by_a_session_above_is_not_told_again() -> None:
    """Unless it is a large value, whose bytes may not be to be had."""
    known = [
        m.Backup("0-1", {0: (7, 1.0), 1: (LARGE, 1.0)}),
        *[m.Backup(session, {0: (5, 1.0)}) for session in ("0-1-0", "0-1-0-2", "0-1-1", "0-1-2")],
    ]
    left = [kept.session for kept in without_what_is_over(known)]
    assert left == ["0-1", "0-1-1", "0-1-2"]


async def test_who_goes_hands_up_what_is_not_over(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with life(tmp_path, partitions=81) as lived:
        for _ in range(18):
            lived.finish_one()
            await wait_all_tasks_blocked()
        helper = lived.helper
        done = {(s, i) for s, r in helper.host.reflectors.items() for i in r.state.model.facts()}
        helper.leave()
        await helper.connections.close()
        await wait_all_tasks_blocked()
        kept = lived.host.host.backups.facts
        over = {session for session in kept if _above(session) in done}
        assert {_above(session) for session, _ in done} & done  # some are over
        assert kept
        assert not over


def _above(session: str) -> tuple[str, int]:
    name, _, number = session.rpartition("-")
    return name, int(number)
