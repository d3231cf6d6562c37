"""Where a host keeps what it orders, so that it may be stopped and begin again.

Rules that a store keeps:
- When `append` returns, the message is stored: only then does anybody hear of it.
- The first message of an incarnation (`model.seq` is 1) takes the place of all that is stored of
  the session before it, in one step. Where anything was known, that message is a `Restored`
  with all of it; so a crash at any time leaves either the old content or the new.
- It may put `model.snapshot()` in the place of the messages so far, whenever it likes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from core.computation import Computation
from core.messages import Message


class Store(Protocol):
    """What a host asks of the disk below it."""

    def append(self, model: Computation, now: float, message: Message) -> None:
        """`message`, ordered at `now` seconds, was just applied to `model`: store it."""

    def load(self) -> Iterable[Computation]:
        """The model of each session, as of the last message that is stored of it."""
