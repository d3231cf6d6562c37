"""A fleet that stands already, beside what else a user would have stand: time from asking on."""

from __future__ import annotations

import sys

from tests.benchmarks.tcp.measuring import HERE, Contender, Outcome, measure, peer, said

STANDING = str(HERE / "standing.py")


def fleet(scale: int, runs: int) -> Outcome:
    """A second job of pieces that cost nothing, and a function called very often."""
    outcome = Outcome()
    some, many = 10_000 // scale, 1_000_000 // scale
    found = measure(
        [
            standing("job", f"second job, {some:,}", some),
            peer("dask", f"dask.distributed, map and gather, {some:,}", some),
            peer("ray_actors", f"Ray, two actors, {some:,}", some),
        ],
        runs,
    )
    outcome.wall("fleet", found[0], "<= 0.5 s")
    for other in found[1:]:
        outcome.wall("fleet", other)
        outcome.ratio("fleet", found[0], other, "")
    title = f"ProcessPoolExecutor(2).map, chunks of 100, {many:,}"
    found = measure(
        [standing("map", f"Fleet.map, {many:,}", many), peer("executor", title, many)], runs
    )
    for one in found:
        outcome.wall("fleet", one)
    outcome.ratio("fleet", *found, "<= 1.0")
    return outcome


def standing(name: str, title: str, count: int) -> Contender:
    """One of standing.py."""
    command = [sys.executable, STANDING, name, str(count)]
    return Contender(title, count, lambda: said(command))
