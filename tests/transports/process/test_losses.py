"""What another process says to be lost, where the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from core import Host
from core import messages as m
from core.messages import Place
from tests.transports.net.samples import shown
from tests.transports.process.claims import HELLO, HERE, NODE, SHAPE, column, opened, snapshot
from transports.net.errors import RemoteProtocolError
from transports.process.trust import Trust

KEEPING = attrs.evolve(SHAPE, keep_going=True)  # each of its three child sessions has 9 partitions
PIECE = ["0-0-2", 8, "no"]
LOSSES: list[tuple[Any, bool]] = [  # of slot 0 of the root; and whether it can be
    ([2, [PIECE, ["0-0", None, ""]]], True),
    ([9, [PIECE] * 20], True),
    ([9, []], True),
    ([0, []], False),
    ([10, []], False),
    ([2**70, []], False),
    ([9, [PIECE] * 21], False),
    ([1, [["0-1", None, ""]]], False),
    ([1, [["0-0", 9, ""]]], False),
    ([1, [["0-0", True, ""]]], False),
    ([1, [["0-0", 1, "x" * 2001]]], False),
    ([1, [["0-0", 1]]], False),
    ([1, 5], False),
    ([1], False),
    (5, False),
    ({"count": 1}, False),
]


@pytest.fixture
def keeping(host: Host) -> Trust:
    host.reflectors.clear()
    return Trust(KEEPING, host)


def refused(say: Callable[[], object]) -> bool:
    try:
        say()
    except RemoteProtocolError:
        return True
    return False


@pytest.mark.parametrize(("loss", "good"), LOSSES, ids=shown)
def test_what_is_known_to_be_lost_lies_under_its_slot(
    keeping: Trust, trust: Trust, loss: Any, good: bool
) -> None:
    facts, state = m.Backup("0", {0: [None, 0.5, loss]}), opened()
    done = {**column("done", 1), "done": b"\1\0\0", "free": 2, "remaining": 2}
    brought = snapshot(**done, lost=[[0, loss]], plan=KEEPING.plain())
    for say in (
        lambda: keeping.check(HELLO, "0", NODE, facts),
        lambda: keeping.check_answer("0", facts, listens=True),
        lambda: keeping.check_ordered(state, 1.0, m.Restored(facts.facts, None)),
        lambda: keeping.followed(Place("0", (HERE,)), brought),
    ):
        assert refused(say) is not good
    assert refused(lambda: trust.check(HELLO, "0", NODE, facts))  # nothing is lost in that job
    with pytest.raises(RemoteProtocolError):
        trust.followed(Place("0", (HERE,)), {**brought, "plan": SHAPE.plain()})


@pytest.mark.parametrize(("loss", "good"), [case for case in LOSSES if type(case[0]) is list][:11])
def test_what_is_ordered_as_lost_lies_under_its_slot(keeping: Trust, loss: Any, good: bool) -> None:
    state = opened()
    lost: Any = (loss[0], tuple(map(tuple, loss[1])))
    message = m.Finished(NODE, (0,), [1], 0.5, lost)
    several = m.Finished(NODE, (0, 1), [1, 1], 0.5, lost)
    typed = all(type(piece[1]) is not bool for piece in loss[1])  # the wire sees to that
    assert refused(lambda: keeping.check_ordered(state, 1.0, message)) is not (good or not typed)
    assert refused(lambda: keeping.check_ordered(state, 1.0, several))


def test_what_one_process_has_another_keep_of_losses_has_a_limit(
    keeping: Trust, host: Host
) -> None:
    shape = attrs.evolve(KEEPING, partitions=2000, fanout=2000, levels=1)
    trust = Trust(shape, host)
    lost = [None, 0.5, [1, [["0", None, "x" * 2000]] * 20]]
    assert trust.check(HELLO, "0", NODE, m.Backup("0", dict.fromkeys(range(50), lost)))
    assert refused(
        lambda: trust.check(HELLO, "0", NODE, m.Backup("0", dict.fromkeys(range(51), lost)))
    )
    host.backups.facts["0"] = dict.fromkeys(range(30), lost)
    assert trust.check(HELLO, "0", NODE, m.Backup("0", dict.fromkeys(range(10, 50), lost)))
    assert not trust.check(HELLO, "0", NODE, m.Backup("0", dict.fromkeys(range(50, 80), lost)))
