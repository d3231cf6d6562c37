"""What a value of an option may be: each turns text into the value, or says what would be right.

What is not right is a ValueError of one line: the value, the remedy.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from plugins.console import distributions
from plugins.console.tables import SECONDS_MAX
from plugins.jobs.loading import NAMES, is_path
from plugins.jobs.texts import is_text

RENAME = "rename it, or have the locale be one of UTF-8 (LC_ALL=C.UTF-8)"


def wrong(text: str, why: str) -> ValueError:
    """For a value, and what is wrong with it."""
    return ValueError(f"{text!r:.60} {why}")


# -- numbers -------------------------------------------------------------------------------

Number = TypeVar("Number", int, float)


def number(
    kind: type[Number], wanted: str, allowed: Callable[[Number], bool]
) -> Callable[[str], Number]:
    """Converts text to a number; not-a-number is never allowed, as it compares false."""

    def convert(text: str) -> Number:
        value: Number | None
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not allowed(value):
            raise wrong(text, f"is wrong, give {wanted}")
        return value

    return convert


def between(low: int, high: int) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""
    return number(int, f"a whole number from {low} to {high}", lambda n: low <= n <= high)


_SEEDS = range(-(2**63), 2**63)
SEEDS = "from -2^63 to 2^63 - 1"


def is_seed(number: object) -> bool:
    """Whether it may be what all randomness comes from."""
    return isinstance(number, int) and not isinstance(number, bool) and number in _SEEDS


COUNT_MAX = 10**15 - 1
COUNTS = "a whole number, 1 or more, below 10^15"
COUNT = number(int, COUNTS, lambda n: 1 <= n <= COUNT_MAX)
SEED = number(int, f"a whole number {SEEDS}", is_seed)
SHARE = number(float, "a number from 0 to 1", lambda x: 0 <= x <= 1)
SECONDS = number(float, f"a number from 0 to {SECONDS_MAX:g}", lambda x: 0 <= x <= SECONDS_MAX)
DURATION = number(float, f"a number above 0, up to {SECONDS_MAX:g}", lambda x: 0 < x <= SECONDS_MAX)


# -- seconds -------------------------------------------------------------------------------


def distribution(text: str) -> str:
    """Seconds, or a distribution of them, of which none is too long."""
    try:
        longest = distributions.parse(text).quantile()(1 - 2**-53)
    except OverflowError:
        longest = math.inf
    if longest > SECONDS_MAX:
        raise wrong(text, f"can exceed {SECONDS_MAX:g} seconds, write one that cannot")
    return text


# -- what a job is given -------------------------------------------------------------------


def plain_data(text: str) -> Any:
    """JSON, else the text itself."""
    from plugins.jobs.values import plain  # with msgspec, which no help needs

    try:
        value = json.loads(text, parse_constant=_no_json)
    except ValueError:
        value = text
    except RecursionError:
        raise ValueError("the JSON is nested too deeply, flatten it") from None
    try:
        return plain(value)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _no_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def job(text: str) -> str:
    if not text:
        raise wrong(text, f"names no job; {NAMES}")
    try:
        path = os.path.abspath(text) if is_path(text) else ""
    except FileNotFoundError:
        why = "is in the present folder, which is not there any more: give a path from /"
        raise wrong(text, why) from None
    if not is_text(path):
        raise wrong(text, f"is in a folder whose name is no UTF-8 text: {RENAME}")
    return text


# -- names of files ------------------------------------------------------------------------


def named(what: str) -> Callable[[str], Path]:
    """The path of a `what`: a file, or a folder."""

    def convert(text: str) -> Path:
        if not text or "\0" in text:
            raise wrong(text, f"names no {what}, give its path")
        return Path(text)

    return convert


FILE, FOLDER = named("file"), named("folder")
