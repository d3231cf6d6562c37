"""What the command lines have in common: how they read, and the options that mean the same on each.

An option is left out of what was read where it was not named, so each default stands once, in the
class that the options are for. Whatever is wrong is said in one line: the option, its value, the
remedy.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from plugins.console.distributions import KINDS, parse
from plugins.console.tables import SECONDS_MAX
from plugins.jobs.loading import NAMES, is_path
from plugins.jobs.values import SEEDS, is_seed, is_text, plain

RENAME = "rename it, or have the locale be one of UTF-8 (LC_ALL=C.UTF-8)"


class BadOption(ValueError):
    """An option that cannot be. The message is one line: the option, its value, the remedy."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage of 20 options before it."""

    def __init__(self, program: str, usage: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=program,
            usage=f"{program} {usage}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
        )

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.removeprefix("argument ").split())
        if "argument" in line:  # what argparse itself finds wrong it does not tell how to mend
            line += "; --help explains every option"
        raise BadOption(line)

    def read(self, arguments: Sequence[str]) -> dict[str, Any]:
        """What was named. Raises BadOption; SystemExit(0) after printing the help, if asked for."""
        for argument in arguments:
            if not is_text(argument):
                raise BadOption(f"{argument!r:.60} has bytes that are no UTF-8 text: {RENAME}")
        return vars(self.parse_args(list(self._joined(arguments))))

    def _joined(self, arguments: Sequence[str]) -> Iterator[str]:
        """The arguments, with `--tick -inf` as `--tick=-inf`: it is a value, if a wrong one."""
        known = self._option_string_actions
        left = iter(arguments)
        for argument in left:
            takes_value = argument in known and known[argument].nargs is None
            value = next(left, None) if takes_value else None
            if value is None:
                yield argument
            elif value.startswith("-") and value.partition("=")[0] not in known:
                yield f"{argument}={value}"
            else:
                yield from (argument, value)


def paragraphs(*texts: str) -> str:
    """Each filled to the width of the help."""
    return "\n\n".join(textwrap.fill(text, 80) for text in texts)


DISTRIBUTIONS = (
    f"DIST is a number of seconds, or a distribution of them: {KINDS.partition(', ')[2]}. "
    "The last draws from the seconds in a column of a file, each row as likely as another; "
    "COLUMN may be left out where there is but one.",
    "FILE.csv has a header line. FILE.csv.gz will do too.",
    "MODULE_OR_FILE is a dotted module name or the path of a .py file.",
)


# -- values --------------------------------------------------------------------------------


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


COUNT = number(int, "a whole number, 1 or more, below 10^15", lambda n: 1 <= n < 10**15)
SEED = number(int, f"a whole number {SEEDS}", is_seed)
SHARE = number(float, "a number from 0 to 1", lambda x: 0 <= x <= 1)
SECONDS = number(float, f"a number from 0 to {SECONDS_MAX:g}", lambda x: 0 <= x <= SECONDS_MAX)
DURATION = number(float, f"a number above 0, up to {SECONDS_MAX:g}", lambda x: 0 < x <= SECONDS_MAX)


def distribution(text: str) -> str:
    """Seconds, or a distribution of them, of which none is too long."""
    try:
        longest = parse(text).quantile()(1 - 2**-53)
    except OverflowError:
        longest = math.inf
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if longest > SECONDS_MAX:
        raise wrong(text, f"can exceed {SECONDS_MAX:g} seconds, write one that cannot")
    return text


def _input(text: str) -> Any:
    """JSON, else the text itself."""
    try:
        value = json.loads(text, parse_constant=_no_json)
    except ValueError:
        value = text
    except RecursionError:
        raise argparse.ArgumentTypeError("the JSON is nested too deeply, flatten it") from None
    try:
        return plain(value)
    except TypeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _no_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _job(text: str) -> str:
    if not text:
        raise wrong(text, f"names no job; {NAMES}")
    if is_path(text) and not is_text(os.path.abspath(text)):
        raise wrong(text, f"is in a folder whose name is no UTF-8 text: {RENAME}")
    return text


