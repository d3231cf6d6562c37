"""The fanout of a tree where nobody names one."""

from __future__ import annotations

CHILDREN_PREFERRED = 100


def choose_fanout(partitions: int) -> int:
    """The fanout for P partitions where nobody names one.

    As few levels as leave nobody with more than CHILDREN_PREFERRED children, then the least fanout
    that needs no further level.
    """
    levels = 1  # as of `core.Shape`, which takes a while to load: help names some of these
    while CHILDREN_PREFERRED**levels < partitions:
        levels += 1
    fanout = 2
    while fanout**levels < partitions:
        fanout += 1
    return fanout
