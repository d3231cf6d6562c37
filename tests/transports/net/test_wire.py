"""Frames: everything that the core says survives the journey, and nothing else does."""

from __future__ import annotations

import math
import random
from contextlib import suppress
from typing import Any

import attrs
import msgspec
import pytest

from core import Computation, Session, Shape
from core import messages as m
from core.messages import Place
from plugins.jobs.values import plain
from transports.net import wire
from transports.net.wire import (
    FRAME_BYTES_MAX,
    HEADER,
    Answer,
    Call,
    Follow,
    Frames,
    Hello,
    LocalProtocolError,
    Ordered,
    RemoteProtocolError,
    Unfollow,
)

HERE, THERE = "127.0.0.1:4000", "127.0.0.1:65535"
PLACE = Place("0-3", (HERE, THERE))
SHAPE = Shape("0-3", 10, 30, 2, 4)
FAILURE = m.Failure("0-3", None, "Traceback ...")
VALUE: list[Any] = [
    None,
    True,
    -(2**63),
    2**64 - 1,
    0.1,
    "é",
    b"\0\xff",
    [],
    {"key": [1, {"deep": None}]},
]

CALLS: list[Any] = [
    m.Arrive(1 << 20, HERE, 0.25, m.Past("0-3-1", (1, 2), (1, 2), 7, bytes(16)), True),
    m.Arrive(0, None, None),
    m.Leave(),
    m.Brought({"slots": [], "seq": 3}),
    m.Vote((1, 2), 3, {"slots": "00ff"}),
    m.Kept("0-1", {0: [[1, "a"], 0.5]}),
    m.Key("0-1", bytes(16)),
    m.Open(PLACE, (1, 2, 1), SHAPE.plain()),
    m.Given(VALUE),
    m.Prepared([VALUE, 1]),
    m.Collected(VALUE),
    m.Finished(5, (1, 2), [VALUE, None], 0.5),
    m.Finished(5, (1,), [None], 0.5, (7, (("0-1", None, "no"), ("0-1-2", 3, "")))),
    m.Failed(5, None, FAILURE, True),
    m.Failed(5, 2, FAILURE, False, 1, (5, 5, 2**60), True),
    m.Moved(5, PLACE),
    m.Ended(VALUE, None, bytes(range(16))),
    m.Ended(None, m.Failure("0", 4, "").plain()),
]
REPLIES: list[Any] = [
    m.Redirect(PLACE),
    m.Wait(),
    m.TurnedAway(5.0),
    m.Absent(),
    m.Bring(),
    m.Kept("0-1", {0: [[1, "a"], 0.5]}),
    m.Key("0-1", b""),
    m.Stop(m.Ended(None, FAILURE.plain(), bytes(16))),
]
MESSAGES: list[Any] = [
    m.Joined(1, HERE, None, (1, 2), False),
    m.Joined(1, None, 0.5, (), True),
    m.Left(1),
    m.Given(VALUE),
    m.Prepared([VALUE, 1]),
    m.Collected(None),
    m.Finished(5, (1, 2), [VALUE, None], 0.5),
    m.Failed(5, 3, FAILURE, False),
    m.Restored({2: [VALUE, 0.5]}, {"given": True, "input": VALUE, "inputs": None}),
    m.Restored({}, None),
    m.Late(),
    m.Moved(5, PLACE),
    m.Ended(VALUE, FAILURE.plain()),
]
ENVELOPES: list[Any] = [
    Hello(wire.VERSION, 2**43 - 1, HERE, 5, True, bytes(range(32))),
    Hello(wire.VERSION, 0, None, 0, False, bytes(32)),
    wire.Proof(bytes(32)),
    wire.Ping(),
    wire.Ping(0.5),
    wire.Begin(
        "plugins.demo", {"compute": "a.b:c"}, "f", 10, 3, "uniform:1,2", -1, PLACE, 1.5e9, bytes(32)
    ),
    wire.Declined("why"),
    wire.Over(bytes(16), None),
    wire.Over(bytes(16), FAILURE),
    wire.Ask(),
    wire.Told({"sessions": [VALUE]}),
    wire.Fetch("a" * 64, "0-1", 5, True),
    wire.Chunk("b" * 64, 0, 9, b"bytes"),
    wire.Missing("c" * 64),
    Follow(PLACE, {"slots": VALUE}, bytes(16)),
    Unfollow("0-1"),
    *[Call("0-3", 1 << 40, call) for call in CALLS],
    *[Answer("0", 0, reply) for reply in REPLIES],
    *[Ordered("0-3-99", 2**40, 1.5, message) for message in MESSAGES],
]


def payload(envelope: Any) -> bytes:
    return wire.encode(envelope)[HEADER.size :]


@pytest.mark.parametrize("envelope", ENVELOPES, ids=repr)
def test_everything_arrives_as_it_was_sent(envelope: Any) -> None:
    (arrived,) = Frames().feed(wire.encode(envelope))
    assert arrived == envelope
    assert type(arrived) is type(envelope)


