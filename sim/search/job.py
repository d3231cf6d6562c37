"""A job whose every output shows what it is made of, so that each can be checked at once.

The input is [first, size, fails, times]: a span of partitions, and what fails how often: one of the
partitions, or PREPARE_FAILS, PREPARE_BELOW_FAILS (not that of the root), COLLECT_FAILS or
NOTHING_FAILS. The output of a span is the list of
its partitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

NOTHING_FAILS, PREPARE_FAILS, COLLECT_FAILS, PREPARE_BELOW_FAILS = -1, -2, -3, -4

Span = list[int]

left: dict[int, int] = {}  # how often what is still to fail; set before each run


def _fail(what: int) -> None:
    if left.get(what, 0) > 0:
        left[what] -= 1
        raise ArithmeticError(f"{what} fails")


def prepare(input: Span, sizes: list[int]) -> list[Span]:
    first, size, *fails = input
    _fail(PREPARE_FAILS)
    if first:
        _fail(PREPARE_BELOW_FAILS)
    if size != sum(sizes):
        raise ValueError(f"a span of {size} is to be cut into {sizes}")
    ends = accumulate(sizes, initial=first)
    return [[start, length, *fails] for start, length in zip(ends, sizes, strict=False)]


def compute(input: Span, index: int) -> list[int]:
    first, size, *_ = input
    if (first, size) != (index, 1):
        raise ValueError(f"partition {index} was given the span {input}")
    _fail(index)
    return [index]


def collect(outputs: Sequence[list[int]]) -> list[int]:
    _fail(COLLECT_FAILS)
    return [partition for output in outputs for partition in output]
