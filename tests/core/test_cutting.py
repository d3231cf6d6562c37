"""How P partitions become a tree, by integer arithmetic."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Shape
from tests.core.cuts import levels_of

FANOUTS = (2, 3, 4, 7, 10, 32, 100)


def sessions(root: Shape) -> Iterator[tuple[Shape, list[Shape]]]:
    """Each session with its children; of those that only differ in their place, one."""
    seen, upcoming = set(), [root]
    while upcoming:
        shape = upcoming.pop()
        children = [] if shape.leaf else [shape.child(i) for i in range(shape.slots)]
        yield shape, children
        for child in children:
            if (child.partitions, child.levels) not in seen:
                seen.add((child.partitions, child.levels))
                upcoming.append(child)


def check(shape: Shape, children: list[Shape]) -> None:
    sizes = shape.sizes()
    capacity = shape.fanout ** (shape.levels - 1)
    assert shape.slots == len(sizes) == -(-shape.partitions // capacity)
    assert 1 <= len(sizes) <= shape.fanout
    assert sum(sizes) == shape.partitions
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= capacity
    assert shape.leaf == (shape.levels == 1)
    if shape.leaf:
        assert sizes == [1] * shape.partitions
    first = shape.first
    for slot, child in enumerate(children):
        assert child.session == f"{shape.session}-{slot}"
        assert (child.first, child.partitions) == (first, sizes[slot])
        assert (child.levels, child.fanout) == (shape.levels - 1, shape.fanout)
        first += sizes[slot]


@pytest.mark.parametrize("fanout", FANOUTS)
def test_every_tree_up_to_2000_partitions(fanout: int) -> None:
    for partitions in range(1, 2001):
        root = Shape.root(partitions, fanout)
        assert (root.session, root.first, root.partitions) == ("0", 0, partitions)
        assert root.levels == levels_of(partitions, fanout)
        for shape, children in sessions(root):
            check(shape, children)


@pytest.mark.parametrize("fanout", [*FANOUTS, 1000])
@pytest.mark.parametrize("partitions", [10**6 - 1, 10**6, 10**6 + 1, 10**12, 10**12 + 1, 2**64])
def test_large_trees_are_cut_as_exactly(partitions: int, fanout: int) -> None:
    root = Shape.root(partitions, fanout)
    assert root.levels == levels_of(partitions, fanout)
    for shape, children in sessions(root):
        check(shape, children)


@given(st.integers(1, 10**30), st.integers(2, 1000))
def test_any_tree(partitions: int, fanout: int) -> None:
    root = Shape.root(partitions, fanout)
    assert fanout**root.levels >= partitions
    assert root.levels == 1 or fanout ** (root.levels - 1) < partitions
    check(root, [] if root.leaf else [root.child(i) for i in range(root.slots)])


@given(st.integers(1, 300), st.integers(2, 6))
def test_each_partition_lies_under_one_leaf_slot(partitions: int, fanout: int) -> None:
    def leaves(shape: Shape) -> Iterator[int]:
        if shape.leaf:
            yield from range(shape.first, shape.first + shape.slots)
        else:
            for slot in range(shape.slots):
                yield from leaves(shape.child(slot))

    assert list(leaves(Shape.root(partitions, fanout))) == list(range(partitions))


@pytest.mark.parametrize(
    ("partitions", "fanout", "named"), [(0, 2, "partitions"), (-1, 2, "partitions")]
)
def test_less_than_one_partition_is_refused(partitions: int, fanout: int, named: str) -> None:
    with pytest.raises(ValueError, match=f"{named} must be at least 1, not {partitions}"):
        Shape.root(partitions, fanout)


@pytest.mark.parametrize("fanout", [1, 0, -3])
def test_a_fanout_below_two_is_refused(fanout: int) -> None:
    with pytest.raises(ValueError, match=f"fanout must be at least 2, not {fanout}"):
        Shape.root(5, fanout)