def test_nothing_of_the_core_is_missing_above() -> None:
    assert {type(call) for call in CALLS} == set(wire.Said.__args__)
    assert {type(reply) for reply in REPLIES} == set(m.Reply.__args__)
    assert {type(message) for message in MESSAGES} == set(m.Message.__args__)
    assert {type(envelope) for envelope in ENVELOPES} == set(wire.Envelope.__args__)


def test_a_session_arrives_as_it_was_sent() -> None:
    state = Session(SHAPE.session, (1,), Computation, SHAPE.plain())
    state.apply(0.5, m.Joined(7, HERE, None, (), False))
    state.apply(1.5, m.Given(VALUE))
    state.apply(2.5, m.Failed(7, 0, FAILURE, True))
    (arrived,) = Frames().feed(wire.encode(Follow(PLACE, state.snapshot(), b"")))
    assert isinstance(arrived, Follow)
    assert Session.restore(Computation, arrived.snapshot).snapshot() == state.snapshot()


def test_outputs_that_are_kept_arrive_by_number() -> None:
    kept = m.Kept("0-1", {0: ([1, "a"], 0.5), 7: (None, 1.0)})
    (arrived,) = Frames().feed(wire.encode(Answer("0", 0, kept)))
    assert isinstance(arrived, Answer)
    assert arrived.reply == m.Kept("0-1", {0: [[1, "a"], 0.5], 7: [None, 1.0]})


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_frames_are_found_however_the_stream_is_cut(size: int) -> None:
    stream = b"".join(map(wire.encode, ENVELOPES))
    frames, arrived = Frames(), list[Any]()
    for start in range(0, len(stream), size):
        arrived += frames.feed(stream[start : start + size])
    assert arrived == ENVELOPES


def test_a_frame_above_the_limit_is_refused_before_it_is_there() -> None:
    with pytest.raises(RemoteProtocolError, match="above the limit"):
        list(Frames().feed(HEADER.pack(FRAME_BYTES_MAX + 1)))


def test_a_frame_above_the_limit_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError, match="above the limit"):
        wire.encode(Call("0", 1, m.Given(b"\0" * FRAME_BYTES_MAX)))


@pytest.mark.parametrize(
    "value", [2**64, [{1, 2}], object(), {1: 2}], ids=["big", "set", "object", "key"]
)
def test_what_is_not_plain_is_no_value(value: object) -> None:
    with pytest.raises(TypeError, match="not plain data"):
        plain(value)


def test_a_value_is_the_same_here_as_elsewhere() -> None:
    assert plain(VALUE) == VALUE
    assert plain((1, [(2,)])) == [1, [[2]]]


@pytest.mark.parametrize(
    "content",
    [
        ["Nothing", 1],
        ["Begin", "job", {}, "f", 1, 2, None, 0, ["0", ["a:1"]], -1.0, bytes(32)],
        ["Begin", "job", {}, "f", 1, 2, None, 0, ["0", ["a:1"]], math.nan, bytes(32)],
        ["Begin", "job", {}, "f", 1, 2, None, 0, ["0", ["a:1"]], 1.0, bytes(31)],
        ["Over", bytes(65)],
        ["Over", "key"],
        ["Follow", ["0", ["a:1"]], {}, bytes(65)],
        ["Answer", "0", 1, ["Key", "0-1", bytes(65)]],
        ["Call", "0", 1, ["Ended", 1, None, bytes(65)]],
        ["Call", "0", 1, ["Joined", 1, None, None, [], False]],  # for a reflector to say
        ["Call", "0", 1, ["Late"]],
        ["Call", "0", 1, ["Given", 1, 2]],
        ["Call", "0", 1, ["Given"]],
        ["Call", "0", "1", ["Given", 1]],
        ["Call", "../0", 1, ["Given", 1]],
        ["Call", "0", 1, ["Moved", 1, ["0", ["198.51.100.1"]]]],
        ["Call", "0", 1, ["Moved", 1, ["0", []]]],
        ["Call", "0", 1, ["Moved", 1, ["0", [{}]]]],
        ["Call", "0", 1, ["Kept", "0-1", {"0": [1, 0.5]}]],
        ["Call", "0", 1, ["Kept", "0-1", [[1, 0.5]]]],
        {"type": "Hello"},
        None,
    ],
    ids=repr,
)
def test_what_is_not_in_the_language_is_refused(content: object) -> None:
    with pytest.raises(RemoteProtocolError, match="malformed"):
        wire.decode(msgspec.msgpack.encode(content))


def test_garbage_is_refused_and_nothing_else_happens() -> None:
    rng = random.Random(1)
    originals = [payload(envelope) for envelope in ENVELOPES]
    for _ in range(20_000):
        data = bytearray(rng.choice(originals))
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        del data[rng.randint(len(data) // 2, len(data)) :]
        with suppress(RemoteProtocolError):
            assert attrs.has(type(wire.decode(bytes(data))))


def test_depth_is_refused() -> None:
    deep = payload(Call("0", 1, m.Given(1)))[:-1] + b"\x91" * 1_000_000 + b"\x01"
    with pytest.raises(RemoteProtocolError):
        wire.decode(deep)
