"""What arrives of a value on the far side of a wire."""

from __future__ import annotations

from typing import Any

import msgspec


def wired(value: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))
