"""Handles: what stands in a message for a value that is too large for it.

Rules it keeps:
- A value whose msgpack is longer than LARGE_BYTES is a blob, and its handle, its SHA-256 and its
  size, is what the messages carry. Only whole values have handles: an input, an output, the job's
  input, its result. No job's own value can be taken for one.
- A blob's name is 64 hexadecimal digits and nothing else, whatever a handle says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from core import messages as m
from core.messages import Command, Message, Value
from transports.values.figures import LARGE_BYTES as LARGE_BYTES  # for others, too

BLOB_BYTES_MAX = 2**31
KEY = "\0blob"

Handle = dict[str, Any]  # {KEY: SHA-256 in hexadecimal, "size": bytes}

is_name = re.compile("[0-9a-f]{64}").fullmatch


def handle(sha: str, size: int) -> Handle:
    return {KEY: sha, "size": size}


def is_handle(value: Value) -> bool:
    """Whether it stands for a blob. What only resembles a handle is a value like others."""
    if type(value) is not dict or KEY not in value or len(value) != 2:
        return False
    sha, size = value[KEY], value.get("size")
    return (
        type(sha) is str and type(size) is int and 0 < size <= BLOB_BYTES_MAX and bool(is_name(sha))
    )


_CARRIED: dict[type, str] = {
    m.Finished: "outputs",
    m.Compute: "inputs",
    m.Prepared: "inputs",
    m.Collected: "output",
    m.HandUp: "output",
    m.Given: "input",
    m.Ended: "result",
}


def handles(message: Message | Command) -> list[Handle]:
    """Those in a message of the core, in order."""
    name = _CARRIED.get(type(message))
    if name is None:
        return []
    carried = getattr(message, name)
    return among(carried if name[-1] == "s" else (carried,))


def among(values: Iterable[Value]) -> list[Handle]:
    """Those of `values` that are handles."""
    return [value for value in values if type(value) is dict and is_handle(value)]
