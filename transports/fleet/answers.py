"""What came of a chunk, on its way to the program: pickled, by a node that this program trusts; or
as plain data, by one that it need not trust."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import attrs
import msgspec

from plugins.jobs.values import given
from transports.fleet.line import Heard
from transports.fleet.signed_calls import done_of, size_of
from transports.net import wire


@attrs.frozen
class Plain:
    """Of a node that need not be trusted. What it says is read when it is asked for."""

    value: Any
    reduced: bool = False

    def __len__(self) -> int:
        return size_of(self.value)

    def read(self) -> Any:
        """Raises ValueError."""
        return self.value if self.reduced else done_of(self.value, _known)


def read(output: bytes | Plain) -> Any:
    """`Done`; or what a `reduce` made. Raises ValueError, and what unpickling raises."""
    if isinstance(output, Plain):
        return output.read()
    return pickle.loads(output)  # noqa: S301  by a node that this program trusts


def _known(module: str, name: str) -> Any:
    """The class of that name, if this program has loaded it: nothing is imported for it."""
    found: Any = sys.modules.get(str(module))
    for part in str(name).split("."):
        found = getattr(found, "__dict__", {}).get(part)  # which has nothing loaded
    return found


def of_signed(result: Any, pickled: bool) -> Any:
    """What came of a job of calls that are signed, as it is to be read."""
    if isinstance(result, dict):
        return {"value": Plain(result.get("plain"), reduced=True)}
    return result if pickled else [Plain(output) for output in result]


def hearing_plain(heard: Heard) -> Heard:
    """The same for what is heard of each output."""

    def hear(told: wire.Output) -> None:
        output = None if told.failure is not None else Plain(given(told.output))
        heard(msgspec.structs.replace(told, output=output))

    return hear
