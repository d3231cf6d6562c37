"""A digest that covers a value's whole content, the same on every platform and transport.

Every value is written with its type and length, so that no two different contents share an
encoding; tuples count as lists, because a wire format does not tell them apart.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter

from core.sessions.messages import Value


def canonical(value: Value) -> bytes:
    """The one encoding of plain data. Raises TypeError for anything else."""
    parts: list[bytes] = []
    _encode(value, parts.append)
    return b"".join(parts)


def _encode(value: Value, add: Callable[[bytes], None]) -> None:
    match value:  # most frequent first
        case bool():
            add(b"T" if value else b"F")
        case int():
            add(b"i%d;" % value)
        case None:
            add(b"N")
        case str():
            encoded = value.encode("utf-8", "surrogatepass")
            add(b"s%d:" % len(encoded) + encoded)
        case list() | tuple():
            add(b"l%d:" % len(value))
            for item in value:
                _encode(item, add)
        case float():
            add(b"f" + struct.pack(">d", value))
        case dict():
            add(b"d%d:" % len(value))
            for key, item in sorted([(_key(k), v) for k, v in value.items()], key=_first):
                add(key)
                _encode(item, add)
        case bytes() | bytearray():
            add(b"b%d:" % len(value) + bytes(value))
        case _:
            raise TypeError(f"{type(value).__name__} is not plain data: {value!r:.80}")


_first = itemgetter(0)
_named = lru_cache(maxsize=1000)(canonical)  # mostly fields, again and again


def _key(key: Value) -> bytes:
    return _named(key) if type(key) is str else canonical(key)


def digest(value: Value) -> str:
    """32 hexadecimal characters of BLAKE2b over the canonical encoding."""
    return blake2b(canonical(value), digest_size=16).hexdigest()


def differing(one: dict[str, Value], other: dict[str, Value]) -> list[str]:
    """The names of the fields in which two snapshots differ."""
    return [name for name in one if digest(one[name]) != digest(other[name])]
