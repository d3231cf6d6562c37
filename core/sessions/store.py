"""Where a host keeps what it orders, so that it may be stopped and begin again.

Rules that a store keeps:
- When `append` returns, the message is stored: only then does anybody hear of it. Where a store
  cannot do so it tells whoever made it; what it holds is then older, as after a crash.
- The first message of an incarnation (`state.seq` is 1) takes the place of all that is stored of
  the session before it, in one step. Where anything was known, that message is a `Restored`
  with all of it; so a crash at any time leaves either the old content or the new.
- It may put `state.snapshot()` in the place of the messages so far, whenever it likes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from core.sessions.model import Kind
from core.sessions.session import Session


class Store(Protocol):
    """What a host asks of the disk below it."""

    def append(self, state: Session, now: float, message: Any) -> None:
        """`message`, ordered at `now` seconds, was just applied to `state`: store it."""

    def load(self, kind: Kind) -> Iterable[Session]:
        """The state of each session, as of the last message that is stored of it."""
