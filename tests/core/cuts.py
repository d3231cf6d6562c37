"""How deep a tree has to be."""


def levels_of(partitions: int, fanout: int) -> int:
    """The least L >= 1 with F^L >= P."""
    return next(level for level in range(1, 1000) if fanout**level >= partitions)
