"""Frames made by hand, of which much would be made, or which nobody can read."""

from __future__ import annotations

from transports.net.frames import HEADER

GIVEN = b"\x94\xa4Call\xa10\x01\x92\xa5Given"  # the rest of it is the value


def array(count: int) -> bytes:
    """What begins a list of so many."""
    return b"\xdd" + count.to_bytes(4)


def hostile(size: int) -> dict[str, bytes]:
    """Values of that size or so of which as much as possible would be made."""
    trees = b"\x01"
    while len(trees) * 16 < size:
        trees = b"\xdc\0\x10" + trees * 16
    return {
        "empty lists": array(size) + b"\x90" * size,
        "empty dicts": array(size) + b"\x80" * size,
        "pairs of lists": array(size // 3) + b"\x92\x90\x90" * (size // 3),
        "a number and a list": array(size) + b"\x01\x90" * (size // 2),
        "dicts": array(size // 3) + b"\x81\xa0\x80" * (size // 3),
        "short strings": array(size // 3) + b"\xa2ab" * (size // 3),
        "empty strings": array(size // 2) + b"\xd9\0" * (size // 2),
        "numbers": array(size // 3) + b"\xcd\x12\x34" * (size // 3),
        "small numbers": array(size) + b"\x05" * size,
        "floats": array(size // 9) + b"\xcb12345678" * (size // 9),
        "a tree": trees,
        "depth": b"\x91" * size + b"\x90",
        "depth of dicts": b"\x81\xa0" * (size // 2) + b"\x90",
        "more than there is": b"\xdd\xff\xff\xff\xff" * (size // 5),
        "of another kind": array(size // 3) + b"\xd4\x05\0" * (size // 3),
        "nothing that is": b"\xc1" * size,
    }


def framed(payload: bytes) -> bytes:
    return HEADER.pack(len(payload)) + payload
