"""Replicas of a session, one a process: what they tell the views that are there."""

from __future__ import annotations

from typing import Any

import pytest

from core import Replica, Shape
from core import messages as m
from tests.core.story import session


class View:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def seated(self, seat: Replica, commands: list[Any]) -> None:
        self.log.append(("seated", *commands))

    def on(self, seat: Replica, command: Any) -> None:
        self.log.append(command)


def replica(*nodes: int) -> tuple[Replica, dict[int, Any]]:
    found = Replica(session(Shape.root(2, 2)), m.Place("0", (0,)))
    views: dict[int, Any] = {node: View() for node in nodes}
    found.views.update(views)
    return found, views


def test_a_replica_tells_its_own_views_and_no_others() -> None:
    one, views = replica(1)
    one.apply(1, 0.0, m.Joined(1, None, None, (), False))
    one.apply(2, 0.0, m.Joined(2, None, None, (), False))
    one.apply(3, 0.0, m.Given("all"))
    one.apply(4, 0.0, m.Prepared(["a", "b"]))
    assert views[1].log == [
        ("seated", m.TakeOver()),
        m.Prepare("all"),
        m.Compute("0", 0, (0,), ("a",)),
    ]


def test_a_replica_passes_over_what_it_has_seen() -> None:
    one, views = replica(1)
    joined = m.Joined(1, None, None, (), False)
    one.apply(1, 0.0, joined)
    one.apply(1, 0.0, joined)
    assert one.state.seq == 1
    assert views[1].log == [("seated", m.TakeOver())]


def test_a_replica_refuses_a_gap() -> None:
    one, _ = replica()
    one.apply(1, 0.0, m.Given("all"))
    with pytest.raises(ValueError, match="session 0: message 3 came after 1"):
        one.apply(3, 0.0, m.Alarm())
    assert one.state.seq == 1
