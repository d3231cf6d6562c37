"""plugins.demo against a multiplication."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.jobs.loading import load
from tests.plugins.trees import Shape, balanced, partitions, run, shapes

demo = load("plugins.demo")


@given(shape=shapes(), input=st.integers(-(2**50), 2**50))
def test_the_answer_is_input_times_partitions(shape: Shape, input: int) -> None:
    assert run(demo, input, shape) == input * partitions(shape)


@pytest.mark.parametrize(("count", "fanout"), [(1, 2), (5, 2), (1000, 10), (4096, 8), (9999, 100)])
def test_without_an_input_it_counts_the_partitions(count: int, fanout: int) -> None:
    assert run(demo, None, balanced(count, fanout)) == count


@pytest.mark.parametrize("input", ["7", 7.0, True, [7], {}])
def test_any_other_input_is_refused(input: object) -> None:
    with pytest.raises(ValueError, match="demo: the input is to be an int, not "):
        demo.prepare(input, [1, 1])


def test_an_answer_beyond_64_bits_is_refused_before_anything_is_computed() -> None:
    assert run(demo, 2**62 - 1, [1, 1]) == 2**63 - 2
    with pytest.raises(ValueError, match="demo: 4611686018427387904 x 2 partitions do not fit"):
        demo.prepare(2**62, [1, 1])
