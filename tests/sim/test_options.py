"""An option that cannot be is named with its value."""

from __future__ import annotations

from typing import Any

import pytest

from sim import World


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("nodes", 0),
        ("nodes", -3),
        ("partitions", 0),
        ("partitions", -1),
        ("fanout", 1),
        ("fanout", 0),
        ("fanout", 1001),
        ("arrival_rate", 0),
        ("arrival_rate", -1.5),
        ("arrival_rate", float("nan")),
        ("arrival_rate", float("inf")),
        ("service_time", -0.5),
        ("service_time", float("nan")),
        ("service_time", float("inf")),
        ("tick", 0),
        ("tick", -0.001),
        ("tick", float("inf")),
        ("listening", 1.1),
        ("listening", -0.1),
        ("replicas", "both"),
    ],
)
def test_a_wrong_option_is_named_with_its_value(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option} must be .* not ") as error:
        World(**{option: value})
    assert str(error.value).endswith(f"not {value!r}")


@pytest.mark.parametrize("option", ["latency", "lifetime", "delay"])
@pytest.mark.parametrize("value", ["soon", "uniform:2,1", "exponential:-1", -1, "uniform:1"])
def test_a_wrong_distribution_is_named(option: str, value: str | float) -> None:
    with pytest.raises(ValueError, match=r"distribution|seconds") as error:
        World(**{option: value})  # type: ignore[arg-type]
    assert repr(value) in str(error.value)


def test_a_job_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"no\.such\.job"):
        World(job="no.such.job")


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "5"])
def test_the_time_for_a_piece_is_above_0(seconds: Any) -> None:
    with pytest.raises(ValueError, match="piece_timeout must be above 0 seconds"):
        World(nodes=1, piece_timeout=seconds)
