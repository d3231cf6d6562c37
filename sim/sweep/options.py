"""The options of a sweep: what they are called, what they mean, what they may be."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from plugins.console.options import (
    COUNT,
    DISTRIBUTIONS,
    BadOption,
    Parser,
    add_job,
    number,
    paragraphs,
)
from sim.command import options as simulator
from sim.command.options import DEFAULTS
from sim.faults import script
from sim.links import places
from sim.sweep import file
from sim.sweep.points import Point, grid
from sim.sweep.running import cores
from sim.world import FANOUT_MAX, NODES

PROGRAM = "python -m sim.sweep"
VARIED: tuple[str, ...] = ("nodes", "fanout", "latency")  # and the seed


@attrs.frozen
class Options:
    """What the command line says."""

    points: list[Point]
    jobs: int
    out: Path


def read(arguments: Sequence[str]) -> Options:
    """Raises ValueError with one line; SystemExit(0) after printing the help, if asked for."""
    named = _parser().read(arguments)
    jobs, out, seeds = named.pop("jobs"), named.pop("out", None), named.pop("seeds")
    if out is None:
        raise BadOption("--out is missing, name the file of the table, in .csv or .parquet")
    varied = {name: named.pop(name) for name in VARIED if name in named}
    points = grid(varied | {"seed": range(seeds)}, **named)
    try:
        file.check(out)
    except ValueError as error:
        raise BadOption(f"--out: {error}") from None
    return Options(points, jobs, out)


# -- values --------------------------------------------------------------------------------


_FANOUT = number(
    int, f"a whole number from 2 to {FANOUT_MAX}", lambda fanout: 2 <= fanout <= FANOUT_MAX
)
_JOBS = number(int, "a whole number from 1 to 500", lambda n: 1 <= n <= 500)
_SEEDS = number(int, "a whole number from 1 to 1000000", lambda n: 1 <= n <= 1_000_000)


def _list(convert: Callable[[str], int]) -> Callable[[str], list[int]]:
    return lambda text: [convert(part) for part in text.split(",")]


# -- the options ---------------------------------------------------------------------------


def _parser() -> Parser:
    parser = Parser(
        PROGRAM,
        "[--nodes N,...] [--fanout F,...] [--latency DIST ...] [--seeds N] [other options]\n"
        "       --out FILE",
        description=paragraphs(
            "Simulates every combination of numbers of nodes, fanouts, latencies and seeds, each "
            "in a process of its own, and writes a table with a row a run: what it was given, then "
            "what came of it. The same options give the same table, but for wall_seconds and "
            "peak_rss_bytes. The largest runs begin first."
        ),
        epilog=paragraphs(
            *DISTRIBUTIONS,
            "Exit codes: 0 the table is there; 1 it is there and has runs that failed, or could "
            "not be written; 2 an option is wrong; 130 interrupted, and the table has what was "
            "finished; 141 nobody reads the output any more.",
        )
        + f"\n\nA FILE of faults:\n\n{script.HELP}",
    )
    _add_varied(parser.add_argument_group("what differs from run to run"))
    _add_alike(parser)
    _add_how(parser.add_argument_group("how, and where to"))
    return parser


def _add_varied(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--nodes",
        metavar="N,...",
        type=_list(COUNT),
        help=f"how many nodes arrive (default: {NODES}, or all of --arrivals)",
    )
    group.add_argument(
        "--fanout",
        metavar="F,...",
        type=_list(_FANOUT),
        help=f"the most slots of a session, 2 to {FANOUT_MAX} (default: chosen for the number of "
        "partitions)",
    )
    group.add_argument(
        "--latency",
        metavar="DIST",
        type=simulator.latency,
        nargs="+",
        action="extend",
        help="seconds that a message takes one way, blanks between one DIST and the next; "
        f"{places.PREFIX}FILE.csv as for python -m sim (default: {DEFAULTS['latency']})",
    )
    group.add_argument(
        "--seeds",
        metavar="N",
        type=_SEEDS,
        default=1,
        help="how many seeds, from 0 (default: 1)",
    )


def _add_alike(parser: Parser) -> None:
    """As `python -m sim` has them."""
    tree = parser.add_argument_group("how many, in every run")
    tree.add_argument(
        "--partitions",
        metavar="P",
        type=COUNT,
        help="how many pieces the job is cut into (default: as many as there are nodes)",
    )
    simulator.add_listening(tree)
    add_job(
        parser.add_argument_group("what they compute"),
        "prepare, compute and collect, and maybe cost, the seconds that a piece takes",
        DEFAULTS["job"],
    )
    simulator.add_times(parser.add_argument_group("how long things take (simulated seconds)"))
    simulator.add_faults(parser.add_argument_group("what goes wrong"))


def _add_how(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--jobs",
        metavar="J",
        type=_JOBS,
        default=cores(),
        help="how many runs there are at the same time; the memory has to do for so many "
        "(default: as many as there are processors)",
    )
    group.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="the table, in .csv or .parquet; one that a sweep has written before is replaced at "
        "the end",
    )
