"""What a process may say of itself, of the computation, and of what it wants kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import msgspec
import pytest

from core import Computation, Host, Session, Shape
from core import messages as m
from core.messages import Place
from core.sessions.messages import NODE_BITS
from plugins.jobs.values import NESTING_MAX, plain
from tests.wired import wired
from transports.net import wire
from transports.net.errors import RemoteProtocolError
from transports.net.frames import HEADER
from transports.net.wire import NONCE_BYTES, Hello
from transports.process import soundness
from transports.process.trust import Trust

HERE, THERE = "127.0.0.1:5001", "127.0.0.1:5002"
NUMBER, NODES = 7, 10
NODE = NUMBER << NODE_BITS
OTHER = 8 << NODE_BITS
SHAPE = Shape.root(27, 3)
HELLO = Hello(wire.VERSION, NUMBER, THERE, NODES, False, bytes(NONCE_BYTES))
END = b"the end"
NAN, INF = float("nan"), float("inf")


class Carrier:
    """Carries nothing."""

    now = 0.0
    vote_every = 1

    def is_end(self, ended: m.Ended) -> bool:
        return ended.key == END

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *arguments: 2


@pytest.fixture
def host() -> Host:
    """With the root, and a first-level session, led by a node of another process."""
    carrier: Any = Carrier()
    made = Host(HERE, carrier, Computation)
    made.open(1, m.Open(Place("0", (HERE,)), (5,), SHAPE.plain()))
    made.receive((HERE, 1), 1, "0", m.Arrive(1, HERE, None, observes=True))
    made.receive((THERE, OTHER), OTHER, "0", m.Arrive(OTHER, None, None))
    made.open(OTHER, m.Open(Place("0-0", (HERE, HERE)), (5, 1), SHAPE.child(0).plain()))
    made.receive((THERE, OTHER), OTHER, "0-0", m.Arrive(OTHER, None, None))
    return made


@pytest.fixture
def trust(host: Host) -> Trust:
    return Trust(SHAPE, host)


def opened(session: str = "0", epoch: tuple[int, ...] | None = None) -> Session:
    """As it begins."""
    shape = SHAPE
    for part in session.split("-")[1:]:
        shape = shape.child(int(part))
    return Session(session, epoch or (4,) * (session.count("-") + 1), Computation, shape.plain())


def snapshot(session: str = "0", /, **changes: Any) -> dict[str, Any]:
    state = opened(session)
    state.apply(1.0, m.Joined(NODE, None, None, (), False))
    return {**state.snapshot(), **changes}


def column(name: str, value: Any) -> dict[str, Any]:
    """The changes of a snapshot that give its first slot that value."""
    _, *others = snapshot()[name]
    return {name: [value, *others]}


FAILURE = m.Failure("0", None, "no")
ENDED = {"result": 1, "failure": None, "key": b"", "lost": None}
LONG = m.Failure("0", None, "x" * 200_000)
GOOD: list[tuple[str, Any]] = [
    ("0", m.Arrive(NODE, None, None)),
    ("0", m.Arrive(NODE, THERE, 0.5, m.Past("0-1", (0, 2), (4,), 9))),
    ("0", m.StateTransfer(snapshot())),
    ("0", m.StateTransfer(snapshot(former=[[0, [99]], [1, [NODE, 1]]], seq=2**53 - 1))),
    ("0", m.Key("0-1", bytes(16))),
    ("0", m.Key("0-1", b"")),
    ("0", m.Vote((5,), 1, {"outputs": "0" * 32})),
    ("0", m.Leave()),
    ("0-0", m.Given({"a": [1]})),
    ("0-0", m.Prepared([1, 2, 3])),
    ("0", m.Finished(NODE, (0, 2), [1, 2], 0.1)),
    ("0", m.Failed(NODE, None, FAILURE, False)),
    ("0-0", m.Moved(NODE, Place("0-1", (HERE, THERE)))),
    ("0-0", m.Ended(None, FAILURE.plain())),
]
DIFFERENT = attrs.evolve(SHAPE, partitions=26)
BAD: list[tuple[str, Any]] = [
    ("1", m.Leave()),
    ("0-3", m.Leave()),
    ("0-00", m.Leave()),
    ("0-0-0-0", m.Leave()),
    ("", m.Leave()),
    ("0", m.Arrive(NODE, HERE, None)),
    ("0", m.Arrive(NODE, None, NAN)),
    ("0", m.Arrive(NODE, None, INF)),
    ("0", m.Arrive(NODE, None, -1.0)),
    ("0", m.Arrive(NODE, None, True)),
    ("0", m.Arrive(NODE, None, "1")),
    ("0", m.Arrive(NODE, None, [1.0])),
    ("0", m.Arrive(NODE, None, None, m.Past("0-9", (), (), 0))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (3,), (), 0))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (1, 1), (), 0))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (), (1,) * 9, 1))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (), (), -1))),
    ("0-1", m.Open(Place("0-1", (HERE,)), (5, 1), SHAPE.child(1).plain())),
    ("0-1", m.Open(Place("0-1", (HERE, HERE)), (5, 1), ["0-1", 9.0, 9, 2, 3, False])),
    ("0-1", m.Open(Place("0-1", (HERE, HERE)), (5, 1), ["0-1", 9, 9, 2, 3])),
    ("0-1", m.Open(Place("0-1", (HERE, HERE)), (5, 1), {"session": "0-1"})),
    ("0-1", m.Open(Place("0-1", (HERE, HERE)), (5, 1), None)),
    ("0", m.Backup("0-0", {3: (1, 1.0)})),
    ("0", m.Backup("0-0", {0: (1, NAN)})),
    ("0", m.Backup("0-0", {0: (1, -1.0)})),
    ("0", m.Backup("0-0", {0: (1, True)})),
    ("0", m.Backup("0-0", {0: (1, "1")})),
    ("0", m.Backup("0-0", {0: (1, 1.0, 1)})),
    ("0", m.Backup("0-0", {0: (1,)})),
    ("0", m.Backup("0-0", {0: 1})),
    ("0", m.Backup("0-0", {0: None})),
    ("0", m.Backup("0-7", {})),
    ("0", m.Backup("0-0", {0: ("x" * 3000, 1.0)})),
    ("0", m.Key("0-9", bytes(16))),
    ("0", m.Key("0-1", bytes(15))),
    ("0", m.Key("0-1", bytes(17))),
    ("0-1", m.Open(Place("0-2", (HERE, HERE)), (5, 1), SHAPE.child(2).plain())),
    ("0", m.Vote((5,), 1, {"x": ""})),
    ("0", m.Vote((5,), 1, {"outputs": "0" * 200})),
    ("0-0", m.Given("x" * 3000)),
    ("0-0", m.Ended("x" * 3000, None)),
    ("0-0", m.Ended(None, LONG.plain())),
    ("0-0", m.Ended(None, "no")),
    ("0-0", m.Ended(None, {})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "session": 0})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "session": "0\n"})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "partition": 1.5})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "partition": True})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "error": None})),
    ("0-0", m.Ended(None, {**FAILURE.plain(), "more": 1})),
    ("0-0", m.Moved(NODE, Place("0-1", (HERE,)))),
    ("0-0", m.Moved(NODE, Place("0-9", (HERE, HERE)))),
    ("0", m.Finished(NODE, (0, 0), [1, 1], 0.1)),
    ("0", m.Finished(NODE, (0,), [{"a": "x" * 3000}], 0.1)),
    ("0", m.Failed(NODE, 0, m.Failure("0", 0, "x" * 200_000), False)),
]
GONE: dict[str, Any] = {"session": "0", "route": [HERE]}
LEFT: dict[str, Any] = {"people": [], "addresses": [], "leader": None}


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


def shown(item: Any) -> str:
    return re.sub(" at 0x[0-9a-f]+", "", repr(item))[:60]  # the same in every process


@pytest.mark.parametrize(("session", "call"), GOOD, ids=shown)
def test_what_can_be_true_counts(trust: Trust, session: str, call: Any) -> None:
    assert trust.check(HELLO, session, NODE, call)


@pytest.mark.parametrize(("session", "call"), BAD, ids=shown)
def test_what_cannot_be_is_refused(trust: Trust, session: str, call: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        trust.check(HELLO, session, NODE, call)


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


# -- what was lost, where the rest goes on -------------------------------------------------

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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seq": 2**52 - 1}, m.Left(5)),
        (column("assigned", 2**30 - 1), m.Joined(NODE + 1, None, None, (), False)),
    ],
    ids=shown,
)
def test_whoever_follows_can_bring_what_it_has_then(
    trust: Trust, changes: dict[str, Any], message: Any
) -> None:
    place = Place("0", (HERE,))
    state = trust.followed(place, snapshot(**changes))
    trust.check_ordered(state, 1.0, message)
    state.apply(1.0, message)
    trust.check(HELLO, "0", NODE, m.StateTransfer(state.snapshot()))
    name, value = next(iter(changes.items()))
    more = [one + 1 for one in value] if isinstance(value, list) else value + 1
    with pytest.raises(RemoteProtocolError, match="it has such"):
        trust.followed(place, snapshot(**changes | {name: more}))


def test_nobody_joins_twice(trust: Trust) -> None:
    state = trust.followed(Place("0", (HERE,)), snapshot())
    for observes in (False, True):
        with pytest.raises(RemoteProtocolError, match="Joined of somebody who is there"):
            trust.check_ordered(state, 1.0, m.Joined(NODE, None, None, (), observes))


@pytest.mark.parametrize("session", ["0-1", "0-1-1", "0", "0-00"])
def test_a_failure_is_of_its_session_or_of_one_below(trust: Trust, session: str) -> None:
    place, failure = Place("0-0", (HERE, HERE)), attrs.evolve(FAILURE, session=session)
    with pytest.raises(RemoteProtocolError):
        trust.followed(place, snapshot("0-0", steps=steps(abort=[failure.plain(), True, [NODE]])))
    with pytest.raises(RemoteProtocolError):
        trust.check_ordered(opened("0-0"), 1.0, m.Failed(NODE, 0, failure, True))
    own = attrs.evolve(FAILURE, session="0-0-1")
    trust.followed(place, snapshot("0-0", steps=steps(abort=[own.plain(), True, [NODE]])))
    trust.check_ordered(opened("0-0"), 1.0, m.Failed(NODE, 0, own, True))


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


@pytest.mark.parametrize("node", [NODE - 1, NODE + NODES, OTHER, -1, 2**62])
def test_nobody_speaks_for_the_nodes_of_others(trust: Trust, node: int) -> None:
    with pytest.raises(RemoteProtocolError, match="not one of its own"):
        trust.check(HELLO, "0", node, m.Leave())


def test_a_session_is_opened_by_the_way_to_the_one_above(trust: Trust, host: Host) -> None:
    place = Place("0-0", (HERE, HERE))
    assert trust.check(HELLO, "0-0", NODE, m.Open(place, (5, 1), SHAPE.child(0).plain()))
    assert trust.check(HELLO, "0-0", NODE, m.Open(place, (5, 1), tuple(SHAPE.child(0).plain())))
    other = m.Open(Place("0-0", (THERE, HERE)), (5, 1), SHAPE.child(0).plain())
    assert not trust.check(HELLO, "0-0", NODE, other)
    below = Place("0-2-0", (HERE, HERE, HERE))
    opening = m.Open(below, (5, 1, 1), SHAPE.child(2).child(0).plain())
    assert trust.check(HELLO, "0-2-0", NODE, opening)  # the core passes it over


def test_one_process_has_one_vote(trust: Trust, host: Host) -> None:
    for node in (NODE, NODE + 1):
        host.receive((THERE, node), node, "0", m.Arrive(node, THERE, None))
    reflector = host.reflectors["0"]
    vote = m.Vote((5,), max(reflector.repair.ballots), {"outputs": "x"})
    assert trust.check(HELLO, "0", NODE, vote)
    reflector.repair.ballots[vote.seq].votes[NODE] = vote.digests
    assert trust.check(HELLO, "0", NODE, vote)
    assert not trust.check(HELLO, "0", NODE + 1, vote)


def test_those_who_wait_for_sessions_are_bounded(
    trust: Trust, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.process.trust.WAITED_FOR_MAX", 1)
    arrive = m.Arrive(NODE, None, None)
    assert trust.check(HELLO, "0-1", NODE, arrive)
    host.receive((THERE, NODE), NODE, "0-1", arrive)
    assert trust.check(HELLO, "0-1", NODE, arrive)
    assert trust.check(HELLO, "0", NODE, arrive)
    assert not trust.check(HELLO, "0-2", NODE, arrive)


def test_a_member_brings_no_replica_of_what_is_elsewhere(trust: Trust, host: Host) -> None:
    state = opened()
    state.apply(1.0, m.Joined(NODE, None, None, (), False))
    state.apply(1.0, m.Moved(NODE, Place("0", (THERE,))))
    gone = m.StateTransfer(state.snapshot())
    assert trust.check(HELLO, "0", NODE, gone)
    host.receive((THERE, NODE), NODE, "0", m.Arrive(NODE, THERE, None))
    with pytest.raises(RemoteProtocolError, match="elsewhere"):
        trust.check(HELLO, "0", NODE, gone)


def test_real_replicas_are_whole(trust: Trust) -> None:
    """With people who wait, after a slot was done, lost, failed; and after the team has left."""
    state = opened(epoch=(5,))
    messages: list[m.Message] = [
        *[m.Joined(node, HERE, None, (), node == 0) for node in range(6)],
        m.Finished(1, (0,), [1], 0.1),
        m.Failed(2, 1, FAILURE, False),
        m.Alarm(),
        m.Left(3),
        m.Given(5),
        m.Prepared([1, 2, 3]),
        m.Left(0),
        m.Ended(None, FAILURE.plain()),
    ]
    for message in messages:
        state.apply(1.0, message)
        is_whole(trust, state, Place("0", (HERE,)))
    assert state.model.room.idle
    state.apply(1.0, m.Moved(1, Place("0", (THERE,))))
    is_whole(trust, state, Place("0", (HERE,)))


def test_real_replicas_of_a_leaf_are_whole(trust: Trust) -> None:
    state = opened("0-0-0")
    messages: list[m.Message] = [
        m.Joined(1, HERE, 0.001, (), False),
        m.Joined(2, HERE, None, (2,), False),
        m.Prepared([1, 2, 3]),
        *[m.Joined(node, HERE, None, (), False) for node in (3, 4)],
        m.Finished(1, (0,), [1], 0.001),
        m.Alarm(),
        m.Failed(2, 2, FAILURE, False),
        m.Left(1),
        m.Restored({1: (5, 0.5)}, None),
        m.Moved(2, Place("0", (THERE,))),
    ]
    for i, message in enumerate(messages):
        state.apply(float(i), message)
        is_whole(trust, state, Place("0-0-0", (HERE, HERE, HERE)))


def is_whole(trust: Trust, state: Session, place: Place) -> None:
    arrived = wired(state.snapshot())
    assert trust.followed(place, arrived).snapshot() == state.snapshot()


CONTEXT: dict[str, Any] = {"given": True, "input": 5, "inputs": [1, 2, 3], "had": [[0, [NODE]]]}

# -- what a host says ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        m.Redirect(Place("0-0", (HERE,))),
        m.Redirect(Place("0-9", (HERE, HERE))),
        m.Redirect(Place("", (HERE,))),
        m.TurnedAway(NAN),
        m.TurnedAway(INF),
        m.TurnedAway(-1.0),
        m.Backup("0-0", {3: (1, 1.0)}),
        m.Backup("0-0", {0: [1]}),
        m.Stop(m.Ended(None, "no", END)),
        m.Stop(m.Ended(None, {**FAILURE.plain(), "partition": "x"}, END)),
        m.Stop(m.Ended(None, LONG.plain(), END)),
        m.Stop(m.Ended(1, None, b"")),
        m.Stop(m.Ended(1, None, b"another end")),
        m.Key("0-9", bytes(16)),
        m.Key("0-1", bytes(15)),
    ],
    ids=shown,
)
def test_an_answer_that_leads_nowhere_is_refused(trust: Trust, reply: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        trust.check_answer("0", reply, listens=True)


def test_who_does_not_listen_is_told_to_keep_nothing(trust: Trust) -> None:
    for kept in (m.Backup("0-0", {0: (1, 1.0)}), m.Key("0-0", bytes(16))):
        trust.check_answer("0", kept, listens=True)
        with pytest.raises(RemoteProtocolError, match="hosts nothing"):
            trust.check_answer("0", kept, listens=False)


def test_what_the_submitter_ended_is_over(trust: Trust) -> None:
    for failure in (None, FAILURE.plain()):
        ended = m.Ended(1, failure, END)
        trust.check_answer("0", m.Stop(ended), listens=False)
        trust.check_ordered(opened(), 1.0, ended)


@pytest.mark.parametrize(
    ("time", "message"),
    [
        (NAN, m.Left(1)),
        (INF, m.Left(1)),
        (1.0, m.Joined(1, None, NAN, (), False)),
        (1.0, m.Joined(1, None, None, (3,), False)),
        (1.0, m.Prepared([])),
        (1.0, m.Joined(1, None, True, (), False)),
        (1.0, m.Joined(1, None, "x", (), False)),
        (1.0, m.Restored({3: (1, 1.0)}, None)),
        (1.0, m.Restored({-1: (1, 1.0)}, None)),
        (1.0, m.Restored({0: (1, INF)}, None)),
        (1.0, m.Restored({0: (1, -1.0)}, None)),
        (1.0, m.Restored({0: 1}, None)),
        (1.0, m.Restored({0: ("x" * 3000, 1.0)}, None)),
        (1.0, m.Restored({}, {})),
        (1.0, m.Restored({}, 5)),
        (1.0, m.Restored({}, {**CONTEXT, "given": 1})),
        (1.0, m.Restored({}, {**CONTEXT, "more": 1})),
        (1.0, m.Restored({}, {**CONTEXT, "inputs": 5})),
        (1.0, m.Restored({}, {**CONTEXT, "inputs": [1]})),
        (1.0, m.Restored({}, {**CONTEXT, "inputs": [1, 2, "x" * 3000]})),
        (1.0, m.Restored({}, {**CONTEXT, "input": "x" * 3000})),
        (1.0, m.Restored({}, {**CONTEXT, "had": [[3, [NODE]]]})),
        (1.0, m.Restored({}, {**CONTEXT, "had": [[-1, [NODE]]]})),
        (1.0, m.Restored({}, {**CONTEXT, "had": [[0, NODE]]})),
        (1.0, m.Restored({}, {**CONTEXT, "had": [[0, ["x"]]]})),
        (1.0, m.Restored({}, {**CONTEXT, "had": None})),
        (1.0, m.Ended(None, 5, END)),
        (1.0, m.Ended(1, None)),
        (1.0, m.Ended(1, None, b"another end")),
        (1.0, m.Prepared([1, 2])),
        (1.0, m.Prepared([1, 2, "x" * 3000])),
        (1.0, m.Moved(1, Place("0-9", (HERE, HERE)))),
        (1.0, m.Failed(1, 3, FAILURE, False)),
        (1.0, m.Failed(1, None, LONG, False)),
        (1.0, m.Finished(1, (7,), [1], 0.1)),
        (1.0, m.Finished(1, (-1,), [1], 0.1)),
        (1.0, m.Finished(1, (0, 0), [1, 1], 0.1)),
        (1.0, m.Finished(1, (), [], 0.1)),
        (1.0, m.Finished(1, (0,), [1, 2], 0.1)),
        (1.0, m.Finished(1, (0,), [1], NAN)),
    ],
    ids=shown,
)
def test_what_cannot_be_next_is_refused(trust: Trust, time: float, message: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        trust.check_ordered(opened(), time, message)


def test_what_was_learnt_may_be_ordered(trust: Trust) -> None:
    state = opened("0-0")
    state.apply(1.0, m.Restored({0: (5, 0.5)}, None))
    known = state.model.facts()
    for context in (None, CONTEXT, state.model.context()):
        trust.check_ordered(opened("0-0"), 1.0, m.Restored(known, context))
        trust.check_ordered(opened("0-0"), 1.0, m.Restored({2: [None, 1]}, context))


# -- on the wire ---------------------------------------------------------------------------


def frame(*array: Any) -> bytes:
    return msgspec.msgpack.encode(array)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        deep(200),
        {1: 2},
        msgspec.msgpack.Ext(5, b""),
        [{None: 1}],
        {"a": msgspec.msgpack.Ext(1, b"")},
    ],
    ids=shown,
)
def test_only_plain_data_arrives(value: Any) -> None:
    given = frame("Call", "0", 1, ["Given", value])
    with pytest.raises(RemoteProtocolError):
        wire.decode(given)
    for message in (
        ["Prepared", [value]],
        ["Backup", "0", {0: [value, 1.0]}],
        ["Arrive", 1, None, value, None, False],
        ["Open", ["0", [HERE]], [1], value, False],
        ["Ended", None, value],
    ):
        with pytest.raises(RemoteProtocolError):
            wire.decode(frame("Call", "0", 1, message))


def test_a_moment_is_no_plain_data() -> None:
    moment = bytes.fromhex("d6ff00000000")
    with pytest.raises(RemoteProtocolError, match="datetime"):
        wire.decode(frame("Call", "0", 1, ["Given", None])[:-1] + moment)


def test_what_can_be_said_can_be_heard() -> None:
    value = deep(NESTING_MAX)
    assert plain(value) == value
    data = wire.encode(wire.Call("0", 1, m.StateTransfer({"outputs": [value]})))
    assert isinstance(wire.decode(data[HEADER.size :]), wire.Call)
    with pytest.raises(TypeError, match="within each other"):
        plain(deep(NESTING_MAX + 1))


@pytest.mark.parametrize(
    "fields",
    [
        ("a" * 64 + "\n", "0", 0, True),
        ("a" * 64, "0\n", 0, True),
        ("a" * 64, "0", 2**64 - 1, True),
        ("a" * 64, "0", 2**63, True),
    ],
    ids=shown,
)
def test_no_name_of_a_file_or_offset_that_the_system_does_not_know(fields: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        wire.decode(frame("Fetch", *fields))


def test_a_line_end_is_in_no_address() -> None:
    with pytest.raises(RemoteProtocolError):
        wire.decode(frame("Hello", wire.VERSION, 1, f"{HERE}\n", 0, False, bytes(NONCE_BYTES)))
