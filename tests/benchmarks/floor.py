"""The peer: as many bare SimPy processes, which only wait three times each.

A process waits for its arrival, for a piece of work and for a message, as long as in the
simulation. The draws are looked up in tables, as the simulation does, made before the clock is
started; the processes are made within the measured time, as the simulation's nodes are.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import simpy

DRAWS = 1 << 16
MASK = DRAWS - 1
ARRIVAL_SECONDS = 10.0
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


def measure(processes: int, seed: int) -> dict[str, Any]:
    """Wall seconds and peak memory in bytes; how many have finished, and when the last one."""
    random = Random(seed)
    delays = [random.uniform(0.5, 1.5) for _ in range(DRAWS)]
    latencies = [random.uniform(0.02, 0.08) for _ in range(DRAWS)]
    env = simpy.Environment()
    timeout = env.timeout
    finished = 0

    def node(i: int) -> Iterator[simpy.Event]:
        nonlocal finished
        yield timeout(i * ARRIVAL_SECONDS / processes)
        yield timeout(delays[i & MASK])
        yield timeout(latencies[i & MASK])
        finished += 1

    gc.disable()
    began = time.perf_counter()
    for i in range(processes):
        env.process(node(i))  # type: ignore[arg-type]
    env.run()
    wall_seconds = time.perf_counter() - began
    return {
        "result": finished,
        "digest": f"{env.now:.9f}",
        "seed": seed,
        "wall_seconds": wall_seconds,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
