"""The command line of the search: its options, and which of them go together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from plugins.console import checks, exits, shared
from plugins.console.exits import Exit
from plugins.console.options import BadOption, of, option, switch
from plugins.console.parser import Parser, paragraphs
from sim.search.shrink import SECONDS_MAX

if TYPE_CHECKING:
    from sim.search.results import Source
    from sim.search.trial import Trial

PROGRAM = "python -m sim.search"
TRIALS = "sim.search.trial"  # the module that draws and runs them
LOBBIES = "sim.search.lobby.trial"  # the same, of lobbies
FLEETS = "sim.search.fleets.trial"  # the same, of fleets
SEEDS, SHARE_TWICE = 1000, 0.05  # of many
ALWAYS = 1.0  # a single one is run twice

_SEED = checks.number(int, "a whole number", lambda n: abs(n) < 10**18)
_TIME = checks.number(float, "a number above 0, up to 1e+06", lambda x: 0 < x <= 1e6)


def _hash_seed_list(text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        seeds = ()
    if not seeds or len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**32 for seed in seeds):
        wanted = "give different whole numbers from 0 to 4294967295, such as 1,2"
        raise checks.wrong(text, f"is wrong, {wanted}")
    return seeds


@attrs.frozen
class Options:
    """What the command line says."""

    seeds: int | None = option(  # None: until the minutes are over
        SEEDS, "N", checks.COUNT, "how many seeds are run", f"{SEEDS}; with --minutes no end"
    )
    first: int = option(0, "S", _SEED, "the first of them")
    seed: int | None = option(None, "S", _SEED, "run only this one, as it was run before", "")
    replay: Path | None = option(None, "FILE", Path, "run only a saved trial", "")
    trial: Trial | None = None  # of the file to replay
    lobby: bool = switch(
        "draw lobbies, in which nodes are at home and no job is there", "worlds with a job"
    )
    fleets: bool = switch(
        "draw fleets: nodes that stay, jobs that wait in a queue, run, are cancelled, and a root "
        "that is lost and comes back; these are other trials, with seeds of their own",
        "worlds of one job",
    )
    jobs: int = shared.jobs("how many are run at the same time, each in a process of its own")
    minutes: float | None = option(None, "M", _TIME, "start none after so many minutes", "no limit")
    limit: float = option(
        60.0, "SECONDS", _TIME, "a run that takes longer has failed, in seconds of wall time"
    )
    share_twice: float = option(
        SHARE_TWICE,
        "SHARE",
        checks.SHARE,
        "the share of the seeds, 0 to 1, that is run twice, in two processes with different "
        "hash seeds, and must be the same; those that fail are always run twice",
        f"{SHARE_TWICE:g}; for a single one {ALWAYS:g}",
    )
    hash_seeds: tuple[int, ...] = option(
        (), "A,B,...", _hash_seed_list, "PYTHONHASHSEED of each process", "1,2,..."
    )
    stop_after: int = option(3, "K", checks.COUNT, "stop after so many failing seeds")
    shrink: bool = switch(
        "do not make them smaller",
        f"{SECONDS_MAX:g} s for each; a saved one never",
        default=True,
        flags=("--no-shrink",),
    )
    out: Path = option(
        Path(),
        "FOLDER",
        Path,
        "where they are saved, as failure-SEED.json",
        "the present folder",
    )
    verbose: bool = switch(
        "with --seed or --replay: tell every event; with --json on standard error", ""
    )
    json: bool = shared.json("a report for people")

    @property
    def trials(self) -> str:
        """The module that draws and runs them."""
        if self.lobby:
            return LOBBIES
        return FLEETS if self.fleets or (self.trial and self.trial.jobs) else TRIALS

    @property
    def kind(self) -> str:
        """The option that says so."""
        return "--lobby" * self.lobby or "--fleets" * self.fleets

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
    if "lobby" in named and "fleets" in named:
        raise BadOption("--fleets does not go with --lobby, give one of them")
    if "replay" in named and "fleets" in named:
        raise BadOption("--fleets does not go with --replay, which knows what it was")
    if len(single) == 2 or (single and several):
        one, other = (*single, *several)[:2]
        raise BadOption(f"--{other} does not go with --{one}, give one of them")
    options = Options(**_otherwise(named, single=bool(single)) | named)
    if options.verbose and not single:
        raise BadOption("--verbose tells the events of one run, name it with --seed or --replay")
    if not options.out.is_dir():
        raise BadOption(f"--out: there is no folder {str(options.out)!r}, make it or name another")
    if options.replay is None:
        return options
    trial = _saved(options.replay)
    return attrs.evolve(options, trial=trial, lobby="lobby" in trial.world, shrink=False)


def _otherwise(named: dict[str, Any], single: bool) -> dict[str, Any]:
    """What is not the default any more, as something else was named."""
    changed: dict[str, Any] = {"share_twice": ALWAYS} if single else {}
    return changed | ({"seeds": None} if "minutes" in named else {})


def _saved(path: Path) -> Trial:
    from sim.search import report  # with the simulator, which takes a while to load

    try:
        return report.load(path)
    except OSError as error:
        raise BadOption(f"--replay: {str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadOption(f"--replay: {str(path)!r} is wrong: {error}") from None


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
            exits.told(
                {
                    Exit.FINISHED: "every promise was kept",
                    Exit.FAILED: "one was broken, or two runs of the same trial differed",
                }
            )
        ),
    )
    parser.group("what is run", *of(Options, "seeds", "first", "seed", "replay", "lobby", "fleets"))
    parser.group("how", *of(Options, "jobs", "minutes", "limit", "share_twice", "hash_seeds"))
    parser.group("what is done about failures", *of(Options, "stop_after", "shrink", "out"))
    parser.group("what is shown", *of(Options, "verbose", "json"))
    return parser
