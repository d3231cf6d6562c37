"""What a frame may hold: judged by its bytes, in a time that is in proportion to them."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import messages as m
from tests import TOP
from tests.transports.net.crafted import GIVEN, HOSTILE, array, framed
from tests.transports.net.samples import ENVELOPES
from tests.transports.talking import fed
from transports.command.wanted import FANOUT_MAX
from transports.net import limits, wire
from transports.net.errors import LocalProtocolError, RemoteProtocolError
from transports.net.frames import HEADER, Frames
from transports.net.limits import (
    BYTES_MAX,
    CHUNK_BYTES,
    COUNT_MAX,
    FRAME_BYTES_MAX,
    MADE_BYTES_MAX,
    SHORT_BYTES,
    made_bytes,
)

SECONDS_MAX = 2.0  # for a frame of 16 MB, where two others are at work
TIMES_MAX = 5  # as long as a million short lists take on this machine now


SMALL_HOST = """
import json, resource, time
resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))
from contextlib import suppress
from tests.transports.net.crafted import GIVEN, HOSTILE, framed
from tests.transports.talking import fed
from transports.net.errors import RemoteProtocolError
from transports.net.frames import Frames
from transports.net.limits import FRAME_BYTES_MAX
took = {}
for kind, made in HOSTILE.items():
    frame = framed(GIVEN + made(FRAME_BYTES_MAX - 100))
    began = time.process_time()
    lists = [[number] for number in range(2**20)]
    usual = time.process_time() - began
    del lists
    began = time.process_time()
    with suppress(RemoteProtocolError):
        list(fed(Frames(), frame))
    took[kind] = time.process_time() - began, usual
print(json.dumps(took))
"""


def test_a_long_frame_is_heard_or_refused_in_no_time_and_in_512_megabytes() -> None:
    run = [sys.executable, "-c", SMALL_HOST]
    done = subprocess.run(run, cwd=TOP, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    took = json.loads(done.stdout)
    assert took.keys() == HOSTILE.keys()
    for kind, (seconds, usual) in took.items():
        assert seconds < max(SECONDS_MAX, TIMES_MAX * usual), kind


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=60,
)


@given(PLAIN)
def test_what_is_made_is_not_much_more_than_was_told(value: Any) -> None:
    data = msgspec.msgpack.encode([value] * 20)
    tracemalloc.start()
    made = msgspec.msgpack.decode(data)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert made is not None
    assert taken < 2 * made_bytes(data) + 2 * len(data) + 1000


@given(st.binary(max_size=300), st.integers(0, 2**16))
def test_any_bytes_come_to_an_end(data: bytes, times: int) -> None:
    """No more is counted than is there, and what is refused is refused with one line."""
    long = (data * times)[: 2**20]
    assert 0 <= made_bytes(long) <= 32 * 8 * len(long) + 64
    with suppress(RemoteProtocolError):
        list(fed(Frames(), framed(long)))


# -- honest ones ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [b"\x91" * 2040, "é" * 1020, list(range(100)) * 20, [0.5] * 225, [[1, 2], "four"] * 200],
    ids=["bytes", "text", "small numbers", "floats", "pairs"],
)
def test_all_that_a_session_knows_fits(value: Any) -> None:
    """Of the largest values that are no blobs, and as many as a session has slots of a job."""
    slots = FANOUT_MAX
    columns = {"inputs": [value] * slots, "outputs": [value] * slots, "worker": [2**60] * slots}
    follow = wire.Follow(m.Place("0", ("a:1",)), columns, b"")
    frame = wire.encode(follow)
    assert len(frame) > SHORT_BYTES
    (arrived,) = fed(Frames(), frame)
    assert arrived == follow


def test_a_session_has_fewer_slots_than_a_message_may_name() -> None:
    assert FANOUT_MAX < COUNT_MAX


def test_who_says_more_than_a_message_may_name_is_refused_by_its_header() -> None:
    whole = wire.encode(wire.Call("0", 1, m.Finished(1, (7,), [], 0.0)))[HEADER.size :]
    before, _ = whole.split(b"\x91\x07")
    for count in (COUNT_MAX, COUNT_MAX + 1, 2**32 - 1):
        call = before + array(count)
        with pytest.raises(RemoteProtocolError, match="malformed") as caught:
            wire.decode(call)
        assert (f"length <= {COUNT_MAX}" in str(caught.value)) == (count > COUNT_MAX)


# -- by kind -------------------------------------------------------------------------------


@pytest.mark.parametrize("envelope", ENVELOPES, ids=lambda one: type(one).__name__)
def test_each_kind_has_a_limit_that_is_known_from_its_beginning(envelope: Any) -> None:
    payload, kind = wire.encode(envelope)[HEADER.size :], type(envelope).__name__
    limit = BYTES_MAX.get(kind.encode(), SHORT_BYTES)
    frames = Frames()
    frames.keep(HEADER.pack(limit) + payload[: limits.KIND_BYTES])
    assert frames.take() is None
    if len(payload) >= limits.KIND_BYTES:
        frames = Frames()
        frames.keep(HEADER.pack(limit + 1) + payload[: limits.KIND_BYTES])
        with pytest.raises(RemoteProtocolError, match=f"above the limit of {limit}$"):
            frames.take()


def test_a_piece_of_a_blob_fits() -> None:
    chunk = wire.Chunk("a" * 64, 2**31, 2**32, bytes(CHUNK_BYTES))
    assert list(fed(Frames(), wire.encode(chunk))) == [chunk]
    with pytest.raises(RemoteProtocolError, match="above the limit"):
        list(fed(Frames(), wire.encode(wire.Chunk("a" * 64, 0, 1, bytes(2 * CHUNK_BYTES)))))


def test_what_is_too_much_is_said_with_what_it_would_take() -> None:
    frame = framed(GIVEN + HOSTILE["empty lists"](2**22))
    with pytest.raises(RemoteProtocolError, match=f"more than {MADE_BYTES_MAX} in memory"):
        list(fed(Frames(), frame))
    with pytest.raises(LocalProtocolError, match="above the limit"):
        wire.encode(wire.Call("0", 1, m.Given(bytes(FRAME_BYTES_MAX))))
