"""Frames: a stream of bytes, cut by the length that stands before each.

What a frame says is not known here, but of what kind it is, which its first bytes tell. As soon as
these are there, a frame that is too long for its kind is refused (`limits.py` has the figures).
"""

from __future__ import annotations

import struct

from transports.net.errors import RemoteProtocolError
from transports.net.limits import FRAME_BYTES_MAX, KIND_BYTES, SHORT_BYTES, bytes_max

HEADER = struct.Struct(">I")


class Frames:
    """Cuts a stream of bytes into frames of at most `limit` bytes each, or fewer by their kind.

    It keeps the bytes of what is not complete, and where there are none, nothing.
    """

    __slots__ = ("_data", "_start", "limit", "taken")

    def __init__(self, limit: int = FRAME_BYTES_MAX) -> None:
        self.limit = limit
        self.taken = 0  # bytes of the last one
        self._data: bytes | bytearray = b""
        self._start = 0  # of what has not been taken yet

    def keep(self, data: bytes | bytearray) -> None:
        """Have `data` taken, after what was there before."""
        if not self._data:
            self._data = data
        else:
            if not isinstance(self._data, bytearray):
                self._data = bytearray(self._data)
            self._data += data

    def take(self) -> bytes | None:
        """The next frame, without its header, if it is complete. Raises RemoteProtocolError."""
        data, start = self._data, self._start + HEADER.size
        if len(data) >= start:
            (length,) = HEADER.unpack_from(data, self._start)
            if length > SHORT_BYTES or length > self.limit:
                self._insist_short(length, data[start : start + KIND_BYTES])
            if len(data) >= start + length:
                self.taken = length
                self._start = end = start + length
                part = data if isinstance(data, bytes) else memoryview(data)
                return bytes(part[start:end])
        if self._start:
            self._data, self._start = data[self._start :], 0
        return None

    def _insist_short(self, length: int, beginning: bytes | bytearray) -> None:
        """Raises RemoteProtocolError for a frame that is too long, as soon as that is known."""
        known = len(beginning) == KIND_BYTES
        limit = min(self.limit, bytes_max(beginning)) if known else self.limit
        if length > limit:
            raise RemoteProtocolError(f"frame of {length} bytes, above the limit of {limit}")

    @property
    def bytes_kept(self) -> int:
        """Of what is not complete."""
        return len(self._data)
