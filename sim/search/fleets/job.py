"""A job whose output shows of which job it is, and what it is made of.

The input is [first, size, fails]: a span of numbers, one a partition, and which of them fails in
`compute`, always (-1: none). The output of a span is the list of its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

NOTHING_FAILS = -1


def prepare(input: list[int], sizes: list[int]) -> list[list[int]]:
    first, size, fails = input
    if size != sum(sizes):
        raise ValueError(f"a span of {size} is to be cut into {sizes}")
    ends = accumulate(sizes, initial=first)
    return [[start, length, fails] for start, length in zip(ends, sizes, strict=False)]


def compute(input: list[int], index: int) -> list[int]:
    first, size, fails = input
    if size != 1:
        raise ValueError(f"partition {index} was given the span {input}")
    if first == fails:
        raise ArithmeticError(f"{first} fails")
    return [first]


def collect(outputs: Sequence[list[int]]) -> list[int]:
    return [number for output in outputs for number in output]
