"""The command line's options: what they are called, what they mean, what they may be.

Their defaults are those of `World`, which is given only what was named.
"""

from __future__ import annotations

import argparse
import inspect
import json
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

import attrs

from plugins.loading import NAMES
from sim import places, plans, recorded, script
from sim.actions import Fault
from sim.distributions import KINDS, parse
from sim.recorded import SECONDS_MAX
from sim.world import ARRIVAL_SECONDS, FANOUT_MAX, NODES, SETTLING_SECONDS, World

PROGRAM = "python -m sim"
TICK_SECONDS_MIN, TICK_SECONDS_MAX = 1e-9, 60.0

DEFAULTS = {name: option.default for name, option in inspect.signature(World).parameters.items()}


class BadOption(ValueError):
    """An option that cannot be. The message is one line: the option, its value, the remedy."""


@attrs.frozen
class Options:
    """What the command line says."""

    world: dict[str, Any]  # the arguments of World
    follow: int | None
    json: bool


def read(arguments: Sequence[str]) -> Options:
    """Raises BadOption; SystemExit(0) after printing the help, where that was asked for."""
    parser = _parser()
    named = vars(parser.parse_args(list(joined(parser, arguments))))
    follow, as_json = named.pop("follow", None), named.pop("json")
    if follow is not None and follow > (nodes := _nodes(named)):
        raise BadOption(f"--follow: there is no node {follow}, give one from 0 to {nodes}")
    return Options(named, follow, as_json)


