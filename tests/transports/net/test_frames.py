"""Frames, as connections use them: a limit that changes, and nothing kept that is not needed."""

from __future__ import annotations

import sys

import pytest

from tests.transports.talking import fed, said
from transports.net.errors import RemoteProtocolError
from transports.net.frames import HEADER, Frames


def test_the_limit_may_change_between_two_frames() -> None:
    frames = Frames(limit=100)
    frames.keep(said("short") + said("x" * 200))
    assert frames.take() == said("short")[HEADER.size :]
    with pytest.raises(RemoteProtocolError, match="above the limit of 100"):
        frames.take()
    frames.limit = 1000
    assert frames.take() == said("x" * 200)[HEADER.size :]
    assert frames.take() is None


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_nothing_is_kept_between_frames(size: int) -> None:
    frames, stream = Frames(), b"".join(said(i) for i in range(50))
    got = 0
    for start in range(0, len(stream), size):
        got += len(list(fed(frames, stream[start : start + size])))
    assert got == 50
    assert not frames._data
    assert sys.getsizeof(frames._data) < 100


def test_a_long_frame_in_many_pieces_is_not_copied_for_each() -> None:
    frames, pieces = Frames(), said("x" * 2**20)
    buffers = []
    for start in range(0, 2**20, 2**16):
        assert list(fed(frames, pieces[start : start + 2**16])) == []
        buffers.append(frames._data)
    assert all(buffer is buffers[1] for buffer in buffers[1:])
    assert len(list(fed(frames, pieces[2**20 :]))) == 1