def wrong(text: str, why: str) -> argparse.ArgumentTypeError:
    """For a value, and what is wrong with it."""
    return argparse.ArgumentTypeError(f"{text!r:.60} {why}")


# -- the options ---------------------------------------------------------------------------


def add_job(group: argparse._ArgumentGroup, parts: str, default: str) -> None:
    """--job, --prepare, --compute, --collect and --input."""
    group.add_argument(
        "--job",
        metavar="MODULE_OR_FILE",
        type=_job,
        help=f"what has {parts} (default: {default})",
    )
    for part, what in (
        ("prepare", "cuts an input"),
        ("compute", "computes a piece"),
        ("collect", "combines outputs"),
    ):
        group.add_argument(
            f"--{part}",
            metavar="MODULE_OR_FILE[:NAME]",
            type=_job,
            help=f"the function that {what} (default: the job's own; NAME: {part})",
        )
    group.add_argument(
        "--input",
        metavar="VALUE",
        type=_input,
        help="the job's input, read as JSON, else taken as text (default: none, and the job "
        "chooses)",
    )


def add_shape(group: argparse._ArgumentGroup, partitions: str, fanout_max: int) -> None:
    """--partitions, where `partitions` is its default in words, and --fanout."""
    group.add_argument(
        "--partitions",
        metavar="P",
        type=COUNT,
        help=f"how many pieces the job is cut into (default: {partitions})",
    )
    group.add_argument(
        "--fanout",
        metavar="F",
        type=number(int, f"a whole number from 2 to {fanout_max}", lambda n: 2 <= n <= fanout_max),
        help=f"the most slots of a session, 2 to {fanout_max} (default: chosen for the number of "
        "partitions, as few levels as need no more than 100 slots, then the fewest slots for "
        "so many levels: 32 for a thousand, 100 for a million)",
    )


def add_piece_timeout(group: argparse._ArgumentGroup) -> None:
    """--piece-timeout: of any call of a job's function."""
    group.add_argument(
        "--piece-timeout",
        metavar="SECONDS",
        type=DURATION,
        help="a call of a function of the job that takes longer is ended, and has failed: it is "
        "tried again, elsewhere if there is anybody else (default: it may take for ever)",
    )


def add_keep_going(group: argparse._ArgumentGroup, code: int) -> None:
    """--keep-going; `code` is the exit code where something is missing from the result."""
    group.add_argument(
        "--keep-going",
        action="store_true",
        help="a piece that fails for good is left out: the rest is collected, without it, what is "
        f"missing is told, and the exit code is {code} (default: the job fails)",
    )


def add_seed(group: argparse._ArgumentGroup, drawn: str, default: int) -> None:
    """--seed, where `drawn` is what comes from it."""
    group.add_argument(
        "--seed",
        metavar="S",
        type=SEED,
        help=f"a whole number; {drawn} drawn from it (default: {default})",
    )


def add_trace(group: argparse._ArgumentGroup, reader: str) -> None:
    """What is to be kept of a run for looking at it; `reader` says how."""
    group.add_argument(
        "--trace",
        metavar="FOLDER",
        type=_folder,
        help="write down what happened to whom when, in a new folder of Parquet files, while the "
        f"run goes on; {reader} (default: nowhere)",
    )
    group.add_argument(
        "--sample",
        metavar="K",
        type=COUNT,
        help="with --trace: what happened to one in K nodes, and to control nodes, to those "
        "from when they lead (default: 1, to all)",
    )


def require_trace(named: dict[str, Any]) -> None:
    """Raises BadOption for a sample of no trace."""
    if "sample" in named and "trace" not in named:
        raise BadOption("--sample says nothing without a trace: give --trace FOLDER, too")


def _folder(text: str) -> str:
    if not text or "\0" in text:
        raise wrong(text, "names no folder, give its path")
    return text


def add_json(group: argparse._ArgumentGroup, default: str, units: str = "") -> None:
    """--json, where `default` is what is printed for people."""
    group.add_argument(
        "--json",
        action="store_true",
        default=False,
        help=f"one JSON object on standard output, and nothing else there{units} "
        f"(default: {default})",
    )
