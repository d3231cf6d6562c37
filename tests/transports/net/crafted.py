"""Frames made by hand, of which much would be made, or which nobody can read."""

from __future__ import annotations

from collections.abc import Callable

from transports.net.frames import HEADER

GIVEN = b"\x94\xa4Call\xa10\x01\x92\xa5Given"  # the rest of it is the value


def array(count: int) -> bytes:
    """What begins a list of so many."""
    return b"\xdd" + count.to_bytes(4)


def _tree(size: int) -> bytes:
    """Lists of lists, of which each holds 16."""
    tree = b"\x01"
    while len(tree) * 16 < size:
        tree = b"\xdc\0\x10" + tree * 16
    return tree


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "empty lists": lambda size: array(size) + b"\x90" * size,
    "empty dicts": lambda size: array(size) + b"\x80" * size,
    "pairs of lists": lambda size: array(size // 3) + b"\x92\x90\x90" * (size // 3),
    "a number and a list": lambda size: array(size) + b"\x01\x90" * (size // 2),
    "dicts": lambda size: array(size // 3) + b"\x81\xa0\x80" * (size // 3),
    "short strings": lambda size: array(size // 3) + b"\xa2ab" * (size // 3),
    "empty strings": lambda size: array(size // 2) + b"\xd9\0" * (size // 2),
    "numbers": lambda size: array(size // 3) + b"\xcd\x12\x34" * (size // 3),
    "small numbers": lambda size: array(size) + b"\x05" * size,
    "floats": lambda size: array(size // 9) + b"\xcb12345678" * (size // 9),
    "a tree": _tree,
    "depth": lambda size: b"\x91" * size + b"\x90",
    "depth of dicts": lambda size: b"\x81\xa0" * (size // 2) + b"\x90",
    "more than there is": lambda size: b"\xdd\xff\xff\xff\xff" * (size // 5),
    "of another kind": lambda size: array(size // 3) + b"\xd4\x05\0" * (size // 3),
    "nothing that is": lambda size: b"\xc1" * size,
}
"""Values of a size or so of which as much as possible would be made. Each is made when it is asked
for: whoever looks for tests should not have to keep them all."""


def framed(payload: bytes) -> bytes:
    return HEADER.pack(len(payload)) + payload
