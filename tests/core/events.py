"""Events: three integers each, which say what happens, to whom, and how.

So hypothesis can draw and shrink a story, and a seed can repeat one anywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random

from hypothesis import strategies as st

Event = tuple[int, int, int]

HISTORY_LENGTH = 150


def histories(kinds: Sequence[str], length_max: int = 60) -> st.SearchStrategy[list[Event]]:
    kind = st.integers(0, len(kinds) - 1)
    return st.lists(st.tuples(kind, st.integers(0, 99), st.integers(0, 99)), max_size=length_max)


def history(kinds: Sequence[str], seed: int) -> list[Event]:
    random = Random(seed)
    return [
        (int(random.random() * len(kinds)), int(random.random() * 100), int(random.random() * 100))
        for _ in range(HISTORY_LENGTH)
    ]


class Played(ABC):
    """To whom they happen."""

    def play(self, events: list[Event]) -> None:
        for event in events:
            self.happen(event)

    @abstractmethod
    def happen(self, event: Event) -> None:
        """Have one thing happen, if it can."""
