"""The chain of one node's views, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from core import Replica, Shape, Worker
from core import messages as m
from core.messages import Node, Place
from core.sessions.states import ASKING, GONE, LEADING, SEATED
from tests.core.story import session

ME: Node = 6
OVER = m.Ended("result")
ROOT = Place("0", (0,))
TREE = Shape.root(8, 2)


class Port:
    """Notes what is said, to which session, and how often all was over."""

    def __init__(self) -> None:
        self.said: list[tuple[Place, m.Call]] = []
        self.opened: list[str] = []
        self.over: list[m.Ended] = []
        self.end_key = b""

    def is_end(self, ended: m.Ended) -> bool:
        return True

    def send(self, view: Worker, place: Place, call: m.Call) -> None:
        self.said.append((place, call))

    def open(self, view: Worker, opening: m.Open) -> None:
        self.opened.append(opening.place.session)

    def later(self, view: Worker, seconds: float, place: Place) -> None: ...

    def ended(self, view: Worker, ended: m.Ended) -> None:
        self.over.append(ended)


def seated(view: Worker, shape: Shape, *commands: m.Command) -> Replica:
    """The view takes part where it had asked for a place, and that brought these."""
    replica = Replica(session(shape), view.place)
    view.seated(replica, list(commands))
    return replica


def leader() -> tuple[Port, Worker, Replica]:
    """A node that was given 0-0 and leads it; its upper view, and where that sits."""
    port: Any = Port()
    view = Worker(port, ME, ME, ROOT)
    view.enter(ROOT)
    root = seated(view, TREE, m.Lead(0, (1, 1)))
    seated(view.below, TREE.child(0), m.TakeOver())
    assert (view.state, view.below.state) == (SEATED, LEADING)
    return port, view, root


def orphan() -> tuple[Port, Worker]:
    """A node that leads 0-0-0 after its leader was lost, and looks for 0-0; its lower view."""
    port: Any = Port()
    place = Place("0-0-0", (0, 3, ME))
    view = Worker(port, ME, ME, place)
    view.enter(place)
    seated(view, TREE.child(0).child(0), m.TakeOver())
    assert (view.state, view.above.state, view.above.place) == (LEADING, ASKING, place.parent())
    return port, view


def test_who_hears_above_that_all_is_over_says_so_below() -> None:
    port, view, root = leader()
    below = view.below
    view.on(root, m.Stop(OVER))
    assert port.said[-1] == (below.place, OVER)
    assert port.over == [OVER]
    assert (view.state, below.state) == (GONE, GONE)


def test_who_waits_below_is_not_to_be_called_any_more_when_all_is_over() -> None:
    port, view, root = leader()
    below = view.below
    below.lost(ME)
    below.enter(below.place)
    below.answered(below.place, m.Wait())
    view.on(root, m.Stop(OVER))
    assert port.said[-1] == (below.place, m.Leave())
    assert port.over == [OVER]


def test_it_is_over_when_it_was_heard_below_first() -> None:
    port, view, root = leader()
    below = view.below
    below.on(below.seat, m.Stop(OVER))
    view.on(root, m.Stop(OVER))
    assert (view.state, below.state) == (GONE, GONE)
    assert set(map(repr, port.over)) == {repr(OVER)}
    assert OVER not in [call for _, call in port.said]


def test_who_has_heard_below_that_all_is_over_may_still_be_told_to_lead_another_session() -> None:
    port, view, root = leader()
    view.below.on(view.below.seat, m.Stop(OVER))
    view.on(root, m.Lead(1, (1, 1)))  # was on its way
    view.on(root, m.Stop(OVER))
    assert {one.state for one in view.chain()} <= {GONE}
    assert port.over


@pytest.mark.parametrize("address", [3, ME])
def test_who_has_heard_below_that_all_is_over_may_still_be_told_to_help(address: Node) -> None:
    port, view, root = leader()
    view.below.on(view.below.seat, m.Stop(OVER))
    view.on(root, m.Visit(1, address))
    view.on(root, m.Stop(OVER))
    assert view.state is GONE
    assert port.over


@pytest.mark.parametrize("address", [3, ME])
def test_who_has_heard_below_that_all_is_over_may_still_be_sent_on_above(address: Node) -> None:
    port, view = orphan()
    above = view.above
    view.on(view.seat, m.Stop(OVER))
    above.answered(above.place, m.Redirect(Place("0-0-0", (0, 3, address))))
    for one in view.chain():
        one.answered(one.place, m.Stop(OVER))
    assert view.state is GONE
    assert port.over


def test_who_has_heard_below_that_all_is_over_may_still_be_seated_above() -> None:
    port, view = orphan()
    above = view.above
    view.on(view.seat, m.Stop(OVER))
    parent = seated(above, TREE.child(0), m.Lead(0, (2, 1, 1)))
    above.on(parent, m.Stop(OVER))
    assert (view.state, above.state) == (GONE, GONE)
    assert port.over


def test_what_is_to_be_kept_is_not_said_in_another_branch() -> None:
    port, view = orphan()  # it leads 0-0-0 on its own host, and looks for 0-0
    above = view.above
    above.answered(above.place, m.Redirect(Place("0-1", (0, 4))))
    seated(above, TREE.child(1))  # and was sent to 0-1 by now
    view.answered(view.place, m.Backup("0-0-0", {0: ("out", 0.1)}))
    view.on(view.seat, m.KeepBackup({0: ("out", 0.1)}))
    assert [(place.session, call) for place, call in port.said if isinstance(call, m.Backup)] == []


@pytest.mark.parametrize(
    ("route", "up"),
    [
        ((0, 3, 4), Place("0-1", (0, 3))),
        ((0, 3, 4, 4, 4), Place("0-1", (0, 3))),
        ((0, 4, 4), ROOT),
        ((4, 4, 4), Place("0", (4,))),  # it is the root's
    ],
)
def test_where_a_host_has_not_opened_a_session_its_others_are_not_asked_for(
    route: tuple[int, ...], up: Place
) -> None:
    port: Any = Port()
    place = Place("0-1-0-1-0"[: 2 * len(route) - 1], route)
    view = Worker(port, ME, ME, place)
    view.enter(place)
    view.answered(place, m.Absent())
    assert view.place == up
    assert port.said[-1][0] == up


def test_who_loses_its_host_asks_one_level_up_first_so_that_those_who_know_most_are_first() -> None:
    port: Any = Port()
    view = Worker(port, ME, ME, Place("0-1-0", (0, 4, 4)))
    view.enter(view.place)
    view.lost(4)
    assert view.place == Place("0-1", (0, 4))
