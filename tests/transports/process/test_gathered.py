"""What others are to keep, told together."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from core import messages as m
from core.messages import Facts, Place
from transports.process.gathered import MOMENT_SECONDS, Gathered
from transports.process.queue import Queue

HERE, ELSEWHERE = Place("0", ("a",)), Place("0", ("b",))
ONE, OTHER = "0-1", "0-2"


class View:
    """Of somebody who takes part."""

    def __init__(self) -> None:
        self.place = HERE
        self.takes_part = True


class Desk:
    """`told`: session and facts, in order."""

    def __init__(self, nursery: trio.Nursery) -> None:
        queue = Queue()
        nursery.start_soon(queue.run, lambda: None)
        self.view: Any = View()
        self.told: list[tuple[str, Facts]] = []
        self.gathered = Gathered(queue, self._say)

    def _say(self, view: Any, place: Place, kept: m.Backup) -> None:
        assert (view, place) == (self.view, self.view.place)
        self.told.append((kept.session, kept.facts))

    def tell(self, session: str, *slots: int) -> None:
        facts = {slot: (slot, 1.0) for slot in slots}
        self.gathered.tell(self.view, self.view.place, m.Backup(session, facts))

    def news(self) -> list[tuple[str, list[int]]]:
        """What was told since."""
        told, self.told = self.told, []
        return [(session, [*facts]) for session, facts in told]


@pytest.fixture
def desk(autojump_clock: MockClock, nursery: trio.Nursery) -> Desk:
    return Desk(nursery)


async def test_the_first_is_told_at_once_and_the_rest_together(
    autojump_clock: MockClock, desk: Desk
) -> None:
    desk.tell(ONE, 0)
    assert desk.news() == [(ONE, [0])]
    desk.tell(ONE, 1)
    desk.tell(OTHER, 5)
    desk.tell(ONE, 2)
    assert desk.news() == []
    await trio.sleep(3 * MOMENT_SECONDS)
    assert desk.news() == [(ONE, [1, 2]), (OTHER, [5])]


async def test_who_is_quick_tells_once_a_moment(autojump_clock: MockClock, desk: Desk) -> None:
    for slot in range(100):
        desk.tell(ONE, slot)
        await trio.sleep(MOMENT_SECONDS / 10)
    await trio.sleep(3 * MOMENT_SECONDS)
    told = [slots for _, slots in desk.news()]
    assert [slot for slots in told for slot in slots] == [*range(100)]
    assert 10 <= len(told) <= 12


async def test_after_a_quiet_moment_it_is_told_at_once_again(
    autojump_clock: MockClock, desk: Desk
) -> None:
    for slot in range(3):
        desk.tell(ONE, slot)
        assert desk.news() == [(ONE, [slot])]
        await trio.sleep(3 * MOMENT_SECONDS)


async def test_who_has_gone_elsewhere_tells_nothing_there(
    autojump_clock: MockClock, desk: Desk
) -> None:
    desk.tell(ONE, 0)
    desk.tell(ONE, 1)
    desk.view.place = ELSEWHERE
    desk.tell(ONE, 2)
    await trio.sleep(3 * MOMENT_SECONDS)
    assert desk.news() == [(ONE, [0]), (ONE, [2])]
    desk.tell(ONE, 3)
    desk.tell(ONE, 4)
    desk.view.takes_part = False
    await trio.sleep(3 * MOMENT_SECONDS)
    assert desk.news() == [(ONE, [3])]


async def test_all_of_it_can_be_told_without_waiting(autojump_clock: MockClock, desk: Desk) -> None:
    for slot in range(4):
        desk.tell(ONE, slot)
    desk.gathered.tell_all()
    assert desk.news() == [(ONE, [0]), (ONE, [1, 2, 3])]
    await trio.sleep(3 * MOMENT_SECONDS)
    assert desk.news() == []
