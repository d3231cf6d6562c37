"""The options of a sweep: what they are called, what they mean, what they may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from plugins.console import checks, exits, shared
from plugins.console.exits import Exit
from plugins.console.options import BadOption, Option, of, one, option, taken
from plugins.console.parser import DISTRIBUTIONS, Parser, paragraphs
from sim.command.options import SCRIPT
from sim.measured import places
from sim.options import Job, Times, Tree, Trouble
from sim.sweep import file
from sim.sweep.points import Point, grid

PROGRAM = "python -m sim.sweep"


def _several(option: Option) -> Option:
    """The same, with commas between the values."""
    assert option.read is not None
    return attrs.evolve(option, metavar=f"{option.metavar},...", read=_each(option.read))


def _each(read: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    return lambda text: [read(part) for part in text.split(",")]


_FANOUT = one(Tree, "fanout", said="chosen for the number of partitions")
_LATENCY = one(
    Times,
    "latency",
    help="seconds that a message takes one way, blanks between one DIST and the next; "
    f"{places.PREFIX}FILE.csv as for python -m sim",
    more={"nargs": "+", "action": "extend"},
)
# Those of which there may be several values, besides the seed.
VARIED = {
    option.name: option for option in (_several(one(Tree, "nodes")), _several(_FANOUT), _LATENCY)
}
ALIKE = [name for name in attrs.fields_dict(Times) if name not in VARIED]


@attrs.frozen
class Options:
    """What the command line says."""

    points: list[Point]
    seeds: int = option(1, "N", checks.between(1, 1_000_000), "how many seeds, from 0")
    jobs: int = shared.jobs(
        "how many runs there are at the same time; the memory has to do for so many"
    )
    out: Path = option(
        None,
        "FILE",
        Path,
        "the table, in .csv or .parquet; one that a sweep has written before is replaced at the "
        "end",
        "",
    )


def read(arguments: Sequence[str]) -> Options:
    """Raises ValueError with one line; SystemExit(0) after printing the help, if asked for."""
    named = _parser().read(arguments)
    own = taken(Options, named)
    if "out" not in own:
        raise BadOption("--out is missing, name the file of the table, in .csv or .parquet")
    varied = {name: named.pop(name) for name in VARIED if name in named}
    options = Options([], **own)
    points = grid(varied | {"seed": range(options.seeds)}, **named)
    try:
        file.check(options.out)
    except ValueError as error:
        raise BadOption(f"--out: {error}") from None
    return attrs.evolve(options, points=points)


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
            exits.told(
                {
                    Exit.FINISHED: "the table is there",
                    Exit.FAILED: "it is there and has runs that failed, or could not be written",
                    Exit.INTERRUPTED: "interrupted, and the table has what was finished",
                }
            ),
        )
        + SCRIPT,
    )
    parser.group("what differs from run to run", *VARIED.values(), one(Options, "seeds"))
    parser.group("how many, in every run", *of(Tree, "partitions", "listening"))
    parser.group("what they compute", *of(Job, "job", "prepare", "compute", "collect", "input"))
    parser.group("how long things take (simulated seconds)", *of(Times, *ALIKE))
    parser.group("what goes wrong", *of(Trouble))
    parser.group("how, and where to", *of(Options, "jobs", "out"))
    return parser
