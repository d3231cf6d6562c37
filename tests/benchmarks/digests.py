"""Whether what is compiled is the same: `python -m tests.benchmarks.digests FOLDER`.

The worlds that the search draws from so many seeds, and those that once failed, are run from the
sources and from a folder into which they were installed. Everything that was ordered, counted and
found must be alike. The two take turns, so it takes one core.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests import TOP

CORPUS = TOP / "tests" / "sim" / "search" / "corpus"
IS_COMPILED = "from sim.record import COMPILED; print(COMPILED)"

Source = int | dict[str, Any]  # a seed, or a trial as it was saved


class Runner:
    """A process that runs trials, with the modules of one folder."""

    def __init__(self, folder: Path) -> None:
        where: dict[str, Any] = {"cwd": folder, "env": {**os.environ, "PYTHONHASHSEED": "0"}}
        asked = [sys.executable, "-c", IS_COMPILED]
        told = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True, **where)
        self.compiled = told.stdout == "True\n"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sim.search.worker", "sim.search.trial"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **where,
        )  # fmt: skip

    def run(self, source: Source) -> dict[str, Any]:
        """What came of it, but for tracebacks: these tell lines of Python, or of C."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps({"run": source}), file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if outcome := json.loads(line).get("outcome"):
                (outcome["violation"] or {}).pop("events", None)
                found: dict[str, Any] = outcome
                return found
        raise SystemExit(f"the process that ran {source} has died")

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def differing(folders: Sequence[Path], sources: Iterable[Source]) -> Iterator[tuple[Source, bool]]:
    """Each source with whether its runs differ. Raises SystemExit unless one is compiled."""
    with ExitStack() as stack:
        runners = [stack.enter_context(Runner(folder)) for folder in folders]
        if sorted(runner.compiled for runner in runners) != [False, True]:
            raise SystemExit("one folder is to have it compiled, and one not")
        for source in sources:
            one, other = (runner.run(source) for runner in runners)
            yield source, one != other


def sources(first: int, seeds: int) -> Iterator[tuple[str, Source]]:
    """All trials, with what they are called."""
    for seed in range(first, first + seeds):
        yield f"seed {seed}", seed
    for path in sorted(CORPUS.glob("*.json")):
        yield path.name, json.loads(path.read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and tell. Returns the exit code: 1 if any differed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.digests", description=__doc__)
    parser.add_argument("folder", type=Path, help="where it is compiled (make: .venv/compiled)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default: 1000)")
    options = parser.parse_args(arguments)
    names, wanted = zip(*sources(options.first, options.seeds), strict=True)
    found = differing([TOP, options.folder], wanted)
    wrong = [name for name, (_, differs) in zip(names, found, strict=True) if differs]
    print(f"{len(names):,} worlds, run as written and compiled: {len(wrong)} differed")
    print("".join(f"{name} differs\n" for name in wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
