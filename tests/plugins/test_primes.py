"""plugins.primes against a primality test, and against published counts."""

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugins import primes as module
from plugins.jobs.loading import load
from tests.plugins.trees import Shape, balanced, run, shapes

primes = load("plugins.primes")
SPAN = module.SPAN


def is_prime(number: int) -> bool:
    """Miller and Rabin's test, which is exact below 3.4 x 10^12 with these bases (OEIS A014233)."""
    bases = (2, 3, 5, 7, 11, 13)
    if number < 17:
        return number in bases
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(
        (power := pow(base, odd, number)) in (1, number - 1)
        or any((power := power * power % number) == number - 1 for _ in range(twos - 1))
        for base in bases
    )


def counted(low: int, high: int) -> int:
    return sum(map(is_prime, range(low, high)))


@given(shape=shapes(), n=st.integers(0, 2000))
@example(shape=[1], n=0)
@example(shape=[1, [1, 1]], n=1)
@example(shape=[[1], 1, 1], n=3)
def test_any_tree_counts_the_primes_below_n(shape: Shape, n: int) -> None:
    assert run(primes, n, shape) == counted(0, n)


near_a_border = st.builds(
    lambda block, offset: max(0, block * SPAN + offset),
    st.integers(0, 500) | st.integers(0, 10**12 // SPAN - 1),
    st.integers(-20, 20) | st.integers(0, SPAN),
)


@given(shape=shapes(), low=near_a_border, length=st.integers(0, 300))
def test_a_range_may_lie_anywhere(shape: Shape, low: int, length: int) -> None:
    assert run(primes, [low, low + length], shape) == counted(low, low + length)


@pytest.mark.parametrize("low", range(4))
@pytest.mark.parametrize("high", range(8))
def test_the_first_numbers(low: int, high: int) -> None:
    if low <= high:
        assert primes.compute([low, high], 0) == counted(low, high)


@pytest.mark.parametrize(
    ("n", "count", "fanout", "answer"),
    [  # OEIS A006880
        (10**6, 1, 100, 78_498),
        (10**6, 1000, 10, 78_498),
        (10**6, 40_000, 100, 78_498),
        (10**7, 7, 100, 664_579),
        (10**7, 5000, 8, 664_579),
        (10**8, 10, 100, 5_761_455),
        (10**8, 10_000, 100, 5_761_455),
    ],
)
def test_published_counts(n: int, count: int, fanout: int, answer: int) -> None:
    assert run(primes, n, balanced(count, fanout)) == answer


def test_without_an_input_it_is_a_million() -> None:
    assert run(primes, None, balanced(100, 10)) == 78_498


@given(
    sizes=st.lists(st.integers(1, 10**6), min_size=1),
    bounds=st.tuples(*[st.integers(0, 10**12)] * 2),
)
def test_a_range_is_cut_in_proportion_and_without_a_gap(
    sizes: list[int], bounds: tuple[int, int]
) -> None:
    low, high = sorted(bounds)
    slots = primes.prepare([low, high], sizes)
    assert [low] + [end for _, end in slots] == [start for start, _ in slots] + [high]
    for (start, end), size in zip(slots, sizes, strict=True):
        assert abs((end - start) * sum(sizes) - (high - low) * size) < sum(sizes)


def test_neighbours_share_a_block_and_large_pieces_keep_none() -> None:
    module._kept.cache_clear()
    pieces = primes.prepare([0, 4 * SPAN], [1] * 10_000)
    for index, piece in enumerate(pieces):
        primes.compute(piece, index)
    assert module._kept.cache_info().misses == 4
    assert primes.compute([0, 8 * SPAN], 0) == primes.compute(
        [0, 5 * SPAN + 1], 0
    ) + primes.compute([5 * SPAN + 1, 8 * SPAN], 1)
    assert module._kept.cache_info().misses == 5  # the one block that was cut


def test_pieces_in_any_order() -> None:
    pieces = list(enumerate(primes.prepare(10**6, [1] * 1000)))
    Random(1).shuffle(pieces)
    assert sum(primes.compute(piece, index) for index, piece in pieces) == 78_498


@pytest.mark.parametrize(
    "input", ["100", 1e6, True, -1, 10**12 + 1, [5, 4], [-1, 4], [1, 2, 3], [0, 2.0], [0, True], {}]
)
def test_any_other_input_is_refused(input: object) -> None:
    with pytest.raises(ValueError, match=r"primes: the input is to be an int n or \[low, high\], "):
        primes.prepare(input, [1])
