"""Replicas that do not fit together: whoever brings one is refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from core import messages as m
from core.messages import Place
from tests.transports.net.samples import shown
from tests.transports.process.claims import (
    FAILURE,
    HELLO,
    HERE,
    INF,
    NAN,
    NODE,
    SHAPE,
    column,
    opened,
    snapshot,
)
from transports.net.errors import RemoteProtocolError
from transports.process import soundness
from transports.process.trust import Trust

DIFFERENT = attrs.evolve(SHAPE, partitions=26)
GONE: dict[str, Any] = {"session": "0", "route": [HERE]}
LEFT: dict[str, Any] = {"people": [], "addresses": [], "leader": None}
ENDED = {"result": 1, "failure": None, "key": b"", "lost": None}


def steps(**changes: Any) -> list[Any]:
    """What a session says of the step that is to be taken in it."""
    usual = {"asked": [], "failed": [], "collected": [], "abort": None, "due": None, "wait": 5.0}
    return [*(usual | changes).values()]


SPOILT: list[dict[str, Any]] = [
    *[{name: []} for name in ("inputs", "outputs", "worker", "assigned", "started", "seconds")],
    *[{name: snapshot()[name] * 2} for name in ("outputs", "done", "worker", "seconds")],
    {"inputs": [1, 2]},
    {"inputs": "abc"},
    {"done": b""},
    {"done": b"\0\0\2"},
    {"done": "AAAA"},
    {"done": [0, 0, 0]},
    {"done": 2**40},
    column("seconds", NAN),
    column("seconds", -1.0),
    column("seconds", "1"),
    column("started", -INF),
    column("started", None),
    column("worker", "x"),
    column("worker", 99),
    column("worker", True),
    column("assigned", -1),
    column("assigned", 2**31),
    column("assigned", 2**64 - 1),
    column("assigned", 1.0),
    {"helpers": [[0, 99]]},
    {"helpers": [[3, NODE]]},
    {"helpers": [[-1, NODE]]},
    {"helpers": [[0, NODE], [0, NODE]]},
    {"helpers": [[0]]},
    {"helpers": {0: NODE}},
    {"aside": [[99, 1.0]]},
    {"aside": [[NODE, 1.0], [NODE, 1.0]]},
    {"aside": [[NODE, "1"]]},
    {"aside": [[NODE, NAN]]},
    {"aside": [NODE]},
    {"failed": [[3, [NODE]]]},
    {"failed": [[0, [NODE]], [0, []]]},
    {"failed": [[0, NODE]]},
    {"failed": [[0, ["x"]]]},
    {"former": [[3, [NODE]]]},
    {"former": [[-1, [NODE]]]},
    {"former": [[0, [NODE]], [0, []]]},
    {"former": [[0, NODE]]},
    {"former": [[0, ["x"]]]},
    {"claimed": 1},
    {"claimed": None},
    {"free": 0},
    {"remaining": 0},
    {"queue": [3]},
    {"queue": [-1]},
    {"queue": ["x"]},
    {"fresh": 4},
    {"fresh": -1},
    {"idle": [99]},
    {"idle": [NODE, NODE]},
    {"paces": [[NODE, NAN]]},
    {"paces": [[NODE, -1.0]]},
    {"paces": [[NODE, 1.0]]},
    {"paces": [[NODE, None]]},
    {"leader": 99},
    {"leader": []},
    {"people": [NODE, NODE]},
    {"people": [1], "leader": 1},
    {"people": [NODE, 1]},
    {"people": ["x"], "leader": "x"},
    {"people": [[NODE, None]]},
    {"people": 5},
    {"addresses": []},
    {"addresses": [[NODE, None], [1, None]]},
    {"addresses": [[NODE, None], [NODE, None]]},
    {"addresses": [[NODE, 5]]},
    {"observers": [1]},
    {"observers": [NODE]},
    {"plan": []},
    {"plan": {}},
    {"plan": DIFFERENT.plain()},
    {"plan": attrs.evolve(SHAPE, partitions=10**15, levels=1, fanout=10**15).plain()},
    {"plan": ["0", 27.0, *SHAPE.plain()[2:]]},
    {"session": "0-0"},
    {"session": 0},
    {"epoch": [1, 2]},
    {"epoch": "x"},
    {"seq": -1},
    {"seq": 2**53},
    {"steps": []},
    {"steps": steps(asked=[99])},
    {"steps": steps(asked=[NODE, NODE])},
    {"steps": steps(failed=[NODE] * 1001)},
    {"steps": steps(collected=[1, 2])},
    {"steps": steps(abort=[FAILURE.plain(), 1, []])},
    {"steps": steps(abort=[FAILURE.plain(), True, [NODE] * 1001])},
    {"steps": steps(due=NAN)},
    {"steps": steps(wait=NAN)},
    {"steps": steps(wait=0.0)},
    {"steps": steps(wait=2e9)},
    {"backoffs": [[1, [1, NAN]]]},
    {"backoffs": [[1, [-1, 1.0]]]},
    {"backoffs": [[1, [2**31, 1.0]]]},
    {"look": NAN},
    {"given": 1},
    {"steps": steps(abort=[{}, True, []])},
    {"steps": steps(abort=[{**FAILURE.plain(), "partition": "x"}, True, []])},
    {"moved": {"session": "0", "route": [HERE]}},
    {"moved": GONE | {"route": []}, **LEFT},
    {"moved": GONE | {"session": "0-9", "route": ["x", "y"]}, **LEFT},
    {"moved": GONE | {"route": [5]}, **LEFT},
    {"ended": {"result": 1}},
    {"ended": {**ENDED, "key": b"k" * 65}},
    {"ended": {**ENDED, "failure": 5}},
    {"ended": {**ENDED, "failure": {**FAILURE.plain(), "more": 1}}},
    {"ended": {**ENDED, "lost": [0, []]}},
    {"ended": {**ENDED, "lost": [1, [["0", 5]]]}},
    {"ended": {**ENDED, "lost": [1, [["x", 5, ""]]]}},
    {"ended": {**ENDED, "lost": [1, [["0", 5, "x" * 2001]]]}},
    {"ended": {**ENDED, "lost": [50, [["0", 5, ""]] * 21]}},
    {"lost": [[0, [1, []]]]},
    {"lost": [[3, [1, []]]]},
    {"lost": 5},
    {"unknown": 1},
]
LARGE: list[dict[str, Any]] = [
    {**column("outputs", "x" * 3000), "done": b"\1\0\0", "free": 2, "remaining": 2},
    {"inputs": [1, 2, "x" * 3000]},
    {"input": "x" * 3000},
    {"steps": steps(collected=["x" * 3000])},
    {"ended": {**ENDED, "result": "x" * 3000}},
]


@pytest.mark.parametrize("changes", SPOILT, ids=shown)
def test_a_replica_that_does_not_fit_together_is_refused(
    trust: Trust, changes: dict[str, Any]
) -> None:
    for say in (
        lambda: trust.check(HELLO, "0", NODE, m.StateTransfer(snapshot(**changes))),
        lambda: trust.followed(Place("0", (HERE,)), snapshot(**changes)),
    ):
        with pytest.raises(RemoteProtocolError) as error:
            say()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("changes", LARGE, ids=shown)
def test_no_replica_has_what_is_large(trust: Trust, changes: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError, match="Follow with a value above"):
        trust.followed(Place("0", (HERE,)), snapshot(**changes))
    with pytest.raises(RemoteProtocolError, match="StateTransfer with a value above"):
        trust.check(HELLO, "0", NODE, m.StateTransfer(snapshot(**changes)))


@pytest.mark.parametrize("name", sorted(snapshot()))
def test_each_field_of_a_replica_is_there(trust: Trust, name: str) -> None:
    assert name in soundness.FIELDS
    lacking = snapshot()
    del lacking[name]
    with pytest.raises(RemoteProtocolError, match=f"`{name}`"):
        trust.followed(Place("0", (HERE,)), lacking)


@pytest.mark.parametrize("value", [None, -1, 2**64 - 1, NAN, "x", b"x", [None], [[1]], {"x": 1}])
def test_no_field_of_a_replica_makes_anything_else_happen(trust: Trust, value: Any) -> None:
    for session in ("0", "0-0-0"):
        for name in snapshot():
            with suppress(RemoteProtocolError):
                route = (HERE,) * (session.count("-") + 1)
                trust.followed(Place(session, route), snapshot(session, **{name: value}))


def test_in_a_leaf_nobody_has_an_address(trust: Trust) -> None:
    place = Place("0-0-0", (HERE, HERE, HERE))
    trust.followed(place, snapshot("0-0-0"))
    with pytest.raises(RemoteProtocolError, match="addresses of others"):
        trust.followed(place, snapshot("0-0-0", addresses=[[NODE, None]]))


def test_an_observer_takes_no_part(trust: Trust) -> None:
    state = opened()
    state.apply(1.0, m.Joined(NODE, HERE, None, (), True))
    place, seen = Place("0", (HERE,)), state.snapshot()
    trust.followed(place, seen)
    for changes in ({"idle": [NODE]}, {"helpers": [[0, NODE]]}, {"observers": [NODE, NODE]}):
        with pytest.raises(RemoteProtocolError, match="observer"):
            trust.followed(place, {**seen, **changes})


@pytest.mark.parametrize("session", ["0-1", "0-1-1", "0", "0-00"])
def test_a_failure_is_of_its_session_or_of_one_below(trust: Trust, session: str) -> None:
    place, failure = Place("0-0", (HERE, HERE)), replace(FAILURE, session=session)
    with pytest.raises(RemoteProtocolError):
        trust.followed(place, snapshot("0-0", steps=steps(abort=[failure.plain(), True, [NODE]])))
    with pytest.raises(RemoteProtocolError):
        trust.check_ordered(opened("0-0"), 1.0, m.Failed(NODE, 0, failure, True))
    own = replace(FAILURE, session="0-0-1")
    trust.followed(place, snapshot("0-0", steps=steps(abort=[own.plain(), True, [NODE]])))
    trust.check_ordered(opened("0-0"), 1.0, m.Failed(NODE, 0, own, True))
