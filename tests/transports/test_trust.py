"""What a process may say of itself, of the computation, and of what it wants kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import msgspec
import pytest

from core import Computation, Host, Shape
from core import messages as m
from core.messages import Place
from transports import wire
from transports.trust import Trust
from transports.wire import HEADER, NONCE_BYTES, Hello, LocalProtocolError, RemoteProtocolError

HERE, THERE = "127.0.0.1:5001", "127.0.0.1:5002"
NUMBER, NODES = 7, 10
NODE = NUMBER << wire.NODE_BITS
OTHER = 8 << wire.NODE_BITS
SHAPE = Shape.root(27, 3)
HELLO = Hello(wire.VERSION, NUMBER, THERE, NODES, False, bytes(NONCE_BYTES))
NAN, INF = float("nan"), float("inf")


class Carrier:
    """Carries nothing."""

    now = 0.0
    vote_every = 1

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *arguments: 2


@pytest.fixture
def host() -> Host:
    """With the root, and a first-level session, led by a node of another process."""
    carrier: Any = Carrier()
    made = Host(HERE, carrier)
    made.open(1, m.Open(SHAPE, (5,), Place("0", (HERE,))))
    made.receive((HERE, 1), 1, "0", m.Arrive(1, HERE, None, observes=True))
    made.receive((THERE, OTHER), OTHER, "0", m.Arrive(OTHER, None, None))
    made.open(OTHER, m.Open(SHAPE.child(0), (5, 1), Place("0-0", (HERE, HERE))))
    made.receive((THERE, OTHER), OTHER, "0-0", m.Arrive(OTHER, None, None))
    return made


@pytest.fixture
def trust(host: Host) -> Trust:
    return Trust(SHAPE, host)


def snapshot(session: str = "0", **changes: Any) -> dict[str, Any]:
    shape = SHAPE
    for part in session.split("-")[1:]:
        shape = shape.child(int(part))
    model = Computation(shape, (4,) * (session.count("-") + 1))
    model.apply(1.0, m.Joined(NODE, None, None, (), False))
    return {**model.snapshot(), **changes}


def slot(**changes: Any) -> dict[str, Any]:
    return {**snapshot()["slots"][0], **changes}


FAILURE = m.Failure("0", None, "no")
GOOD: list[tuple[str, Any]] = [
    ("0", m.Arrive(NODE, None, None)),
    ("0", m.Arrive(NODE, THERE, 0.5, m.Past("0-1", (0, 2), (4,), 9))),
    ("0", m.Brought(snapshot())),
    ("0", m.Vote((5,), 1, {"slots": "0" * 32})),
    ("0", m.Leave()),
    ("0-0", m.Given({"a": [1]})),
    ("0-0", m.Prepared([1, 2, 3])),
    ("0", m.Finished(NODE, (0, 2), [1, 2], 0.1)),
    ("0", m.Failed(NODE, None, FAILURE, False)),
    ("0-0", m.Moved(NODE, Place("0-1", (HERE, THERE)))),
    ("0-0", m.Ended(None, FAILURE)),
]
DIFFERENT = attrs.evolve(SHAPE, partitions=26)
BAD: list[tuple[str, Any]] = [
    ("1", m.Leave()),
    ("0-3", m.Leave()),
    ("0-00", m.Leave()),
    ("0-0-0-0", m.Leave()),
    ("", m.Leave()),
    ("0", m.Arrive(NODE + 1, None, None)),
    ("0", m.Arrive(NODE, HERE, None)),
    ("0", m.Arrive(NODE, None, NAN)),
    ("0", m.Arrive(NODE, None, INF)),
    ("0", m.Arrive(NODE, None, -1.0)),
    ("0", m.Arrive(NODE, None, None, observes=True)),
    ("0", m.Arrive(NODE, None, None, m.Past("0-9", (), (), 0))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (3,), (), 0))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (1, 1), (), 0))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (), (1,) * 9, 1))),
    ("0", m.Arrive(NODE, None, None, m.Past("", (), (), -1))),
    ("0", m.Open(SHAPE, (9,), Place("0", (HERE,)))),
    ("0-1", m.Open(SHAPE.child(0), (5, 1), Place("0-1", (HERE, HERE)))),
    ("0-1", m.Open(SHAPE.child(1), (5, 1), Place("0-1", (HERE, THERE)))),
    ("0-1", m.Open(SHAPE.child(1), (5,), Place("0-1", (HERE, HERE)))),
    ("0-1", m.Open(SHAPE.child(1), (5, 1), Place("0-1", (HERE,)))),
    ("0-1", m.Open(SHAPE.child(1), (5, 1), Place("0-1", (HERE, HERE)), again=True)),
    ("0-1", m.Open(attrs.evolve(SHAPE.child(1), levels=9), (5, 1), Place("0-1", (HERE, HERE)))),
    ("0", m.Kept("0-0", {3: (1, 1.0)})),
    ("0", m.Kept("0-0", {0: (1, NAN)})),
    ("0", m.Kept("0-7", {})),
    ("0", m.Kept("0-0", {0: ("x" * 3000, 1.0)})),
    ("0", m.Vote((5,), 1, {"x": ""})),
    ("0", m.Vote((5,), 1, {"slots": "0" * 200})),
    ("0", m.Given(1)),
    ("0", m.Prepared([1, 2, 3])),
    ("0", m.Ended(1, None)),
    ("0", m.Moved(NODE, Place("0", (THERE,)))),
    ("0-0", m.Given("x" * 3000)),
    ("0-0", m.Prepared([1, 2])),
    ("0-0", m.Ended("x" * 3000, None)),
    ("0-0", m.Ended(None, m.Failure("0", None, "x" * 200_000))),
    ("0-0", m.Moved(NODE, Place("0-1", (HERE,)))),
    ("0-0", m.Moved(NODE, Place("0-9", (HERE, HERE)))),
    ("0-0", m.Moved(NODE + 1, Place("0-1", (HERE, HERE)))),
    ("0", m.Finished(NODE + 1, (0,), [1], 0.1)),
    ("0", m.Finished(NODE, (), [], 0.1)),
    ("0", m.Finished(NODE, (0, 0), [1, 1], 0.1)),
    ("0", m.Finished(NODE, (3,), [1], 0.1)),
    ("0", m.Finished(NODE, (-1,), [1], 0.1)),
    ("0", m.Finished(NODE, (0,), [1, 2], 0.1)),
    ("0", m.Finished(NODE, (0,), [1], NAN)),
    ("0", m.Finished(NODE, (0,), [{"a": "x" * 3000}], 0.1)),
    ("0", m.Failed(NODE, 3, FAILURE, False)),
    ("0", m.Failed(NODE + 1, 0, FAILURE, False)),
    ("0", m.Failed(NODE, 0, m.Failure("0", 0, "x" * 200_000), False)),
]
SPOILT: list[dict[str, Any]] = [
    {"slots": []},
    {"slots": [slot()] * 2},
    {"slots": [slot(seconds=NAN), slot(), slot()]},
    {"slots": [slot(started=-INF), slot(), slot()]},
    {"slots": [slot(worker="x"), slot(), slot()]},
    {"slots": [slot(worker=99), slot(), slot()]},
    {"slots": [slot(helper=99), slot(), slot()]},
    {"slots": [slot(output="x" * 3000, done=True), slot(), slot()], "free": 2, "remaining": 2},
    {"free": 0},
    {"remaining": 0},
    {"queue": [3]},
    {"queue": ["x"]},
    {"fresh": 4},
    {"fresh": -1},
    {"idle": [99]},
    {"leader": 99},
    {"leader": []},
    {"people": [[1, {"address": 5, "pace": None, "observes": False}]], "leader": 1},
    {"people": [[1, {"address": None, "pace": NAN, "observes": False}]], "leader": 1},
    {"people": 5},
    {"shape": {}},
    {"shape": attrs.asdict(DIFFERENT)},
    {"shape": {**attrs.asdict(SHAPE), "partitions": 27.0}},
    {"epoch": [1, 2]},
    {"epoch": "x"},
    {"seq": -1},
    {"moved": {"session": "0", "route": []}},
    {"moved": {"session": "0-9", "route": ["x", "y"]}},
    {"moved": {"session": "0", "route": [5]}},
    {"ended": {"result": 1, "failure": 5}},
    {"unknown": 1},
]


def shown(item: Any) -> str:
    return repr(item)[:60]


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
    with pytest.raises(RemoteProtocolError):
        trust.check(HELLO, "0", NODE, m.Brought(snapshot(**changes)))
    if "slots" not in changes or "output" not in str(changes):
        small = [s for s in changes.get("slots", ()) if type(s["output"]) is str]
        if not small:
            with pytest.raises(RemoteProtocolError):
                trust.followed(Place("0", (HERE,)), snapshot(**changes))


@pytest.mark.parametrize("node", [NODE - 1, NODE + NODES, OTHER, -1, 2**62])
def test_nobody_speaks_for_the_nodes_of_others(trust: Trust, node: int) -> None:
    with pytest.raises(RemoteProtocolError, match="not one of its own"):
        trust.check(HELLO, "0", node, m.Leave())


def test_a_session_is_opened_where_it_was_assigned(trust: Trust, host: Host) -> None:
    place = Place("0-0", (HERE, HERE))
    assert trust.check(HELLO, "0-0", NODE, m.Open(SHAPE.child(0), (5, 1), place))
    assert not trust.check(HELLO, "0-0", NODE, m.Open(SHAPE.child(0), (5, 2), place))
    assert not trust.check(HELLO, "0-0", NODE, m.Open(SHAPE.child(0), (6, 1), place))
    other = m.Open(SHAPE.child(0), (5, 1), Place("0-0", (THERE, HERE)))
    assert not trust.check(HELLO, "0-0", NODE, other)
    below = Place("0-2-0", (HERE, HERE, HERE))
    opening = m.Open(SHAPE.child(2).child(0), (5, 1, 1), below)
    assert not trust.check(HELLO, "0-2-0", NODE, opening)


def test_who_takes_part_may_have_things_kept(trust: Trust, host: Host) -> None:
    kept = m.Kept("0-0", {0: (1, 1.0)})
    assert not trust.check(HELLO, "0", NODE, kept)
    host.receive((THERE, NODE), NODE, "0", m.Arrive(NODE, THERE, None))
    assert trust.check(HELLO, "0", NODE, kept)
    assert trust.check(HELLO, "0", NODE + 1, kept)
    assert not trust.check(HELLO, "0", NODE, attrs.evolve(kept, session="0"))
    assert not trust.check(HELLO, "0-1", NODE, attrs.evolve(kept, session="0-1-0"))


def test_one_process_has_one_vote(trust: Trust, host: Host) -> None:
    for node in (NODE, NODE + 1):
        host.receive((THERE, node), node, "0", m.Arrive(node, THERE, None))
    reflector = host.reflectors["0"]
    vote = m.Vote((5,), max(reflector.ballots), {"slots": "x"})
    assert trust.check(HELLO, "0", NODE, vote)
    reflector.ballots[vote.seq].votes[NODE] = vote.digests
    assert trust.check(HELLO, "0", NODE, vote)
    assert not trust.check(HELLO, "0", NODE + 1, vote)


def test_those_who_wait_for_sessions_are_bounded(
    trust: Trust, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.trust.WAITED_FOR_MAX", 1)
    arrive = m.Arrive(NODE, None, None)
    assert trust.check(HELLO, "0-1", NODE, arrive)
    host.receive((THERE, NODE), NODE, "0-1", arrive)
    assert trust.check(HELLO, "0-1", NODE, arrive)
    assert trust.check(HELLO, "0", NODE, arrive)
    assert not trust.check(HELLO, "0-2", NODE, arrive)


def test_a_member_brings_no_replica_of_what_is_elsewhere(trust: Trust, host: Host) -> None:
    model = Computation(SHAPE, (4,))
    model.apply(1.0, m.Joined(NODE, None, None, (), False))
    model.apply(1.0, m.Moved(NODE, Place("0", (THERE,))))
    gone = m.Brought(model.snapshot())
    assert trust.check(HELLO, "0", NODE, gone)
    host.receive((THERE, NODE), NODE, "0", m.Arrive(NODE, THERE, None))
    with pytest.raises(RemoteProtocolError, match="elsewhere"):
        trust.check(HELLO, "0", NODE, gone)


def test_real_replicas_are_whole(trust: Trust) -> None:
    """With people who wait, after a slot was done, lost, failed."""
    model = Computation(SHAPE, (5,))
    messages: list[m.Message] = [
        *[m.Joined(node, HERE, None, (), False) for node in range(5)],
        m.Finished(0, (0,), [1], 0.1),
        m.Failed(1, 1, FAILURE, False),
        m.Late(),
        m.Left(2),
    ]
    for message in messages:
        model.apply(1.0, message)
        arrived = msgspec.msgpack.decode(msgspec.msgpack.encode(model.snapshot()))
        restored = trust.followed(Place("0", (HERE,)), arrived)
        assert restored.snapshot() == model.snapshot()
    assert model.idle


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
        m.Kept("0-0", {3: (1, 1.0)}),
    ],
    ids=shown,
)
def test_an_answer_that_leads_nowhere_is_refused(trust: Trust, reply: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        trust.check_answer("0", reply, listens=True)


def test_who_does_not_listen_is_told_to_keep_nothing(trust: Trust) -> None:
    kept = m.Kept("0-0", {0: (1, 1.0)})
    trust.check_answer("0", kept, listens=True)
    with pytest.raises(RemoteProtocolError, match="hosts nothing"):
        trust.check_answer("0", kept, listens=False)


@pytest.mark.parametrize(
    ("time", "message"),
    [
        (NAN, m.Left(1)),
        (INF, m.Left(1)),
        (1.0, m.Joined(1, None, NAN, (), False)),
        (1.0, m.Joined(1, None, None, (3,), False)),
        (1.0, m.Prepared([])),
        (1.0, m.Restored({})),
        (1.0, m.Restored(snapshot("0-0"))),
        (1.0, m.Finished(1, (7,), [1], 0.1)),
    ],
    ids=shown,
)
def test_what_cannot_be_next_is_refused(trust: Trust, time: float, message: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        trust.check_ordered("0", time, message)


def test_what_was_learnt_may_be_ordered(trust: Trust) -> None:
    """It is counted in none of the counts of a whole replica."""
    known = Computation(SHAPE.child(0)).snapshot()
    known["slots"][0] |= {"done": True, "output": 5}
    trust.check_ordered("0-0", 1.0, m.Restored(known))


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
    for message in (["Prepared", [value]], ["Kept", "0", {0: [value, 1.0]}]):
        with pytest.raises(RemoteProtocolError):
            wire.decode(frame("Call", "0", 1, message))


def test_a_moment_is_no_plain_data() -> None:
    moment = bytes.fromhex("d6ff00000000")
    with pytest.raises(RemoteProtocolError, match="datetime"):
        wire.decode(frame("Call", "0", 1, ["Given", None])[:-1] + moment)


def test_what_can_be_said_can_be_heard() -> None:
    value = deep(wire.NESTING_MAX)
    assert wire.plain(value) == value
    data = wire.encode(wire.Call("0", 1, m.Brought({"slots": [{"output": value}]})))
    assert isinstance(wire.decode(data[HEADER.size :]), wire.Call)
    with pytest.raises(LocalProtocolError, match="within each other"):
        wire.plain(deep(wire.NESTING_MAX + 1))


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
