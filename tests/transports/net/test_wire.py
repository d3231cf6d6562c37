"""Frames: everything that the core says survives the journey, and nothing else does."""

from __future__ import annotations

import math
import random
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from core import Computation, Session
from core import messages as m
from core.messages import Data
from plugins.jobs.values import NESTING_MAX, plain
from tests.transports.net.samples import (
    CALLS,
    ENVELOPES,
    FAILURE,
    HERE,
    MESSAGES,
    PLACE,
    REPLIES,
    SHAPE,
    VALUE,
    shown,
)
from tests.transports.talking import fed
from transports.net import wire
from transports.net.errors import LocalProtocolError, RemoteProtocolError
from transports.net.frames import HEADER, Frames
from transports.net.limits import FRAME_BYTES_MAX
from transports.net.wire import NONCE_BYTES, Answer, Call, Follow


def payload(envelope: Any) -> bytes:
    return wire.encode(envelope)[HEADER.size :]


@pytest.mark.parametrize("envelope", ENVELOPES, ids=repr)
def test_everything_arrives_as_it_was_sent(envelope: Any) -> None:
    (arrived,) = fed(Frames(), wire.encode(envelope))
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
    (arrived,) = fed(Frames(), wire.encode(Follow(PLACE, state.snapshot(), b"")))
    assert isinstance(arrived, Follow)
    assert Session.restore(Computation, arrived.snapshot).snapshot() == state.snapshot()


def test_outputs_that_are_kept_arrive_by_number() -> None:
    kept = m.Backup("0-1", {0: ([1, "a"], 0.5), 7: (None, 1.0)})
    (arrived,) = fed(Frames(), wire.encode(Answer("0", 0, kept)))
    assert isinstance(arrived, Answer)
    assert arrived.reply == m.Backup("0-1", {0: [[1, "a"], 0.5], 7: [None, 1.0]})


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_frames_are_found_however_the_stream_is_cut(size: int) -> None:
    stream = b"".join(map(wire.encode, ENVELOPES))
    frames, arrived = Frames(), list[Any]()
    for start in range(0, len(stream), size):
        arrived += fed(frames, stream[start : start + size])
    assert arrived == ENVELOPES


def test_a_frame_above_the_limit_is_refused_before_it_is_there() -> None:
    with pytest.raises(RemoteProtocolError, match="above the limit"):
        list(fed(Frames(), HEADER.pack(FRAME_BYTES_MAX + 1)))


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
        ["Call", "0", 1, ["Alarm"]],
        ["Call", "0", 1, ["Given", 1, 2]],
        ["Call", "0", 1, ["Given"]],
        ["Call", "0", "1", ["Given", 1]],
        ["Call", "../0", 1, ["Given", 1]],
        ["Call", "0", 1, ["Moved", 1, ["0", ["198.51.100.1"]]]],
        ["Call", "0", 1, ["Moved", 1, ["0", []]]],
        ["Call", "0", 1, ["Moved", 1, ["0", [{}]]]],
        ["Call", "0", 1, ["Backup", "0-1", {"0": [1, 0.5]}]],
        ["Call", "0", 1, ["Backup", "0-1", [[1, 0.5]]]],
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
            assert isinstance(wire.decode(bytes(data)), Data)


def test_depth_is_refused() -> None:
    deep = payload(Call("0", 1, m.Given(1)))[:-1] + b"\x91" * 1_000_000 + b"\x01"
    with pytest.raises(RemoteProtocolError):
        wire.decode(deep)


# -- plain data only -----------------------------------------------------------------------


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
