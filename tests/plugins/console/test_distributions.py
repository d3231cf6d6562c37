"""Distributions: what may be written, and what is drawn."""

from __future__ import annotations

from statistics import fmean, median

import pytest

from plugins.console.distributions import DRAWS, Distribution, parse
from tests.processes import printed

TICK = 0.001


@pytest.mark.parametrize(
    ("text", "kind", "numbers"),
    [
        ("0.5", "constant", (0.5,)),
        (0.5, "constant", (0.5,)),
        (0, "constant", (0.0,)),
        ("constant:2", "constant", (2.0,)),
        ("uniform:0.02,0.08", "uniform", (0.02, 0.08)),
        ("uniform: 1, 1", "uniform", (1.0, 1.0)),
        ("exponential:1e-3", "exponential", (0.001,)),
        ("lognormal:0.05,0.5", "lognormal", (0.05, 0.5)),
    ],
)
def test_text_and_numbers_are_read(
    text: str | float, kind: str, numbers: tuple[float, ...]
) -> None:
    assert parse(text) == Distribution(kind, numbers)
    assert parse(parse(text)) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "normal:1,2",
        "uniform",
        "uniform:",
        "uniform:1",
        "uniform:1,2,3",
        "uniform:1;2",
        "exponential:one",
        "lognormal:1",
        "constant:1,2",
        "places:file.csv",
        "nan",
        "inf",
        "uniform:0,inf",
        float("nan"),
        float("inf"),
        "-1",
        -1,
        "uniform:-1,1",
        "uniform:2,1",
        "lognormal:1,-1",
    ],
)
def test_what_is_none_is_refused_by_its_name_in_one_line(text: str | float) -> None:
    with pytest.raises(
        ValueError, match=r"is not a distribution; write|must be 0 or more"
    ) as error:
        parse(text)
    assert repr(text) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_constant_is_always_the_same() -> None:
    assert parse(0.25).ticks("any", TICK) == [250] * DRAWS


def test_uniform_draws_fill_their_bounds() -> None:
    drawn = parse("uniform:0.02,0.08").ticks("a", TICK)
    assert len(drawn) == DRAWS
    assert (min(drawn), max(drawn)) == (20, 80)
    assert fmean(drawn) == pytest.approx(50, abs=0.3)


def test_exponential_draws_have_their_mean_and_are_never_negative() -> None:
    drawn = parse("exponential:2").ticks("a", TICK)
    assert min(drawn) >= 0
    assert fmean(drawn) == pytest.approx(2000, rel=0.02)
    assert median(drawn) == pytest.approx(1386, rel=0.03)  # 2 ln 2


def test_lognormal_draws_have_their_median_and_spread() -> None:
    drawn = sorted(parse("lognormal:1,0.5").ticks("a", TICK))
    assert median(drawn) == pytest.approx(1000, rel=0.02)
    assert drawn[round(DRAWS * 0.8413)] == pytest.approx(1649, rel=0.03)  # e ** sigma


@pytest.mark.parametrize("text", ["uniform:1,3", "exponential:2", "lognormal:1,0.5"])
def test_quantiles_begin_at_the_least_and_grow(text: str) -> None:
    quantile = parse(text).quantile()
    values = [quantile(i / 100) for i in range(100)]
    assert values == sorted(values)
    assert 0 <= values[0] <= 1
    assert quantile(1 - 2**-53) < 1000


def test_a_seed_gives_one_table_and_another_seed_another() -> None:
    distribution = parse("uniform:0,10")
    assert distribution.ticks("1/latency", TICK) == distribution.ticks("1/latency", TICK)
    assert distribution.ticks("1/latency", TICK) != distribution.ticks("2/latency", TICK)
    assert distribution.ticks("1/latency", TICK) != distribution.ticks("1/delay", TICK)


def test_the_hash_seed_does_not_matter() -> None:
    draw = "print(parse('exponential:1').ticks('7/x', 1)[:99])"
    code = f"from plugins.console.distributions import parse\n{draw}"
    assert printed(code, "1", "2") == {f"{parse('exponential:1').ticks('7/x', 1)[:99]}\n"}
