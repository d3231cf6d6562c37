"""A fleet that stands already, given something to do: `python standing.py job|map COUNT`.

Prints one JSON object, as `peers.py` does: the result, and the seconds from when it is asked for
until it is there. It has done something before, as any benchmark of workers would have it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from transports import Fleet

NODES, PROCESSES = 100, 2
NOOP = str(Path(__file__).parents[1] / "noop.py")


def one(index: int) -> int:
    """The call that costs nothing."""
    return 1


def job(fleet: Fleet, count: int) -> int:
    """A second job, of so many partitions that cost nothing."""
    result: int = fleet.run(NOOP, partitions=count, fanout=100)
    return result


def mapped(fleet: Fleet, count: int) -> int:
    """So many calls of a function that costs nothing."""
    return sum(fleet.map(one, range(count)))


WORK = {"job": job, "map": mapped}


def main(name: str, count: int) -> None:
    """Measure one, and print what was found."""
    with Fleet(nodes=NODES, processes=PROCESSES) as fleet:
        WORK[name](fleet, 1000)
        began = time.perf_counter()
        result = WORK[name](fleet, count)
        seconds = time.perf_counter() - began
    print(json.dumps({"result": result, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
