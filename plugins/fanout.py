"""The fanout of a tree where nobody names one."""

from __future__ import annotations

from core import Shape

CHILDREN_PREFERRED = 100


def choose_fanout(partitions: int) -> int:
    """The fanout for P partitions where nobody names one.

    As few levels as leave nobody with more than CHILDREN_PREFERRED children, then the least fanout
    that needs no further level.
    """
    levels = Shape.root(partitions, CHILDREN_PREFERRED).levels
    fanout = 2
    while fanout**levels < partitions:
        fanout += 1
    return fanout
