"""The job whose answer is right only if each partition is in it once, and in its place.

Input: any. Output: [first partition, number of partitions, a hash chain's last link]. The chain of
one partition is a hash of its index; that of several is a sum of powers, so that joining outputs is
associative and any that is missing, doubled or out of place changes it.
"""

from collections.abc import Sequence
from typing import Any

BASE, MODULUS = 1_000_003, 2**61 - 1


def prepare(input: Any, sizes: Sequence[int]) -> list[Any]:
    """The same for everybody."""
    return [input] * len(sizes)


def compute(input: Any, index: int) -> list[int]:
    """The share of one partition."""
    return [index, 1, (index + 1) * pow(BASE, index, MODULUS) % MODULUS]


def collect(outputs: Sequence[list[int]]) -> list[int]:
    """The share of all. Raises ValueError if they are no neighbours."""
    first = end = outputs[0][0]
    for at, count, _ in outputs:
        if at != end:
            raise ValueError(f"partition {end} is next, not {at}")
        end += count
    return [first, end - first, sum(output[2] for output in outputs) % MODULUS]


def whole(partitions: int) -> list[int]:
    """The answer."""
    return collect([compute(None, index) for index in range(partitions)])
