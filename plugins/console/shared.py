"""The options that mean the same on several command lines, each to be a field of all of them.

What differs between these, a default in words or what comes from a seed, is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from os import PathLike
from pathlib import Path
from typing import Any

from plugins.console import checks
from plugins.console.cores import cores
from plugins.console.exits import Exit
from plugins.console.options import BadOption, Must, option, switch
from plugins.console.tables import SECONDS_MAX
from plugins.fanout import CHILDREN_PREFERRED, choose_fanout

JOB = "plugins.demo"  # by default

# -- what Python may give ------------------------------------------------------------------


def whole(low: int, high: float = inf) -> Must:
    """A whole number from `low` to `high`."""
    wanted = f", {low} or more" if high == inf else f" from {low} to {high}"
    return Must(lambda n: is_whole(n) and low <= n <= high, f"a whole number{wanted}")


def is_whole(value: object) -> bool:
    """Whether it is one that Python may give: True is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def real(wanted: str, allowed: Callable[[float], bool]) -> Must:
    """A number of any kind; not-a-number is never allowed, as it compares false."""
    return Must(lambda x: isinstance(x, int | float) and allowed(x), wanted)


POSITIVE = real("above 0 seconds, and finite", lambda x: 0 < x < inf)
TEXT = Must(lambda value: isinstance(value, str | PathLike), "text, or left out")
TRUE_OR_FALSE = Must(lambda value: isinstance(value, bool), "True or False")


# -- what is computed ----------------------------------------------------------------------


def job(parts: str) -> Any:
    """What has the functions: `parts` says which."""
    return option(JOB, "MODULE_OR_FILE", checks.job, f"what has {parts}")


def function(part: str, what: str) -> Any:
    """One function of the job from elsewhere, which does `what`."""
    return option(
        None,
        "MODULE_OR_FILE[:NAME]",
        checks.job,
        f"the function that {what}",
        f"the job's own; NAME: {part}",
        TEXT,
    )


def prepare() -> Any:
    return function("prepare", "cuts an input")


def compute() -> Any:
    return function("compute", "computes a partition")


def collect() -> Any:
    return function("collect", "combines outputs")


def input() -> Any:
    return option(
        None,
        "VALUE",
        checks.plain_data,
        "the job's input, read as JSON, else taken as text",
        "none, and the job chooses",
    )


def partitions() -> Any:
    return option(
        None,
        "P",
        checks.COUNT,
        "how many partitions the job is cut into",
        "as many as there are nodes",
        Must(lambda n: is_whole(n) and 1 <= n <= checks.COUNT_MAX, checks.COUNTS),
    )


def fanout(high: int) -> Any:
    return option(
        None,
        "F",
        checks.between(2, high),
        f"the most slots of a session, 2 to {high}",
        "chosen for the number of partitions, as few levels as need no more than "
        f"{CHILDREN_PREFERRED} slots, then the fewest slots for so many levels: "
        f"{choose_fanout(10**3)} for a thousand, {choose_fanout(10**6)} for a million",
        whole(2, high),
    )


def piece_timeout() -> Any:
    """Of any call of a job's function."""
    return option(
        None,
        "SECONDS",
        checks.DURATION,
        "a call of a function of the job that takes longer is ended, and has failed: it is "
        "tried again, elsewhere if there is anybody else",
        "it may take for ever",
        real(
            f"above 0 seconds, up to {SECONDS_MAX:g}",
            lambda x: 0 < x <= SECONDS_MAX,
        ),
    )


def delay(said: str, how: str = "") -> Any:
    return option(
        None,
        "DIST",
        checks.distribution,
        f"seconds that each prepare, compute and collect is made to take{how}",
        said,
    )


def keep_going() -> Any:
    return switch(
        "a partition that fails for good is left out: the rest is collected, without it, what is "
        f"missing is told, and the exit code is {Exit.INCOMPLETE}",
        "the job fails",
        TRUE_OR_FALSE,
    )


def seed(drawn: str) -> Any:
    """`drawn` is what comes from it."""
    must = Must(checks.is_seed, f"a whole number {checks.SEEDS}")
    return option(0, "S", checks.SEED, f"a whole number; {drawn} drawn from it", must=must)


# -- how it is run -------------------------------------------------------------------------


def heartbeat(seconds: float, alike: str = "") -> Any:
    """`seconds` unless something else is given."""
    return option(
        seconds,
        "SECONDS",
        checks.DURATION,
        f"after how long a silence a connection counts as lost{alike}",
        must=POSITIVE,
    )


def jobs(how_many: str) -> Any:
    """Of what runs many simulations."""
    return option(cores(), "J", checks.between(1, 500), how_many, "as many as there are processors")


# -- what is shown -------------------------------------------------------------------------


def trace(how: str) -> Any:
    """What is to be kept of a run for looking at it."""
    return option(None, "FOLDER", checks.FOLDER, how, "nowhere", TEXT, _path)


def traced(more: str = "") -> str:
    """What is kept of a run, for `trace`; `more` says who writes it, where that is to be said."""
    return (
        "write down what happened to whom when, in a new folder of Parquet files, while the run "
        f"goes on; {more}read it with python -m sim.report"
    )


def _path(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else value


def sample(happened: str = "happened", alike: str = "") -> Any:
    """Of a trace."""
    return option(
        1,
        "K",
        checks.COUNT,
        f"with --trace: what {happened} to one in K nodes, and to control nodes, to those "
        f"from when they lead{alike}",
        "1, to all",
        whole(1),
    )


def require_trace(named: dict[str, Any]) -> None:
    """Raises BadOption for a sample of no trace."""
    if "sample" in named and "trace" not in named:
        raise BadOption("--sample says nothing without a trace: give --trace FOLDER, too")


def json(shown: str, units: str = "") -> Any:
    """`shown` is what is printed for people."""
    return switch(f"one JSON object on standard output, and nothing else there{units}", shown)


def json_report() -> Any:
    """How a run went."""
    return json("a summary for people", "; times in seconds, memory in bytes")
