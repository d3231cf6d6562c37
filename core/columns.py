"""The columns of slots as plain data, and back."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

from core.sessions.messages import Value


def as_plain(of: object, names: Iterable[str]) -> dict[str, Value]:
    """The columns of those names as plain data."""
    return {name: _plain(getattr(of, name)) for name in names}


def take_on(into: object, plain: dict[str, Value], names: Iterable[str]) -> None:
    """Take on what was made `plain`."""
    for name in names:
        setattr(into, name, _loaded(getattr(into, name), plain[name]))


def _plain(column: Any) -> Value:
    if isinstance(column, dict):
        return [[key, list(e) if type(e) is tuple else e] for key, e in column.items()]
    if isinstance(column, bytearray):
        return bytes(column)
    return list(column) if isinstance(column, list | array) else column


def _loaded(column: Any, plain: Value) -> Any:
    """What was made `plain`, of the same kind as `column`."""
    if isinstance(column, dict):
        return type(column)([(key, tuple(e) if type(e) is list else e) for key, e in plain])
    if isinstance(column, array):
        return array(column.typecode, plain)
    return type(column)(plain) if isinstance(column, list | bytearray) else plain
