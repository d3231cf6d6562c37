"""All runs of a sweep, some of them at the same time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from plugins.console.cores import cores
from sim.sweep import table
from sim.sweep.outcome import Outcome
from sim.sweep.points import Point, grid, size
from sim.sweep.process import Process, answering

if TYPE_CHECKING:
    import polars

TICK_SECONDS = 0.2


def sweep(values: Mapping[str, Any], jobs: int | None = None, **constants: Any) -> polars.DataFrame:
    """A row for each combination of `values`, in the order of `grid`, whatever was done first.

    `jobs` is how many runs there are at the same time, by default as many as cores. A run that
    fails is a row with `failed` and the reason in `error`. Raises ValueError with one line for
    what cannot be, before anything runs.
    """
    points = grid(values, **constants)
    with closing(run(points, jobs)) as outcomes:
        return table.frame(points, dict(outcomes))


def run(
    points: Sequence[Point], jobs: int | None = None, tick: Callable[[], None] = lambda: None
) -> Generator[tuple[int, Outcome], None, None]:
    """What comes of each point, with its place among them, in the order in which they are done.

    The largest begin first, as one that begins last would be waited for alone. `tick` is called
    again and again. Whoever does not want all of them closes it, which ends those under way.
    """
    given: object = jobs  # from a notebook it may be anything
    if given is not None and not (isinstance(given, int) and given >= 1):
        raise ValueError(f"jobs must be a whole number, 1 or more, not {jobs!r}")
    waiting = sorted(range(len(points)), key=lambda place: (size(points[place]), -place))
    under_way: dict[Process, int] = {}
    try:
        while waiting or under_way:
            while waiting and len(under_way) < (jobs or cores()):
                place = waiting.pop()
                under_way[Process(points[place])] = place
            yield from _done(under_way)
            tick()
    finally:
        for process in under_way:
            process.close()


def _done(under_way: dict[Process, int]) -> Iterator[tuple[int, Outcome]]:
    """Those that are done within a tick; they are under way no more."""
    for process in answering(list(under_way), TICK_SECONDS):
        outcome = process.outcome()
        place = under_way.pop(process)
        process.close()
        yield place, outcome
