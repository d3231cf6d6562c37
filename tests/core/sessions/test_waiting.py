"""Those who wait until a session opens: many, each once, in the order in which they came."""

from __future__ import annotations

import time

import pytest

from core import Computation, Host, Shape
from core import messages as m
from core.messages import Node, Place
from tests.core.sessions.setup import Carrier

CROWD = 20_000
SECONDS_MAX = (
    3.0  # of a processor; where each looked for itself among all others it took 10 and more
)
SHAPE = Shape.root(9, 3).child(0)
OPENING = m.Open(Place(SHAPE.session, (0, 0)), (5, 1), SHAPE.plain())
OPENER, FIRST = 1, 100


def host(is_open: bool) -> Host:
    """One with that session, whose opener has not come yet; or without it."""
    found = Host(0, Carrier(), Computation)  # type: ignore[arg-type]
    if is_open:
        found.open(OPENER, OPENING)
    return found


def arrive(host: Host, node: Node) -> None:
    host.receive(node, node, SHAPE.session, m.Arrive(node, None, None))


def waiting(host: Host) -> list[Node]:
    """Who waits there, the first first."""
    if SHAPE.session in host.reflectors:
        return [*(host.reflectors[SHAPE.session].admission.early or {})]
    return [*host.waiting.get(SHAPE.session, {})]


@pytest.mark.parametrize("is_open", [False, True])
def test_many_who_wait_keep_nobody_waiting(is_open: bool) -> None:
    crowded, nodes = host(is_open), range(FIRST, FIRST + CROWD)
    began = time.process_time()
    for node in (*nodes, *nodes):
        arrive(crowded, node)
    assert len(waiting(crowded)) == CROWD
    for node in nodes:
        crowded.lose(node)
    assert waiting(crowded) == []
    assert time.process_time() - began < SECONDS_MAX


@pytest.mark.parametrize("is_open", [False, True])
def test_who_comes_again_waits_behind_the_others_and_once(is_open: bool) -> None:
    crowded = host(is_open)
    for node in (100, 101, 102, 100):
        arrive(crowded, node)
    assert waiting(crowded) == [101, 102, 100]
    crowded.lose(102)
    if not is_open:
        crowded.open(OPENER, OPENING)
    arrive(crowded, OPENER)
    assert [*crowded.reflectors[SHAPE.session].members] == [OPENER, 101, 100]
