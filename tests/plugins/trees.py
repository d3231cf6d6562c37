"""Runs a job through a tree of any shape, as the sessions of a computation would.

A shape is 1, a partition, or a list of shapes, a session with these slots.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.wired import wired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugins.jobs.loading import Job

Shape = Any  # int | list["Shape"]


def run(job: Job, input: Any, shape: Shape) -> Any:
    """The job's output. All that goes from one session to another is packed and unpacked."""
    return _session(job, wired(input), shape, count())


def balanced(partitions: int, fanout: int) -> Shape:
    """The shape that a computation has: as few levels as possible, sizes that differ by one."""
    levels = 1
    while fanout**levels < partitions:
        levels += 1
    return _balanced(partitions, fanout, levels)


def partitions(shape: Shape) -> int:
    return 1 if shape == 1 else sum(map(partitions, shape))


def shapes() -> st.SearchStrategy[Shape]:
    """Sessions of any depth; partitions and child sessions may stand side by side."""
    slots = st.recursive(st.just(1), lambda below: st.lists(below, min_size=1), max_leaves=40)
    return st.lists(slots, min_size=1, max_size=5)


def _session(job: Job, input: Any, shape: Shape, indices: Iterator[int]) -> Any:
    sizes = [partitions(slot) for slot in shape]
    inputs = job.prepare(input, sizes)
    assert len(inputs) == len(sizes)
    outputs = [
        wired(
            job.compute(wired(slot_input), next(indices))
            if slot == 1
            else _session(job, wired(slot_input), slot, indices)
        )
        for slot, slot_input in zip(shape, inputs, strict=True)
    ]
    return job.collect(outputs)


def _balanced(size: int, fanout: int, levels: int) -> Shape:
    if levels == 0:
        return 1
    slots = -(-size // fanout ** (levels - 1))
    larger = size % slots
    return [_balanced(size // slots + (i < larger), fanout, levels - 1) for i in range(slots)]
