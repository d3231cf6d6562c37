"""The job that costs nothing: what is left is what the tree itself takes.

Input: any. Output: the number of partitions.
"""

from collections.abc import Sequence
from typing import Any


def prepare(input: Any, sizes: Sequence[int]) -> list[None]:
    """Nothing for anybody."""
    return [None] * len(sizes)


def compute(input: None, index: int) -> int:
    """One."""
    return 1


def collect(outputs: Sequence[int]) -> int:
    """The sum."""
    return sum(outputs)
