"""Distributions of seconds, and tables of draws from them.

A draw is looked up by what it is for (a link, a piece of work), not taken from a stream. So it
does not depend on what else was drawn before, and a run that delivers more messages than another
still gives every link the same delay.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import attrs

from plugins.console import tables

DRAWS = 1 << 16  # at most; tables are looked up with a mask, so a power of two
RECORDED = "recorded:FILE.csv[:COLUMN]"
KINDS = f"a number, uniform:a,b, exponential:mean, lognormal:median,sigma or {RECORDED}"

_NUMBERS_NEEDED = {"constant": 1, "uniform": 2, "exponential": 1, "lognormal": 2}


@attrs.frozen
class Distribution:
    """A kind and its numbers, in seconds (sigma has no unit).

    The numbers of `recorded` are all that were measured, in ascending order: each is as likely.
    """

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
                from statistics import NormalDist  # which takes a while to load

                normal = NormalDist()
                return lambda u: median * math.exp(sigma * normal.inv_cdf(u or 1e-9))
            case "recorded", values:
                return lambda u: values[int(u * len(values))]
            case _:
                return lambda u: self.numbers[0]

    def ticks(self, seed: str, tick_seconds: float, draws: int = DRAWS) -> list[int]:
        """A table of draws in whole ticks, the same for the same seed."""
        if self.kind == "constant":
            return [round(self.numbers[0] / tick_seconds)] * draws
        random, quantile = Random(seed), self.quantile()
        return [round(quantile(random.random()) / tick_seconds) for _ in range(draws)]


def parse(text: str | float | Distribution) -> Distribution:
    """A distribution from a number or text such as `uniform:0.02,0.08`.

    `recorded:FILE` draws from the seconds in a column of a CSV file, `recorded:FILE:COLUMN` tells
    which of several; FILE ends in .csv or .csv.gz.

    Raises ValueError with one line that names the text, or the file and its line, and what would
    be right.
    """
    if isinstance(text, Distribution):
        return text
    kind, colon, rest = str(text).partition(":")
    if kind == "recorded":
        return _recorded(str(text), rest)
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


def _recorded(text: str, rest: str) -> Distribution:
    path, column = rest, None
    if not rest.endswith(tables.ENDINGS):
        path, _, column = rest.rpartition(":")
    if not path.endswith(tables.ENDINGS):
        raise ValueError(f"{text!r} names no .csv or .csv.gz file; write {RECORDED}")
    return Distribution("recorded", tables.times(path, column))
