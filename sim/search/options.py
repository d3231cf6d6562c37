"""The options of the search: what they are called, what they mean, what they may be."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import attrs

from plugins.console.options import COUNT, SHARE, BadOption, Parser, add_json, number, paragraphs
from sim.search import report
from sim.search.results import Source
from sim.search.shrink import SECONDS_MAX
from sim.search.trial import Trial

PROGRAM = "python -m sim.search"
SEEDS, STOP_AFTER, LIMIT_SECONDS, SHARE_TWICE = 1000, 3, 60.0, 0.05


@attrs.frozen
class Options:
    """What the command line says."""

    seeds: int | None  # None: until the minutes are over
    first: int
    seed: int | None
    replay: Path | None
    trial: Trial | None  # of the file to replay
    jobs: int
    share_twice: float
    hash_seeds: tuple[int, ...]
    minutes: float | None
    limit: float
    stop_after: int
    shrink: bool
    out: Path
    verbose: bool
    json: bool

    @property
    def how_many(self) -> int | None:
        return 1 if self.seed is not None or self.trial else self.seeds

    def sources(self) -> Iterator[Source]:
        """What is to be run, in order."""
        if self.trial:
            return iter([self.trial])
        if self.seed is not None:
            return iter([self.seed])
        return islice(count(self.first), self.seeds)


def read(arguments: Sequence[str]) -> Options:
    """Raises BadOption; SystemExit(0) after printing the help, where that was asked for."""
    named = _parser().read(arguments)
    single = [name for name in ("seed", "replay") if name in named]
    several = [name for name in ("seeds", "first", "minutes") if name in named]
    if len(single) == 2 or (single and several):
        one, other = (*single, *several)[:2]
        raise BadOption(f"--{other} does not go with --{one}, give one of them")
    if named["verbose"] and not single:
        raise BadOption("--verbose tells the events of one run, name it with --seed or --replay")
    out = named["out"]
    if not out.is_dir():
        raise BadOption(f"--out: there is no folder {str(out)!r}, make it or name another")
    replay = named.get("replay")
    defaults: dict[str, Any] = {
        "seeds": None if "minutes" in named else SEEDS,
        "first": 0,
        "seed": None,
        "replay": None,
        "trial": replay and _saved(replay),
        "share_twice": 1.0 if single else SHARE_TWICE,
        "minutes": None,
    }
    named["shrink"] = named["shrink"] and replay is None
    return Options(**{**defaults, **named})


def _saved(path: Path) -> Trial:
    try:
        return report.load(path)
    except OSError as error:
        raise BadOption(f"--replay: {str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadOption(f"--replay: {str(path)!r} is wrong: {error}") from None


def _hash_seed_list(text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        seeds = ()
    if not seeds or len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**32 for seed in seeds):
        wanted = "give different whole numbers from 0 to 4294967295, such as 1,2"
        raise argparse.ArgumentTypeError(f"{text!r:.60} is wrong, {wanted}")
    return seeds


_JOBS = number(int, "a whole number from 1 to 500", lambda n: 1 <= n <= 500)
_SEED = number(int, "a whole number", lambda n: abs(n) < 10**18)
_TIME = number(float, "a number above 0, up to 1e+06", lambda x: 0 < x <= 1e6)


def _parser() -> Parser:
    parser = Parser(
        PROGRAM,
        "[--seeds N | --seed S | --replay FILE] [options]",
        description=paragraphs(
            "Searches for failures: draws a world and faults from each seed, runs them in a "
            "simulation, and checks all the way what is promised. What fails is printed, made "
            "smaller while it still fails, and saved. The same seed gives the same run."
        ),
        epilog=paragraphs(
            "Exit codes: 0 every promise was kept; 1 one was broken, or two runs of the same "
            "trial differed; 2 an option is wrong; 130 interrupted; 141 nobody reads the "
            "output any more."
        ),
    )
    _add_what(parser.add_argument_group("what is run"))
    _add_how(parser.add_argument_group("how"))
    _add_failures(parser.add_argument_group("what is done about failures"))
    _add_output(parser.add_argument_group("what is shown"))
    return parser


def _add_what(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--seeds",
        metavar="N",
        type=COUNT,
        help=f"how many seeds are run (default: {SEEDS}; with --minutes no end)",
    )
    group.add_argument("--first", metavar="S", type=_SEED, help="the first of them (default: 0)")
    group.add_argument(
        "--seed", metavar="S", type=_SEED, help="run only this one, as it was run before"
    )
    group.add_argument("--replay", metavar="FILE", type=Path, help="run only a saved trial")


def _add_how(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--jobs",
        metavar="J",
        type=_JOBS,
        default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        help="how many are run at the same time, each in a process of its own "
        "(default: as many as there are processors)",
    )
    group.add_argument(
        "--minutes",
        metavar="M",
        type=_TIME,
        help="start none after so many minutes (default: no limit)",
    )
    group.add_argument(
        "--limit",
        metavar="SECONDS",
        type=_TIME,
        default=LIMIT_SECONDS,
        help="a run that takes longer has failed, in seconds of wall time "
        f"(default: {LIMIT_SECONDS:g})",
    )
    group.add_argument(
        "--share-twice",
        metavar="SHARE",
        type=SHARE,
        help="the share of the seeds, 0 to 1, that is run twice, in two processes with different "
        "hash seeds, and must be the same; those that fail are always run twice "
        f"(default: {SHARE_TWICE:g}; for a single one 1)",
    )
    group.add_argument(
        "--hash-seeds",
        metavar="A,B,...",
        type=_hash_seed_list,
        default=(),
        help="PYTHONHASHSEED of each process (default: 1,2,...)",
    )


def _add_failures(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--stop-after",
        metavar="K",
        type=COUNT,
        default=STOP_AFTER,
        help=f"stop after so many failing seeds (default: {STOP_AFTER})",
    )
    group.add_argument(
        "--no-shrink",
        dest="shrink",
        action="store_false",
        default=True,
        help=f"do not make them smaller (default: {SECONDS_MAX:g} s for each; a saved one never)",
    )
    group.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        default=Path(),
        help="where they are saved, as failure-SEED.json (default: the present folder)",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--verbose",
        action="store_true",
        default=False,
        help="with --seed or --replay: tell every event; with --json on standard error",
    )
    add_json(group, "a report for people")
