"""Computing processes that have loaded a job, and wait for the next one with the same code.

Rules it keeps:
- They are known by what they have loaded and by its fingerprint: code that was edited is loaded by
  a new one. What the job keeps in its globals is there again, as from piece to piece.
- There are few, and they wait for a while only.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import trio

from transports.work.starting import Started

WAITING_SECONDS = 60.0

Loaded = tuple[str, tuple[tuple[str, str], ...], str]
"""What is loaded for a job, for its parts, and the fingerprint of both."""


def loaded(name: str, parts: Mapping[str, str], fingerprint: str) -> Loaded:
    """As a key."""
    return name, tuple(sorted(parts.items())), fingerprint


@attrs.frozen
class Shelf:
    """Where those of one job are taken from, and put back."""

    _warm: Warm
    _key: Loaded

    def take(self) -> Started | None:
        """One that has loaded it, if there is any."""
        return self._warm.take(self._key)

    def keep(self, started: Started) -> None:
        """It is at nothing, and has loaded it."""
        self._warm.keep(self._key, started)


@attrs.define(eq=False)
class Warm:
    """At most `most` of them."""

    most: int
    _waiting: dict[Started, tuple[Loaded, float]] = attrs.Factory(dict)  # since when

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, wanted: Loaded) -> Started | None:
        """One that has loaded that, if there is any which has not ended."""
        for started, (key, _) in list(self._waiting.items()):
            if key == wanted:
                del self._waiting[started]
                if started.process.poll() is None:
                    return started
                started.end()
        return None

    def keep(self, key: Loaded, started: Started) -> None:
        """It is at nothing, and may be needed again."""
        self._waiting[started] = key, trio.current_time()
        while len(self._waiting) > self.most:
            self._end(next(iter(self._waiting)))

    def tidy_up(self) -> None:
        """End those that wait for too long."""
        now = trio.current_time()
        for started, (_, since) in list(self._waiting.items()):
            if now - since > WAITING_SECONDS:
                self._end(started)

    def end(self) -> None:
        """None is needed any more."""
        for started in list(self._waiting):
            self._end(started)

    def _end(self, started: Started) -> None:
        del self._waiting[started]
        started.end()
