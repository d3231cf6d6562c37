"""Functions of a job that fork: what a child of a computing process must not do is its work.

Rules it keeps:
- A child that comes back from the call in which it was forked ends there, and leaves word of it in
  the page. It computes no further piece before that.
- Such a call has failed. Where a call has forked, and a child is left, it is waited a moment for
  that word. Children that end by themselves, as those of libraries do, are nobody's business.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

FORKED, FORKED_AT = 3, 4  # words of the page: the call that a child came back from, and the piece
WAIT_SECONDS, LOOK_SECONDS = 0.5, 0.005


def came_back_line(where: str) -> str:
    """What is told of a call in which that happened, `where`: a partition, or a function."""
    return f"{where} forked, and the child came back as well: have the child end by os._exit()"


class Forks:
    """Of one computing process; `page` is what both sides see, `working` the view of it that is
    used at work, which a child has not got; `piece` is the place of the word for that."""

    def __init__(self, page: memoryview[int], working: memoryview[int], piece: int) -> None:
        self._page, self._working, self._piece = page, working, piece
        self._me = os.getpid()
        self._at: int | None = None  # the piece that has forked last, in this call
        os.register_at_fork(before=self._before, after_in_child=self._working.release)

    def begin(self) -> None:
        """A call begins."""
        self._at = None

    def end_child(self, number: int = 0, error: BaseException | None = None) -> None:
        """Where this is a child, it ends here, with call `number` or what that has raised."""
        if os.getpid() == self._me:
            return
        if isinstance(error, SystemExit):  # it was to end
            os._exit(error.code if isinstance(error.code, int) else bool(error.code))
        self._page[FORKED_AT] = self._at or 0
        self._page[FORKED] = number
        os._exit(1)

    def came_back(self, number: int) -> int | None:
        """The piece of that call that a child came back from as well."""
        if self._at is None:
            return None
        until = time.monotonic() + WAIT_SECONDS
        while self._page[FORKED] != number:
            if time.monotonic() > until or not _has_children():
                return None
            time.sleep(LOOK_SECONDS)
        return self._page[FORKED_AT]

    def _before(self) -> None:
        with suppress(ValueError):  # a child of a child has not got it either
            self._at = self._working[self._piece]


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
