"""Whom to ask for one blob, and in which order.

Rules it keeps:
- A source is asked once, or once more for each who names it again. One of wrong content is not
  asked again.
- Processes that wait for each other never do so for long. Who asks us for a blob has not got it:
  it is passed over, and others are asked before. It is the last hope, when all those who were
  passed over have been told that we have nothing for them.
"""

from __future__ import annotations

from collections.abc import Container

import attrs

Source = tuple[str, bool]  # the process, and whether to ask it deep


@attrs.define(eq=False)
class Sources:
    """Of one blob. `present` is the one that is asked now."""

    present: Source | None = None
    wrong: set[str] = attrs.Factory(set)  # their content was
    _next: dict[Source, None] = attrs.Factory(dict)  # to be asked
    _asked: set[Source] = attrs.Factory(set)  # ever
    _passed: dict[Source, None] = attrs.Factory(dict)  # they asked us, and may find it yet
    _last_hope: bool = False  # there was no other than the present one

    def add(self, name: str, deep: bool, again: bool = False) -> None:
        """One more that may be asked; `again` even if it was asked before."""
        source = name, deep
        known = source in self._next or source == self.present or source in self._passed
        if not known and (again or source not in self._asked):
            self._next[source] = None

    def turn(self, waiting: Container[str]) -> bool:
        """Have the next one be the present one; those who wait for it themselves are passed over.

        False where there is none.
        """
        while self._next:
            source = next(iter(self._next))
            del self._next[source]
            if source[0] in self.wrong:
                continue
            if source[0] not in waiting:
                return self._ask(source, last_hope=False)
            self._passed[source] = None
        return False

    def turn_to_last_hope(self) -> bool:
        """The same with one who was passed over."""
        if not self._passed:
            return False
        source = next(iter(self._passed))
        del self._passed[source]
        return self._ask(source, last_hope=True)

    def _ask(self, source: Source, last_hope: bool) -> bool:
        self.present, self._last_hope = source, last_hope
        self._asked.add(source)
        return True

    def is_present(self, name: str) -> bool:
        return self.present is not None and self.present[0] == name

    def passed(self) -> set[str]:
        """Who was passed over."""
        return {name for name, _ in self._passed}

    def pass_over(self) -> None:
        """The present one asks us. It may be asked again, but not when it was the last hope."""
        if self.present is not None and not self._last_hope:
            self._passed[self.present] = None

    def keep(self) -> None:
        """The present one is to be the next one, too."""
        if self.present is not None:
            self._next = {self.present: None, **self._next}

    def lost(self, name: str) -> None:
        """Whoever was passed over is not there any more."""
        for deep in (True, False):
            self._passed.pop((name, deep), None)
