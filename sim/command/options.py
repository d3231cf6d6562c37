"""The command line of `python -m sim`: the options of a world, and what else can be asked for.

What a world is asked for is declared in `sim.options`, with all defaults; a world is given only
what was named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from plugins.console import checks, exits, shared
from plugins.console.exits import Exit
from plugins.console.options import BadOption, of, one, option, taken
from plugins.console.parser import DISTRIBUTIONS, Parser, paragraphs
from sim.command import jobs
from sim.faults import script
from sim.measured import tables
from sim.options import NODES, Job, Queue, Times, Trace, Tree, Trouble

PROGRAM = "python -m sim"
NOT_IDLE = [
    name for group in (Job, Trace) for name in attrs.fields_dict(group)
] + ["partitions", "delay", "piece_timeout"]  # fmt: skip
SCRIPT = f"\n\nA FILE of faults:\n\n{script.HELP}"


@attrs.frozen
class Options:
    """What the command line says."""

    world: dict[str, Any]  # the arguments of World
    follow: int | None = option(
        None,
        "NODE",
        checks.number(int, "a whole number, 0 or more", lambda n: n >= 0),
        "tell the life of one node, 1 to N in order of arrival, 0 the submitter: each event "
        "with its simulated second, session and slots; with --json on standard error",
        "nobody's",
    )
    idle: float | None = option(
        None,
        "SECONDS",
        checks.number(float, "a number above 0, up to 1e+09", lambda x: 0 < x <= 1e9),
        "no job: nodes only come, stay and go, at home in a lobby, and after so many simulated "
        "seconds it is told how they are; --fanout is 32 there unless it is said, 4 at least",
        "they compute a job",
    )
    jobs: list[jobs.Entry] | None = option(
        None,
        "FILE",
        jobs.read,
        "a fleet: nodes stay, and compute the jobs of this file, as below; the options that say "
        "what is computed hold for those that do not say it",
        "one job, which the options say",
    )
    json: bool = shared.json_report()


def read(arguments: Sequence[str]) -> Options:
    """Raises BadOption; SystemExit(0) after printing the help, where that was asked for."""
    named = _parser().read(arguments)
    own = taken(Options, named)
    shared.require_trace(named)
    options = Options(named, **own)
    if options.idle is not None:
        _require_idle(named, options)
    if options.jobs is None and "at_once" in named:
        raise BadOption("--at-once is for a fleet: give its jobs with --jobs FILE")
    for name in ("follow", "idle"):
        if options.jobs is not None and getattr(options, name) is not None:
            raise BadOption(f"--{name} does not go with --jobs, give one of them")
    if options.follow is not None and options.follow > (nodes := _nodes(named)):
        raise BadOption(f"--follow: there is no node {options.follow}, give one from 0 to {nodes}")
    return options


def _require_idle(named: dict[str, Any], options: Options) -> None:
    """Raises BadOption for what only a world with a job has."""
    pointless = [name for name in NOT_IDLE if name in named]
    pointless += ["follow"] if options.follow is not None else []
    if pointless:
        flag = pointless[0].replace("_", "-")
        raise BadOption(f"--{flag} is about a job, and with --idle there is none: leave one out")
    from core.lobby.slots import FANOUT_MIN  # no help needs the core

    if (fanout := named.get("fanout", FANOUT_MIN)) < FANOUT_MIN:
        raise BadOption(f"--fanout {fanout} is too small for --idle, give {FANOUT_MIN} or more")


def _nodes(named: dict[str, Any]) -> int:
    """How many nodes there will be."""
    if "nodes" in named or "arrivals" not in named:
        return int(named.get("nodes", NODES))
    return len(tables.trace(named["arrivals"]).arrivals_seconds)


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
            exits.told(
                {
                    Exit.FINISHED: exits.RESULT,
                    Exit.FAILED: "the job failed, the run could not finish, or its trace not be "
                    "written to the end",
                    Exit.INCOMPLETE: exits.MISSING,
                }
            ),
        )
        + f"\n\n{jobs.HELP}"
        + SCRIPT,
    )
    parser.group("how many", *of(Tree))
    parser.group("what they compute", *of(Job), one(Options, "idle"))
    parser.group("many jobs", one(Options, "jobs"), *of(Queue))
    parser.group("how long things take (simulated seconds)", *of(Times))
    parser.group("what goes wrong", *of(Trouble))
    parser.group("what is shown", one(Options, "follow"), *of(Trace), one(Options, "json"))
    return parser
