"""Plain data: what a job's functions are given and return, here as on the far side of a wire.

Rules it keeps:
- Plain are None, bool, int of 64 bits, float, str, bytes, and lists and dicts (with str keys) of
  these, at most NESTING_MAX within each other. What travels is of these very types: a tuple
  arrives as a list, an object of a subclass as what that is derived from, a number of NumPy as the
  number it is. What else there is, is refused, with what to use in its place.
- An array of NumPy travels as its type, its shape and its bytes, and is an array again for a job's
  function, where NumPy is installed.
- Each call of a function has values of its own: what it does to them, nobody else sees.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from mmap import mmap
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

if TYPE_CHECKING:
    from core.messages import Value

NESTING_MAX = 100  # lists and dicts within each other
RESERVED = "\0"  # what begins a key that is not for jobs to use
ARRAY = "\0array"
SHOWN = 80  # characters of what is refused
DEEP = f"more than {NESTING_MAX} lists and dicts within each other: flatten it"

SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_MARK = ARRAY.encode()
INT_MIN, INT_MAX = -(2**63), 2**64 - 1
_AS_THEY_ARE = frozenset({type(None), bool, float, bytes})
_BASES: dict[type, Callable[[Any], Any]] = {  # how to get the very type, whatever a subclass does
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
}
_REMEDIES = {  # by the name of a type or of one that it is derived from
    "set": "use sorted(...)",
    "frozenset": "use sorted(...)",
    "Decimal": "use str(...) or float(...)",
    "Fraction": "use str(...) or float(...)",
    "complex": "use [z.real, z.imag]",
    "date": "use .isoformat()",
    "time": "use .isoformat()",
    "timedelta": "use .total_seconds()",
    "PurePath": "use str(...)",
    "UUID": "use str(...)",
    "Enum": "use .value",
    "memoryview": "use bytes(...)",
    "DataFrame": "use .to_dict(...)",
    "Series": "use .to_list()",
    "Iterator": "use list(...)",
    "generator": "use list(...)",
    "range": "use list(...)",
    "ndarray": "use .tolist()",
}


def plain(value: Value) -> Value:
    """`value` as it stands in messages, and arrives. Raises TypeError where it is not plain."""
    kind = type(value)
    if (kind is int and INT_MIN <= value <= INT_MAX) or kind in _AS_THEY_ARE:
        return value
    data = packed(value)
    return value if kind is str else msgspec.msgpack.decode(data)


def all_plain(values: Iterable[Value]) -> list[Value]:
    """Each of them `plain`. Raises TypeError."""
    return [
        value
        if ((kind := type(value)) is int and INT_MIN <= value <= INT_MAX) or kind in _AS_THEY_ARE
        else plain(value)
        for value in values
    ]


def packed(value: Value) -> bytes:
    """Its msgpack. Raises TypeError where it is not plain."""
    try:
        insist(value)
        return _ENCODER.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TypeError(f"not plain data: {_why(error)}") from None


def given(value: Value) -> Value:
    """Something plain as a job's function is given it: a copy of its own, with arrays in it.

    Raises ImportError where there are arrays and no NumPy.
    """
    return value if type(value) in SCALARS else unpacked(_ENCODER.encode(value))


def all_given(values: Iterable[Value]) -> list[Value]:
    """Each of them as it is `given`. Raises ImportError."""
    return [value if type(value) in SCALARS else given(value) for value in values]


def unpacked(data: bytes | mmap) -> Value:
    """What was packed, as a job's function is given it. Raises as `given`, and DecodeError."""
    value = msgspec.msgpack.decode(data)
    return revived(value) if has_arrays(data) else value


def has_arrays(data: bytes | mmap) -> bool:
    """Whether there may be arrays in what is packed there."""
    return data.find(_MARK) >= 0


# -- what is refused -----------------------------------------------------------------------


def insist(value: Value, left: int = NESTING_MAX, reserved: str | None = RESERVED) -> None:
    """Raises TypeError for what is not plain, and for what is so deep that others could not take
    it apart again; numbers and characters are looked at as they are packed."""
    match value:
        case None | bool() | int() | float() | str() | bytes() | bytearray():
            pass
        case list() | tuple() | dict() if not left:
            raise TypeError(DEEP)
        case list() | tuple():
            for item in value:
                if type(item) not in SCALARS:
                    insist(item, left - 1, reserved)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise TypeError(f"the key {_shown(key)} is no str: use str(...)")
                if reserved and key.startswith(reserved):
                    raise TypeError(f"the key {_shown(key)} is not for jobs to use: rename it")
                if type(item) not in SCALARS:
                    insist(item, left - 1, reserved)
        case _ if not _is_of_numpy(value):
            _refuse(value)


def _refuse(value: Any) -> NoReturn:
    kind = type(value)
    names = [base.__name__ for base in kind.__mro__]
    names += ["Iterator"] if hasattr(kind, "__next__") else []
    remedy = next((_REMEDIES[name] for name in names if name in _REMEDIES), None)
    remedy = remedy or "use None, bool, int, float, str, bytes, and lists and dicts of these"
    raise TypeError(f"{kind.__name__} {_shown(value)}: {remedy}")


def _why(error: Exception) -> str:
    if isinstance(error, OverflowError):
        return "an int of more than 64 bits: use str(...) or float(...)"
    if isinstance(error, UnicodeEncodeError):
        where = _shown(error.object[error.start : error.end])
        return f"a str with {where} in it, which no encoding has: use os.fsencode(...)"
    if isinstance(error, RecursionError):
        return DEEP
    return str(error)


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - of whatever it is
        return "of which there is no text"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


# -- of NumPy, which need not be there -----------------------------------------------------


def _is_of_numpy(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic | numpy.ndarray)


def _hook(value: Any) -> Any:
    """What msgspec is to write in place of something that it does not know."""
    for base, convert in _BASES.items():
        if isinstance(value, base):
            return convert(value)
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.ndarray):
        if value.dtype.hasobject or value.dtype.names:
            raise TypeError(f"an array of type {value.dtype}: use .tolist()")
        return {ARRAY: value.dtype.str, "shape": list(value.shape), "data": value.tobytes()}
    item = value.item()
    if isinstance(item, numpy.generic):
        raise TypeError(f"{type(value).__name__} {_shown(value)}: use float(...)")
    insist(item)
    return item


def revived(value: Value) -> Value:
    """The same, which nobody else has, with arrays in it. Raises ImportError, ValueError."""
    if type(value) is list:
        return [revived(item) for item in value]
    if type(value) is not dict:
        return value
    if value.keys() != {ARRAY, "shape", "data"}:
        return {key: revived(item) for key, item in value.items()}
    try:
        import numpy
    except ImportError:
        raise ImportError("an array is in these data: install NumPy (pip install numpy)") from None
    array = numpy.frombuffer(bytearray(value["data"]), numpy.dtype(value[ARRAY]))
    return array.reshape(value["shape"])


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_hook)
