"""The job whose pieces take a while and no core, so that each node computes one.

Input: the seconds that a piece takes. Output: the number of pieces.
"""

from collections.abc import Sequence

import trio


def prepare(input: float, sizes: Sequence[int]) -> list[float]:
    """The same for everybody."""
    return [input] * len(sizes)


async def compute(input: float, index: int) -> int:
    """One piece."""
    await trio.sleep(input)
    return 1


def collect(outputs: Sequence[int]) -> int:
    """The sum."""
    return sum(outputs)
