"""Counts primes.

Input: an int n, for the primes below n; or [low, high], for those in low <= prime < high; at most
10^12; 1,000,000 if none is given. Output: how many, an int.

A slot's input is [low, high], cut in proportion to the partitions under it. Pieces are counted in
blocks of the sieve of Eratosthenes, odd numbers only, which neighbouring pieces share: a piece of a
hundred numbers costs a lookup and a count, not a sieve.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from math import isqrt

DEFAULT = 1_000_000
LIMIT = 10**12  # keeps the primes to sieve with below 2^20
SPAN = 2**18  # numbers in a block: its 2^17 odd ones, a byte each, stay in a processor's cache
BLOCKS = 400  # kept, at most 50 MiB: all of 10^8, for whoever computes its pieces in any order


def prepare(input: int | Sequence[int] | None, sizes: Sequence[int]) -> list[list[int]]:
    """One [low, high] a slot, without a gap between them. Raises ValueError on any other input."""
    low, high = _bounds(input)
    whole = sum(sizes)
    cuts = [low + (high - low) * done // whole for done in accumulate(sizes, initial=0)]
    return [list(bounds) for bounds in pairwise(cuts)]


def compute(input: Sequence[int], index: int) -> int:
    """How many primes are in low <= prime < high."""
    low, high = input
    count = 1 if low <= 2 < high else 0  # the blocks know the odd ones
    while low < high:
        number = low // SPAN
        start = number * SPAN
        end = min(high, start + SPAN)
        # A whole block belongs to this piece alone; keeping it would push out a shared one.
        block = _sieve(number) if end - low == SPAN else _kept(number)
        count += block.count(1, (low - start) // 2, (end - start) // 2)
        low = end
    return count


def collect(outputs: Sequence[int]) -> int:
    """The sum."""
    return sum(outputs)


def _bounds(input: int | Sequence[int] | None) -> tuple[int, int]:
    low, high = bounds = _pair(DEFAULT if input is None else input)
    if not all(type(bound) is int for bound in bounds) or not 0 <= low <= high <= LIMIT:
        raise _refusal(input)
    return low, high


def _pair(input: int | Sequence[int]) -> Sequence[int]:
    if isinstance(input, list | tuple) and len(input) == 2:
        return input
    if isinstance(input, int):
        return 0, input
    raise _refusal(input)


def _refusal(input: object) -> ValueError:
    return ValueError(
        f"primes: the input is to be an int n or [low, high], from 0 to {LIMIT}, not {input!r}"
    )


def _sieve(number: int) -> bytearray:
    """Block `number`: byte i is 1 if number * SPAN + 2 * i + 1 is an odd prime, else 0."""
    start, size = number * SPAN, SPAN // 2
    root = isqrt(start + SPAN)
    block = bytearray(b"\x01") * size
    for prime in _odd_primes(root.bit_length()):
        if prime > root:
            break
        # An odd multiple m of the prime stands at (m - start) / 2, the next one `prime` bytes on.
        # Smaller multiples than its square have a smaller factor.
        multiple = max(prime * prime, start + -start % prime)
        first = (multiple + prime * (multiple % 2 == 0) - start) // 2
        if first < size:
            block[first::prime] = bytes((size - 1 - first) // prime + 1)
    if number == 0:
        block[0] = 0  # the number 1
    return block


_kept = lru_cache(BLOCKS)(_sieve)


@lru_cache(32)  # a bit length each, so never more than a handful
def _odd_primes(bits: int) -> list[int]:
    """The odd primes below 2^bits."""
    limit = 1 << bits
    flags = bytearray(b"\x01") * limit
    for number in range(3, isqrt(limit) + 1, 2):
        if flags[number]:
            flags[number * number :: number] = bytes((limit - 1 - number * number) // number + 1)
    return [number for number in range(3, limit, 2) if flags[number]]
