"""A digest that covers a value's whole content, the same on every platform and transport.

Every value is written with its type and length, so that no two different contents share an
encoding; tuples count as lists, because a wire format does not tell them apart.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import blake2b

from core.messages import Value


def canonical(value: Value) -> bytes:
    """The one encoding of plain data. Raises TypeError for anything else."""
    return b"".join(_encode(value))


def _encode(value: Value) -> Iterator[bytes]:
    match value:
        case None | bool():
            yield b"N" if value is None else b"T" if value else b"F"
        case int():
            yield b"i%d;" % value
        case float():
            yield b"f" + struct.pack(">d", value)
        case str():
            encoded = value.encode("utf-8", "surrogatepass")
            yield b"s%d:" % len(encoded) + encoded
        case bytes() | bytearray():
            yield b"b%d:" % len(value) + bytes(value)
        case list() | tuple():
            yield b"l%d:" % len(value)
            for item in value:
                yield from _encode(item)
        case dict():
            yield b"d%d:" % len(value)
            for key, item in sorted((canonical(k), v) for k, v in value.items()):
                yield key
                yield from _encode(item)
        case _:
            raise TypeError(f"{type(value).__name__} is not plain data: {value!r:.80}")


def digest(value: Value) -> str:
    """32 hexadecimal characters of BLAKE2b over the canonical encoding."""
    return blake2b(canonical(value), digest_size=16).hexdigest()


def differing(one: dict[str, Value], other: dict[str, Value]) -> list[str]:
    """The names of the fields in which two snapshots differ."""
    return [name for name in one if digest(one[name]) != digest(other[name])]
