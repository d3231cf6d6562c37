"""Bots of a fleet, which are waited for before its first job is cut."""

from __future__ import annotations

from typing import Any

import attrs
import trio
from trio.testing import MockClock

from transports.command.bots import AWAITED_SECONDS, Awaited


@attrs.define
class Launched:
    processes: int = 2
    running: int = 2


def awaited(launched: Launched) -> Awaited:
    bots: Any = launched
    return Awaited(4, bots)


async def test_bots_are_waited_for_until_all_have_been_there(autojump_clock: MockClock) -> None:
    bots = awaited(Launched())
    assert bots.seconds(2) == AWAITED_SECONDS
    assert bots.seconds(4) == 0.0
    assert bots.seconds(2) == 0.0  # they may go again
    late = awaited(Launched())
    await trio.sleep(AWAITED_SECONDS - 1)
    assert late.seconds(3) == 1
    await trio.sleep(1)
    assert late.seconds(3) == 0.0


async def test_bots_that_have_ended_are_not_waited_for(autojump_clock: MockClock) -> None:
    launched = Launched()
    bots = awaited(launched)
    assert bots.seconds(2) > 0
    launched.running = 1
    assert bots.seconds(2) == 0.0
