"""The smallest job: every partition is worth the same, and the answer is their sum.

Input: an int; 1 if none is given. Output: input x number of partitions, so that the answer
proves that every partition was computed, and none of them twice.
"""

from collections.abc import Sequence
from typing import Any


def prepare(input: Any, sizes: Sequence[int]) -> list[int]:
    """Every slot gets the whole input. Raises ValueError if the answer is not a 64-bit int."""
    value = 1 if input is None else input
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"demo: the input is to be an int, not {input!r}")
    if not -(2**63) <= value * sum(sizes) < 2**63:
        raise ValueError(f"demo: {input} x {sum(sizes)} partitions do not fit into 64 bits")
    return [value] * len(sizes)


def compute(input: int, index: int) -> int:
    """The input itself."""
    return input


def collect(outputs: Sequence[int]) -> int:
    """The sum."""
    return sum(outputs)