def _nodes(named: dict[str, Any]) -> int:
    """How many nodes there will be."""
    if "nodes" in named or "arrivals" not in named:
        return int(named.get("nodes", NODES))
    return len(recorded.trace(named["arrivals"]).arrivals_seconds)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage of 20 options before it."""

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.removeprefix("argument ").split())
        if "argument" in line:  # what argparse itself finds wrong it does not tell how to mend
            line += "; --help explains every option"
        raise BadOption(line)


def joined(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Iterator[str]:
    """The arguments, with `--tick -inf` as `--tick=-inf`: it is a value, if a wrong one."""
    known = parser._option_string_actions
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
            raise _wrong(text, f"is wrong, give {wanted}")
        return value

    return convert


_COUNT = number(int, "a whole number, 1 or more, below 10^15", lambda n: 1 <= n < 10**15)
_FANOUT = number(int, f"a whole number from 2 to {FANOUT_MAX}", lambda n: 2 <= n <= FANOUT_MAX)
_NODE = number(int, "a whole number, 0 or more", lambda n: n >= 0)
_SEED = number(int, "a whole number", lambda n: True)
_SHARE = number(float, "a number from 0 to 1", lambda x: 0 <= x <= 1)
_SECONDS = number(float, f"a number from 0 to {SECONDS_MAX:g}", lambda x: 0 <= x <= SECONDS_MAX)
_HEARTBEAT = number(
    float, f"a number above 0, up to {SECONDS_MAX:g}", lambda x: 0 < x <= SECONDS_MAX
)
_RATE = number(float, "a number above 0, from 1e-09 to 1e+15", lambda x: 1e-9 <= x <= 1e15)
_TICK = number(
    float,
    f"a number above 0, from {TICK_SECONDS_MIN:g} to {TICK_SECONDS_MAX:g}",
    lambda x: TICK_SECONDS_MIN <= x <= TICK_SECONDS_MAX,
)


def _distribution(text: str) -> str:
    try:
        longest = parse(text).quantile()(1 - 2**-53)
    except OverflowError:
        longest = math.inf
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if longest > SECONDS_MAX:
        raise _wrong(text, f"can exceed {SECONDS_MAX:g} seconds, write one that cannot")
    return text


def _latency(text: str) -> str:
    if not text.startswith(places.PREFIX):
        return _distribution(text)
    try:
        places.read(text.removeprefix(places.PREFIX))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _faults(text: str) -> str | tuple[Fault, ...]:
    if text in plans.LEVELS:
        return text
    try:
        return plans.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _trace(text: str) -> str:
    try:
        recorded.trace(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _input(text: str) -> Any:
    """JSON, else the text itself."""
    try:
        return json.loads(text, parse_constant=_no_json)
    except ValueError:
        return text
    except RecursionError:
        raise argparse.ArgumentTypeError("the JSON is nested too deeply, flatten it") from None


def _no_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _replicas(text: str) -> str:
    if text not in ("shared", "each"):
        raise _wrong(text, "is wrong, give 'shared' or 'each'")
    return text


def _job(text: str) -> str:
    if not text:
        raise _wrong(text, f"names no job; {NAMES}")
    return text


def _wrong(text: str, why: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text!r:.60} {why}")


# -- the options ---------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [--nodes N] [--job MODULE_OR_FILE] [--input VALUE] [other options]",
        description=paragraphs(
            "Simulates nodes that form a tree and compute a job, all in this process. The same "
            "seed and options give the same run, bit for bit; its digest says so."
        ),
        epilog=paragraphs(
            f"DIST is a number of seconds, or a distribution of them: {KINDS.partition(', ')[2]}. "
            "The last draws from the seconds in a column of a file, each row as likely as another; "
            "COLUMN may be left out where there is but one.",
            "FILE.csv has a header line. FILE.csv.gz will do too.",
            "MODULE_OR_FILE is a dotted module name or the path of a .py file.",
            "Exit codes: 0 the result is there; 1 the job failed, or the run could not finish; "
            "2 an option is wrong; 130 interrupted.",
        )
        + f"\n\nA FILE of faults:\n\n{script.HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    _add_tree(parser.add_argument_group("how many"))
    _add_job(parser.add_argument_group("what they compute"))
    _add_times(parser.add_argument_group("how long things take (simulated seconds)"))
    _add_faults(parser.add_argument_group("what goes wrong"))
    _add_output(parser.add_argument_group("what is shown"))
    return parser


def paragraphs(*texts: str) -> str:
    """Each filled to the width of the help."""
    return "\n\n".join(textwrap.fill(text, 80) for text in texts)


def _add_tree(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--nodes",
        metavar="N",
        type=_COUNT,
        help=f"how many nodes arrive (default: {NODES}, or all of --arrivals)",
    )
    group.add_argument(
        "--partitions",
        metavar="P",
        type=_COUNT,
        help="how many pieces the job is cut into (default: as many as there are nodes)",
    )
    group.add_argument(
        "--fanout",
        metavar="F",
        type=_FANOUT,
        help=f"the most slots of a session, 2 to {FANOUT_MAX} (default: chosen for the number of "
        "partitions, as few levels as need no more than 100 slots, then the fewest slots for "
        "so many levels: 32 for a thousand, 100 for a million)",
    )
    group.add_argument(
        "--listening",
        metavar="SHARE",
        type=_SHARE,
        help="the share of the nodes, 0 to 1, that others can connect to; the rest connect only "
        f"(default: {DEFAULTS['listening']:g})",
    )
    group.add_argument(
        "--seed",
        metavar="S",
        type=_SEED,
        help=f"a whole number; all randomness is drawn from it (default: {DEFAULTS['seed']})",
    )
    group.add_argument(
        "--replicas",
        metavar="shared|each",
        type=_replicas,
        help="whether the participants of a session share one copy of its model, or each has its "
        f"own, compared after every message (default: {DEFAULTS['replicas']})",
    )


def _add_job(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--job",
        metavar="MODULE_OR_FILE",
        type=_job,
        help="what has prepare, compute and collect, and maybe cost, the seconds that a piece "
        f"takes (default: {DEFAULTS['job']})",
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


def _add_times(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--latency",
        metavar="DIST",
        type=_latency,
        help="seconds that a message takes one way; each link has one latency; or "
        f"{places.PREFIX}FILE.csv, a table of measured round trips between places: columns cty1, "
        "cty2, rtt_avg, in milliseconds, a row for both directions. Each node, the submitter too, "
        "is at a place drawn from the seed, and a link takes half the round trip of its two "
        "places. A pair that has no row is as far apart as the best way by other places; nodes at "
        "one place that has no row of its own, as far as the place is from the nearest other "
        f"(default: {DEFAULTS['latency']})",
    )
    group.add_argument(
        "--service-time",
        metavar="SECONDS",
        type=_SECONDS,
        help="seconds that a host spends on each message it receives "
        f"(default: {DEFAULTS['service_time']:g})",
    )
    group.add_argument(
        "--arrival-rate",
        metavar="NODES_PER_SECOND",
        type=_RATE,
        help="nodes that arrive each second (default: so many that all have arrived within "
        f"{ARRIVAL_SECONDS:g} seconds)",
    )
    group.add_argument(
        "--arrivals",
        metavar="FILE.csv",
        type=_trace,
        help="replay recorded nodes, a row a node: its seconds in column arrival, and in column "
        "lifetime, if there is one, how long it stays (empty: to the end); with --nodes the first "
        "so many. Where they leave early, give --partitions or --delay too "
        "(default: nodes arrive at --arrival-rate)",
    )
    group.add_argument(
        "--lifetime",
        metavar="DIST",
        type=_distribution,
        help="seconds from a node's arrival to its leaving (default: they stay)",
    )
    group.add_argument(
        "--delay",
        metavar="DIST",
        type=_distribution,
        help="seconds that each prepare, compute and collect is made to take (default: for "
        "compute what the job's cost says, for the others 0; where the job has no cost and there "
        "are as many partitions as nodes by default, compute takes "
        f"{SETTLING_SECONDS:g} seconds longer than the nodes take to arrive, so that each node "
        "computes one)",
    )
    group.add_argument(
        "--tick",
        metavar="SECONDS",
        type=_TICK,
        help="seconds that count as the same moment; times are rounded to it "
        f"(default: {DEFAULTS['tick']:g})",
    )


def _add_faults(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--faults",
        metavar="light|heavy|FILE",
        type=_faults,
        help="faults drawn from the seed in the first "
        f"{plans.UNTIL_SECONDS:g} seconds, after which all is healed and restarted: about one in "
        f"{plans.LIGHT_GAP_SECONDS:g} seconds, or one a second and of every kind; or a file of "
        "them, one a line, as below (default: none)",
    )
    group.add_argument(
        "--heartbeat",
        metavar="SECONDS",
        type=_HEARTBEAT,
        help="after how long a silence a connection counts as lost "
        f"(default: {DEFAULTS['heartbeat']:g})",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--follow",
        metavar="NODE",
        type=_NODE,
        help="tell the life of one node, 1 to N in order of arrival, 0 the submitter: each event "
        "with its simulated second, session and slots; with --json on standard error "
        "(default: nobody's)",
    )
    group.add_argument(
        "--json",
        action="store_true",
        default=False,
        help="one JSON object on standard output, and nothing else there; times in seconds, "
        "memory in bytes (default: a summary for people)",
    )
