"""What the functions of one job have raised, as the root of a fleet counts it.

Rules it keeps:
- What is alike is there once, with how often it was: the same error, of the same piece, at the
  same node. Whether others have computed that piece since makes no difference.
- The last that came stays: at most PLACES_MAX, and ERRORS_LENGTH_MAX characters of errors. How
  often anything else has raised is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from transports.net import wire

PLACES_MAX = 1000
ERRORS_LENGTH_MAX = 2**18
DECLINED_MAX = 20  # reasons, and processes for each

Place = tuple[str, str, int | None, int, str]
"""Error, session, partition (None: of no single one), node and process."""


@attrs.define
class Failures:
    """Of one job. `left_off`: how often something has raised that is not there any more."""

    times: dict[Place, int] = attrs.Factory(dict)  # the last that came at the end
    left_off: int = 0
    declined: dict[str, list[str]] = attrs.Factory(dict)  # processes, by why they take no part
    stored: bool = True  # as it is now
    _length: int = 0
    _places: Counter[str] = attrs.Factory(Counter)  # by error

    def hear(self, process: str, raised: Iterable[wire.Raised]) -> None:
        """That was raised there."""
        for one in raised:
            self._count((one.error, one.session, one.partition, one.node, process), one.times)
        while len(self.times) > PLACES_MAX or self._length > ERRORS_LENGTH_MAX:
            self.left_off += self._drop(next(iter(self.times)))
        self.stored = False

    def decline(self, process: str, why: str) -> None:
        """It takes no part."""
        if why in self.declined or len(self.declined) < DECLINED_MAX:
            processes = self.declined.setdefault(why, [])
            if process not in processes and len(processes) < DECLINED_MAX:
                processes.append(process)
                self.stored = False

    def _count(self, place: Place, times: int) -> None:
        before = self._drop(place) if place in self.times else 0
        self.times[place] = before + times
        self._places[place[0]] += 1
        if self._places[place[0]] == 1:
            self._length += len(place[0])

    def _drop(self, place: Place) -> int:
        self._places[place[0]] -= 1
        if not self._places[place[0]]:
            del self._places[place[0]]
            self._length -= len(place[0])
        return self.times.pop(place)

    def plain(self) -> dict[str, Any]:
        """As it travels, and is stored: each error once, and places that have its number."""
        errors = {error: i for i, error in enumerate(self._places)}
        raised = [[errors[place[0]], *place[1:], times] for place, times in self.times.items()]
        return {
            "errors": [*errors],
            "raised": raised,
            "left_off": self.left_off,
            "declined": [[why, list(processes)] for why, processes in self.declined.items()],
        }

    def packed(self) -> bytes:
        """As it is stored."""
        return msgspec.msgpack.encode(self.plain())

    @classmethod
    def of(cls, packed: bytes) -> Failures:
        """What was stored. Raises ValueError, and what decoding raises."""
        found = msgspec.msgpack.decode(packed)
        failures = cls(left_off=found["left_off"], declined=dict(found["declined"]))
        for error, session, partition, node, process, times in found["raised"]:
            failures._count((found["errors"][error], session, partition, node, process), times)
        return failures
