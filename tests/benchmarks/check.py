"""Notices that something has become slower: `python -m tests.benchmarks.check`.

Small versions of the figures, each beside its peer. Core seconds are compared, and their ratio with
the one that is kept here: seconds differ from machine to machine, and from hour to hour on one. Of
several pairs the best counts, since what else the machine does can only add to it; so none is
measured after one that is good.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import attrs

from tests.benchmarks.__main__ import (
    HERE,
    WORK,
    Command,
    cpu_seconds,
    crowd,
    floor,
    simulation,
)
from tests.benchmarks.tcp.measuring import Contender, ours, peer

TOLERANCE = 1.25  # times the ratio that is kept, from which on it is called slower
PAIRS = 3
NODES = 30_000
PIECES = 200_000
OVER_TCP = 50_000


@attrs.frozen
class Check:
    """A figure in small, its peer, and their ratio as it was when it was measured last."""

    name: str
    kept: float
    ours: Callable[[], float]
    peers: Callable[[], float]

    @property
    def most(self) -> float:
        """Above that it is called slower."""
        return self.kept * TOLERANCE

    def ratio(self, pairs: int) -> float:
        """Of core seconds: of the first pair that is not slower, else the least of so many."""
        least = math.inf
        for _ in range(pairs):
            least = min(least, self.ours() / self.peers())
            if least <= self.most:
                break
        return least


def core_seconds(one: Command | Contender) -> Callable[[], float]:
    """What one run of it takes of a core. Raises SystemExit where its result is wrong."""

    def run() -> float:
        before = cpu_seconds()
        report = one.run()
        if report["result"] != one.wanted or report.get("failure") is not None:
            raise SystemExit(f"{one.name}: WRONG, not {one.wanted:,}")
        return cpu_seconds() - before

    return run


def checks() -> list[Check]:
    """All that are kept."""
    options = ("--nodes", "100", "--partitions", str(PIECES), "--fanout", "100", *WORK[:2])
    noop = str(HERE / "noop.py")
    pieces = simulation("pieces", PIECES, *options, "--job", noop)
    shape = ("--partitions", str(OVER_TCP), "--fanout", "100", "--job", noop)
    ratios = [
        (f"{NODES:,} nodes / bare SimPy", KEPT["nodes"], crowd(NODES), floor(NODES)),
        (f"{PIECES:,} pieces / bare SimPy", KEPT["pieces"], pieces, floor(PIECES)),
        (
            f"{OVER_TCP:,} no-op pieces on TCP / ProcessPoolExecutor(2).map",
            KEPT["tcp"],
            ours("no-op", OVER_TCP, 100, *shape),
            peer("executor", "ProcessPoolExecutor(2).map", OVER_TCP),
        ),
    ]
    return [Check(name, kept, core_seconds(a), core_seconds(b)) for name, kept, a, b in ratios]


# Measured on 2026-11-29, two cores, CPython 3.11.7. On TCP the start of all processes is among it.
KEPT = {"nodes": 3.05, "pieces": 0.185, "tcp": 9.5}


def main(found: list[Check] | None = None, pairs: int = PAIRS) -> int:
    """Measure and print. Returns the exit code: 1 if anything is slower than it was."""
    slower = False
    for check in checks() if found is None else found:
        ratio = check.ratio(pairs)
        is_slower = ratio > check.most
        slower |= is_slower
        says = f"SLOWER, above {check.most:.3f}" if is_slower else "as fast as it was"
        print(f"{check.name}: {ratio:.3f} (kept: {check.kept:.3f}), {says}", flush=True)
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
