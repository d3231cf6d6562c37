"""Distributions of seconds, and tables of draws from them.

A draw is looked up by what it is for (a link, a piece of work), not taken from a stream. So it
does not depend on what else was drawn before, and a run that delivers more messages than another
still gives every link the same delay.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from statistics import NormalDist

import attrs

DRAWS = 1 << 16
KINDS = "a number, uniform:a,b, exponential:mean or lognormal:median,sigma"

_NUMBERS_NEEDED = {"constant": 1, "uniform": 2, "exponential": 1, "lognormal": 2}


@attrs.frozen
class Distribution:
    """A kind and its numbers, in seconds (sigma has no unit)."""

    kind: str
    numbers: tuple[float, ...]

    def quantile(self) -> Callable[[float], float]:
        """The function from 0 <= u < 1 to seconds."""
        match self.kind, self.numbers:
            case "uniform", (low, high):
                return lambda u: low + (high - low) * u
            case "exponential", (mean,):
                return lambda u: -mean * math.log1p(-u)
            case "lognormal", (median, sigma):
                normal = NormalDist()
                return lambda u: median * math.exp(sigma * normal.inv_cdf(u or 1e-9))
            case _:
                return lambda u: self.numbers[0]

    def ticks(self, seed: str, tick_seconds: float) -> list[int]:
        """A table of DRAWS draws in whole ticks, the same for the same seed."""
        if self.kind == "constant":
            return [round(self.numbers[0] / tick_seconds)] * DRAWS
        random, quantile = Random(seed), self.quantile()
        return [round(quantile(random.random()) / tick_seconds) for _ in range(DRAWS)]


def parse(text: str | float | Distribution) -> Distribution:
    """A distribution from a number or text such as `uniform:0.02,0.08`.

    Raises ValueError with one line that names the text and what would be right.
    """
    if isinstance(text, Distribution):
        return text
    kind, colon, rest = str(text).partition(":")
    if not colon:
        kind, rest = "constant", kind
    try:
        numbers = tuple(float(number) for number in rest.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != _NUMBERS_NEEDED.get(kind) or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{text!r} is not a distribution; write {KINDS}")
    if min(numbers) < 0 or (kind == "uniform" and numbers[1] < numbers[0]):
        raise ValueError(f"{text!r}: seconds must be 0 or more, and uniform:a,b needs a <= b")
    return Distribution(kind, numbers)
