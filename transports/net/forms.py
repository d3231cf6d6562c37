"""How every class of the core that travels, and every envelope, is read from an array.

An array begins with the name of its class; msgspec writes it as it is. What may arrive is checked
against the types of the core's own fields, so a class that is added or changed in the core needs
nothing here. Values must be plain data, and not too deep: what cannot be said on is not heard.
"""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec

from core import messages as m
from plugins.jobs.values import DEEP, NESTING_MAX, SCALARS
from transports.net.limits import COUNT_MAX

_NESTING_HEARD = NESTING_MAX + 5  # in a snapshot values are deeper

# A host name, an IPv4 address, or an IPv6 address in brackets; and a port. (\Z, as $ also matches
# before a line end.)
_ADDRESS = Annotated[
    str,
    msgspec.Meta(pattern=r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}\Z", max_length=300),
]
# The number of the computation, and on the way down that of each child session.
SESSION = Annotated[
    str, msgspec.Meta(pattern=r"^((0|[1-9][0-9]{0,8})(-[0-9]{1,9})*)?\Z", max_length=1000)
]
_SECRET = Annotated[bytes, msgspec.Meta(max_length=64)]
_BY_NAME: dict[str, Any] = {
    "address": _ADDRESS,
    "route": Annotated[tuple[_ADDRESS, ...], msgspec.Meta(min_length=1, max_length=COUNT_MAX)],
    "session": SESSION,
    "bound": SESSION,
    "key": _SECRET,
    "seal": _SECRET,
}
_FEW = msgspec.Meta(max_length=COUNT_MAX)


@attrs.frozen
class _Form:
    """How one class is read: as a struct with the same fields, some of which are classes too."""

    struct: type[msgspec.Struct]
    names: tuple[str, ...]
    nested: frozenset[str]
    values: tuple[str, ...]  # those that are a job's value, or hold some
    lone: frozenset[str]  # of these, those that are one


_CLASSES: dict[Any, _Form] = {}  # by class of the core, or of an envelope
_STRUCTS: dict[Any, tuple[type, _Form]] = {}  # by struct


def form(cls: type[m.Data], more: tuple[type, ...] = ()) -> type[msgspec.Struct]:
    """The struct as which instances of `cls` arrive; what they say may be of `more` classes."""
    known = None if more else _CLASSES.get(cls)
    if known is None:
        hints = get_type_hints(cls, include_extras=True)
        for name in {"call", "message"} & hints.keys() if more else ():
            hints[name] = Union[(hints[name], *more)]
        names = cls.__struct_fields__
        types = {name: _typed(name, hints[name]) for name in names}
        made = msgspec.defstruct(
            cls.__name__,
            list(types.items()),
            array_like=True,
            forbid_unknown_fields=True,
            tag=cls.__struct_config__.tag,
        )
        nested = frozenset(name for name in names if _has_class(hints[name])) - {*_BY_NAME}
        values = tuple(name for name in names if _has_any(types[name]))
        lone = frozenset(name for name in values if types[name] is Any)
        known = _Form(made, names, nested, values, lone)
        _STRUCTS[made] = cls, known
        if not more:
            _CLASSES[cls] = known
    return known.struct


def _typed(name: str, hint: Any) -> Any:
    """The type to decode a field as."""
    known = _BY_NAME.get(name)
    if known is None:
        return _wired(hint)
    return Union[known, None] if type(None) in get_args(hint) else known  # noqa: UP007  made here


def _wired(hint: Any) -> Any:
    if _is_class(hint):
        return form(hint)
    if get_origin(hint) in (UnionType, Union):
        return Union[tuple(_wired(one) for one in get_args(hint))]  # noqa: UP007  made here
    many = get_origin(hint) in (list, dict) or (get_origin(hint) is tuple and ... in get_args(hint))
    return Annotated[hint, _FEW] if many else hint


def _is_class(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, m.Data)


def _has_class(hint: Any) -> bool:
    """Whether it is a class of the core, or may be one."""
    return _is_class(hint) or any(map(_has_class, get_args(hint)))


def _has_any(hint: Any) -> bool:
    return hint is Any or any(map(_has_any, get_args(hint)))


def as_object(item: Any) -> Any:
    """What was meant by that. Raises TypeError where a value is not plain data."""
    found = _STRUCTS.get(type(item))
    if found is None:
        return item
    cls, known = found
    nested = known.nested
    for name in known.values:
        value = getattr(item, name)
        if type(value) not in SCALARS:
            _insist_within(value, name in known.lone)
    return cls(
        *[
            as_object(getattr(item, name)) if name in nested else getattr(item, name)
            for name in known.names
        ]
    )


def _insist_within(value: Any, lone: bool) -> None:
    """Raises TypeError for a value, or one in a container of known type, that nobody may say."""
    for item in (value,) if lone else value.values() if type(value) is dict else value:
        if type(item) not in SCALARS:
            _insist_plain(item, _NESTING_HEARD)


def _insist_plain(value: Any, left: int) -> None:
    """Raises TypeError where what msgpack has brought is not plain data, or too deep."""
    kind = type(value)
    if not left:
        raise TypeError(DEEP)
    if kind is list:
        for item in value:
            if type(item) not in SCALARS:
                _insist_plain(item, left - 1)
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"the key {key!r:.80} is no str")
            if type(item) not in SCALARS:
                _insist_plain(item, left - 1)
    else:
        raise TypeError(f"{kind.__name__} is not plain data")
