"""Which worlds take all branches of the core that any of the first takes:
`python -m tests.sim.search.reaching`.

To be run when worlds are drawn in another way, or when the core has changed much; the seeds stand
in `test_reaching.py`.
"""

from __future__ import annotations

import time

from sim.search.trial import draw, run
from tests.sim.search.test_reaching import SEEDS, of_core

Branch = tuple[str, int, int]  # a file, the line that decides, and where it leads


def taken(seed: int) -> tuple[float, set[Branch]]:
    """The core seconds that a world takes, and the branches."""
    coverage, began = of_core(), time.process_time()
    with coverage.collect():
        run(draw(seed))
    data = coverage.get_data()
    found = {(file, *arc) for file in data.measured_files() for arc in data.arcs(file) or ()}
    return time.process_time() - began, found


def few(worlds: dict[int, tuple[float, set[Branch]]]) -> list[int]:
    """Seeds of worlds that take them all: next is always the one that takes most new ones a
    second."""
    chosen, missed = list[int](), set.union(*(found for _, found in worlds.values()))
    while missed:
        best = max(worlds, key=lambda seed: len(worlds[seed][1] & missed) / worlds[seed][0])
        missed -= worlds[best][1]
        chosen.append(best)
    return chosen


if __name__ == "__main__":
    print(*few({seed: taken(seed) for seed in range(SEEDS)}), sep=", ")
