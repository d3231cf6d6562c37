"""The fanout of a tree where nobody names one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Shape
from plugins.fanout import choose_fanout
from tests.core.cuts import levels_of


def check_chosen(partitions: int) -> None:
    fanout = choose_fanout(partitions)
    levels = levels_of(partitions, 100)
    assert 2 <= fanout <= 100
    assert fanout**levels >= partitions
    assert fanout == 2 or (fanout - 1) ** levels < partitions
    assert Shape.root(partitions, fanout).levels == levels_of(partitions, fanout) <= levels


def test_the_chosen_fanout_is_the_least_that_needs_no_further_level() -> None:
    for partitions in range(1, 20_001):
        check_chosen(partitions)


@pytest.mark.parametrize("power", range(1, 19))
def test_the_chosen_fanout_around_powers_of_ten(power: int) -> None:
    for partitions in (10**power - 1, 10**power, 10**power + 1):
        check_chosen(partitions)


@given(st.integers(1, 10**40))
def test_the_chosen_fanout_of_any_number(partitions: int) -> None:
    check_chosen(partitions)


def test_the_documented_choices() -> None:
    assert choose_fanout(10**6) == 100
    assert choose_fanout(1000) == 32
    assert choose_fanout(1) == 2
