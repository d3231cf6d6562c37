"""The command line's options: what they are called, what they mean, what they may be.

Their defaults are those of `World`, which is given only what was named.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Sequence
from typing import Any

import attrs

from plugins.console.options import (
    COUNT,
    DISTRIBUTIONS,
    DURATION,
    SECONDS,
    SHARE,
    BadOption,
    Parser,
    add_job,
    add_json,
    add_keep_going,
    add_piece_timeout,
    add_seed,
    add_shape,
    add_trace,
    distribution,
    number,
    paragraphs,
    require_trace,
    wrong,
)
from sim.faults import plans, script
from sim.faults.actions import Fault
from sim.links import places
from sim.measured import tables as recorded
from sim.world import ARRIVAL_SECONDS, FANOUT_MAX, NODES, SETTLING_SECONDS, World

PROGRAM = "python -m sim"
INCOMPLETE = 7  # the exit code
TICK_SECONDS_MIN, TICK_SECONDS_MAX = 1e-9, 60.0

DEFAULTS = {name: option.default for name, option in inspect.signature(World).parameters.items()}


@attrs.frozen
class Options:
    """What the command line says."""

    world: dict[str, Any]  # the arguments of World
    follow: int | None
    json: bool


def read(arguments: Sequence[str]) -> Options:
    """Raises BadOption; SystemExit(0) after printing the help, where that was asked for."""
    named = _parser().read(arguments)
    follow, as_json = named.pop("follow", None), named.pop("json")
    if follow is not None and follow > (nodes := _nodes(named)):
        raise BadOption(f"--follow: there is no node {follow}, give one from 0 to {nodes}")
    require_trace(named)
    return Options(named, follow, as_json)


def _nodes(named: dict[str, Any]) -> int:
    """How many nodes there will be."""
    if "nodes" in named or "arrivals" not in named:
        return int(named.get("nodes", NODES))
    return len(recorded.trace(named["arrivals"]).arrivals_seconds)


# -- values --------------------------------------------------------------------------------


_NODE = number(int, "a whole number, 0 or more", lambda n: n >= 0)
_RATE = number(float, "a number above 0, from 1e-09 to 1e+15", lambda x: 1e-9 <= x <= 1e15)
_TICK = number(
    float,
    f"a number above 0, from {TICK_SECONDS_MIN:g} to {TICK_SECONDS_MAX:g}",
    lambda x: TICK_SECONDS_MIN <= x <= TICK_SECONDS_MAX,
)


def latency(text: str) -> str:
    """A distribution of seconds, or a table of round trips."""
    if not text.startswith(places.PREFIX):
        return distribution(text)
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


def _replicas(text: str) -> str:
    if text not in ("shared", "each"):
        raise wrong(text, "is wrong, give 'shared' or 'each'")
    return text


# -- the options ---------------------------------------------------------------------------


def _parser() -> Parser:
    parser = Parser(
        PROGRAM,
        "[--nodes N] [--job MODULE_OR_FILE] [--input VALUE] [other options]",
        description=paragraphs(
            "Simulates nodes that form a tree and compute a job, all in this process. The same "
            "seed and options give the same run, bit for bit; its digest says so."
        ),
        epilog=paragraphs(
            *DISTRIBUTIONS,
            "Exit codes: 0 the result is there; 1 the job failed, the run could not finish, or "
            f"its trace not be written to the end; 2 an option is wrong; {INCOMPLETE} with "
            "--keep-going: something is missing from the result; 130 interrupted; 141 nobody "
            "reads the output any more.",
        )
        + f"\n\nA FILE of faults:\n\n{script.HELP}",
    )
    _add_tree(parser.add_argument_group("how many"))
    job = parser.add_argument_group("what they compute")
    parts = "prepare, compute and collect, and maybe cost, the seconds that a piece takes"
    add_job(job, parts, DEFAULTS["job"])
    add_keep_going(job, INCOMPLETE)
    times = parser.add_argument_group("how long things take (simulated seconds)")
    _add_latency(times)
    add_times(times)
    add_faults(parser.add_argument_group("what goes wrong"))
    _add_output(parser.add_argument_group("what is shown"))
    return parser


def _add_tree(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--nodes",
        metavar="N",
        type=COUNT,
        help=f"how many nodes arrive (default: {NODES}, or all of --arrivals)",
    )
    add_shape(group, "as many as there are nodes", FANOUT_MAX)
    add_listening(group)
    add_seed(group, "all randomness is", DEFAULTS["seed"])
    group.add_argument(
        "--replicas",
        metavar="shared|each",
        type=_replicas,
        help="whether the participants of a session share one copy of its model, or each has its "
        f"own, compared after every message (default: {DEFAULTS['replicas']})",
    )


def add_listening(group: argparse._ArgumentGroup) -> None:
    """--listening."""
    group.add_argument(
        "--listening",
        metavar="SHARE",
        type=SHARE,
        help="the share of the nodes, 0 to 1, that others can connect to; the rest connect only "
        f"(default: {DEFAULTS['listening']:g})",
    )


def _add_latency(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--latency",
        metavar="DIST",
        type=latency,
        help="seconds that a message takes one way; each link has one latency; or "
        f"{places.PREFIX}FILE.csv, a table of measured round trips between places: columns cty1, "
        "cty2, rtt_avg, in milliseconds, a row for both directions. Each node, the submitter too, "
        "is at a place drawn from the seed, and a link takes half the round trip of its two "
        "places. A pair that has no row is as far apart as the best way by other places; nodes at "
        "one place that has no row of its own, as far as the place is from the nearest other "
        f"(default: {DEFAULTS['latency']})",
    )


def add_times(group: argparse._ArgumentGroup) -> None:
    """--service-time, --arrival-rate, --arrivals, --lifetime, --delay and --tick."""
    group.add_argument(
        "--service-time",
        metavar="SECONDS",
        type=SECONDS,
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
        type=distribution,
        help="seconds from a node's arrival to its leaving (default: they stay)",
    )
    group.add_argument(
        "--delay",
        metavar="DIST",
        type=distribution,
        help="seconds that each prepare, compute and collect is made to take (default: for "
        "compute what the job's cost says, for the others 0; where the job has no cost and there "
        "are as many partitions as nodes by default, compute takes "
        f"{SETTLING_SECONDS:g} seconds longer than the nodes take to arrive, so that each node "
        "computes one)",
    )
    add_piece_timeout(group)
    group.add_argument(
        "--tick",
        metavar="SECONDS",
        type=_TICK,
        help="seconds that count as the same moment; times are rounded to it "
        f"(default: {DEFAULTS['tick']:g})",
    )


def add_faults(group: argparse._ArgumentGroup) -> None:
    """--faults and --heartbeat."""
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
        type=DURATION,
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
    add_trace(group, "read it with python -m sim.report")
    add_json(group, "a summary for people", "; times in seconds, memory in bytes")
