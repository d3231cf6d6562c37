"""How P partitions become a tree with at most F children anywhere.

Levels L = the least L with F^L >= P. A session with p partitions and L levels left has
ceil(p / F^(L-1)) slots, whose sizes differ by one at most; none is empty. Integers only, so a
tree of 10^12 partitions is cut as exactly as one of ten.
"""

from __future__ import annotations

from sys import intern

import attrs

ROOT = "0"


@attrs.frozen
class Shape:
    """Where one session stands in the tree: its name and which partitions lie under it."""

    session: str
    partitions: int
    first: int
    levels: int
    fanout: int
    keep_going: bool = False  # what fails for good is left out, and all else collected

    @classmethod
    def root(cls, partitions: int, fanout: int, keep_going: bool = False) -> Shape:
        """The root's shape. Raises ValueError for less than one partition or a fanout below 2."""
        if partitions < 1:
            raise ValueError(f"partitions must be at least 1, not {partitions}")
        if fanout < 2:
            raise ValueError(f"fanout must be at least 2, not {fanout}")
        levels, capacity = 1, fanout
        while capacity < partitions:
            levels, capacity = levels + 1, capacity * fanout
        return cls(ROOT, partitions, 0, levels, fanout, keep_going)

    def plain(self) -> list[str | int]:
        """As plain data; `Shape(*plain)` is equal."""
        return list(attrs.astuple(self))

    @property
    def leaf(self) -> bool:
        """Whether a slot is a partition (else it is a child session)."""
        return self.levels == 1

    @property
    def slots(self) -> int:
        """The number of slots, 1 to fanout."""
        capacity: int = self.fanout ** (self.levels - 1)
        return -(-self.partitions // capacity)

    def sizes(self) -> list[int]:
        """The number of partitions under each slot."""
        size, larger = divmod(self.partitions, slots := self.slots)
        return [size + 1] * larger + [size] * (slots - larger)

    def child(self, slot: int) -> Shape:
        """The shape of the child session of `slot`."""
        size, larger = divmod(self.partitions, self.slots)
        return Shape(
            intern(f"{self.session}-{slot}"),
            size + (slot < larger),
            self.first + slot * size + min(slot, larger),
            self.levels - 1,
            self.fanout,
            self.keep_going,
        )
