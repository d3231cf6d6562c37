"""A job whose every output shows what it is made of, so that each can be checked at once.

The input is [first, size, fails]: a span of partitions, and one that cannot be computed (-1: all
can). The output of a span is the list of its partitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

Span = list[int]


def prepare(input: Span, sizes: list[int]) -> list[Span]:
    first, size, fails = input
    if size != sum(sizes):
        raise ValueError(f"a span of {size} is to be cut into {sizes}")
    ends = accumulate(sizes, initial=first)
    return [[start, length, fails] for start, length in zip(ends, sizes, strict=False)]


def compute(input: Span, index: int) -> list[int]:
    first, size, fails = input
    if (first, size) != (index, 1):
        raise ValueError(f"partition {index} was given the span {input}")
    if index == fails:
        raise ArithmeticError(f"partition {index} cannot be computed")
    return [index]


def collect(outputs: Sequence[list[int]]) -> list[int]:
    return [partition for output in outputs for partition in output]
