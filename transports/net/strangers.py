"""Those who have dialled this process and have not greeted yet: so many, for so long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import trio

STRANGERS_MAX = 1000
GREETING_SECONDS = 5.0


@attrs.define(eq=False)
class Stranger:
    """One of them. `reason`: why it is not waited for any more."""

    scope: trio.CancelScope
    reason: str = f"it did not greet within {GREETING_SECONDS:g} s"


class Strangers:
    """All of them, the oldest first, which has to go where there are too many."""

    def __init__(self) -> None:
        self._waiting: dict[Stranger, None] = {}

    @contextmanager
    def waiting(self) -> Iterator[Stranger]:
        """One more, for as long as the block lasts; it ends early if that takes too long."""
        while len(self._waiting) >= STRANGERS_MAX:
            self._dismiss(next(iter(self._waiting)), f"more than {STRANGERS_MAX} have not greeted")
        with trio.move_on_after(GREETING_SECONDS) as scope:
            stranger = Stranger(scope)
            self._waiting[stranger] = None
            try:
                yield stranger
            finally:
                self._waiting.pop(stranger, None)

    def dismiss_all(self) -> None:
        """None of them is waited for."""
        for stranger in list(self._waiting):
            self._dismiss(stranger, "this process ends")

    def _dismiss(self, stranger: Stranger, reason: str) -> None:
        del self._waiting[stranger]
        stranger.reason = reason
        stranger.scope.cancel()
