"""An option, declared once: as a field of the class that it is for.

    @attrs.frozen
    class Times:
        tick: float = option(0.001, "SECONDS", TICK, "seconds that count as the same moment")

The field has its name, its type and its default, and beside them stand its unit, what it may be and
what the help says. So the class is what Python is given, `plugins.console.parser` makes of its
fields a command line's options, and whoever varies or tells options goes by the same fields.

Whatever is wrong is said in one line: the option, its value, the remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

OPTION = "option"  # in a field's metadata


class BadOption(ValueError):
    """An option that cannot be. The message is one line: the option, its value, the remedy."""


@attrs.frozen(eq=False)
class Option:
    """How a command line shows a field. What it does not name keeps the field's default."""

    metavar: str  # the unit, or the shape, of its value
    read: Callable[[str], Any] | None  # raises ValueError; None: it is a switch
    help: str
    said: str | None = None  # the default in words, where the value does not say it; "": unsaid
    flags: tuple[str, ...] = ()  # where they are not made of the name; the name alone: it is none
    more: Mapping[str, Any] = {}  # for argparse
    name: str = ""  # of the field
    default: Any = attrs.Factory(lambda: attrs.NOTHING)  # of the field; without one it is no flag

    @property
    def told(self) -> str:
        """What the help says."""
        if self.said == "" or self.default is attrs.NOTHING:
            return self.help
        value = f"{self.default:g}" if isinstance(self.default, float) else f"{self.default}"
        return f"{self.help} (default: {value if self.said is None else self.said})"


@attrs.frozen(eq=False)
class Must:
    """What a value given in Python must be; the default always may be."""

    allowed: Callable[[Any], bool]
    wanted: str

    def __call__(self, _: object, field: attrs.Attribute[Any], value: object) -> None:
        if value is not field.default and not self.allowed(value):
            raise ValueError(f"{field.name} must be {self.wanted}, not {value!r}")


def option(
    default: Any,
    metavar: str,
    read: Callable[[str], Any],
    help: str,
    said: str | None = None,
    must: Must | None = None,
    convert: Callable[[Any], Any] | None = None,
    **more: Any,
) -> Any:
    """A field that a command line can set: see Option. `more` is for argparse."""
    shown = Option(metavar, read, help, said, more=more)
    return attrs.field(default=default, validator=must, converter=convert, metadata={OPTION: shown})


def switch(
    help: str,
    said: str,
    must: Must | None = None,
    default: Any = False,
    flags: tuple[str, ...] = (),
    **more: Any,
) -> Any:
    """A field that is changed by being named: see Option."""
    more = more or {"action": "store_const", "const": not default}
    shown = Option("", None, help, said, flags, more)
    return attrs.field(default=default, validator=must, metadata={OPTION: shown})


def taken(cls: type[Any], named: dict[str, Any]) -> dict[str, Any]:
    """Of what was named that for which the class has fields; it is taken away."""
    return {name: named.pop(name) for name in attrs.fields_dict(cls) if name in named}


def of(cls: type[Any], *names: str) -> list[Option]:
    """The options among the fields of a class: these, or all."""
    fields = attrs.fields_dict(cls)
    return [
        attrs.evolve(fields[name].metadata[OPTION], name=name, default=fields[name].default)
        for name in names or [name for name in fields if OPTION in fields[name].metadata]
    ]


def one(cls: type[Any], name: str, **otherwise: Any) -> Option:
    """An option of a class, in other words where this command has others."""
    return attrs.evolve(of(cls, name)[0], **otherwise)
