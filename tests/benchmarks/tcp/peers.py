"""What a user would pick instead, each doing the same work: `python peers.py NAME PARTITIONS`.

Prints one JSON object: the result, the wall seconds of the work, and what did it. The workers are
started and have answered once before the clock is, as any benchmark of them would have it. This
file is run by the Python in which the peers are installed, and imports nothing of ours.

The settings are those that were quickest here. Dask: no stealing, no profiler, no dashboard, all
tasks handed to the workers at once. Ray: two actors, as its tasks take twice as long.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool
from typing import Any

WORKERS = 2
CHUNK = 100
FANOUT = 100
DELAY_SECONDS = 0.075

Figure = tuple[int, float]  # the result, and the seconds it took


def one(index: int) -> int:
    """The piece that costs nothing."""
    return 1


def idle(count: int) -> int:
    """Something of the rollup case, about `count` pieces: it takes its time and no core."""
    time.sleep(DELAY_SECONDS)
    return count


def pool(partitions: int) -> Figure:
    """multiprocessing.Pool, a piece at a time."""
    with Pool(WORKERS) as workers:
        workers.map(one, range(WORKERS * 10), chunksize=1)
        began = time.perf_counter()
        result = sum(workers.imap(one, range(partitions), chunksize=1))
        return result, time.perf_counter() - began


def executor(partitions: int) -> Figure:
    """concurrent.futures.ProcessPoolExecutor, a hundred pieces at a time."""
    with ProcessPoolExecutor(WORKERS) as workers:
        list(workers.map(one, range(WORKERS * 1000), chunksize=CHUNK))
        began = time.perf_counter()
        result = sum(workers.map(one, range(partitions), chunksize=CHUNK))
        return result, time.perf_counter() - began


def pool_rollup(partitions: int) -> Figure:
    """multiprocessing.Pool with a process a node: prepare, compute and collect, without a tree."""
    groups = [FANOUT] * (partitions // FANOUT)
    with Pool(FANOUT) as workers:
        workers.map(one, range(FANOUT * 10), chunksize=1)
        began = time.perf_counter()
        idle(partitions)  # the root prepares
        workers.map(idle, groups, chunksize=1)  # so does each group
        outputs = list(workers.imap(idle, [1] * partitions, chunksize=1))
        combined = workers.map(
            idle, [sum(outputs[i :: len(groups)]) for i in range(len(groups))], 1
        )
        result = idle(sum(combined))
        return result, time.perf_counter() - began


def dask(partitions: int) -> Figure:
    """dask.distributed on this machine, two worker processes of one thread each."""
    distributed: Any = importlib.import_module("distributed")
    importlib.import_module("dask").config.set(
        {
            "distributed.scheduler.work-stealing": False,
            "distributed.scheduler.worker-saturation": float("inf"),
            "distributed.scheduler.validate": False,
            "distributed.worker.profile.enabled": False,
            "distributed.worker.memory.spill": False,
            "distributed.admin.low-level-log-length": 0,
        }
    )
    with (
        distributed.LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.gather(client.map(one, range(WORKERS * 10), pure=False))
        began = time.perf_counter()
        result = sum(client.gather(client.map(one, range(partitions), pure=False)))
        return result, time.perf_counter() - began


def ray_actors(partitions: int) -> Figure:
    """Two Ray actors, a call a piece."""
    ray = _ray()

    class Actor:
        def one(self, index: int) -> int:
            return 1

    actors = [ray.remote(Actor).remote() for _ in range(WORKERS)]
    ray.get([actor.one.remote(i) for actor in actors for i in range(10)])
    began = time.perf_counter()
    calls = [actors[i % WORKERS].one.remote(i) for i in range(partitions)]
    result = sum(ray.get(calls))
    return result, time.perf_counter() - began


def ray_tasks(partitions: int) -> Figure:
    """Ray tasks on two workers, a task a piece."""
    ray = _ray()
    task = ray.remote(one)
    ray.get([task.remote(i) for i in range(WORKERS * 10)])
    began = time.perf_counter()
    result = sum(ray.get([task.remote(i) for i in range(partitions)]))
    return result, time.perf_counter() - began


def _ray() -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = importlib.import_module("ray")
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    return ray


PEERS: dict[str, tuple[str | None, Callable[[int], Figure]]] = {
    "pool": (None, pool),
    "executor": (None, executor),
    "pool_rollup": (None, pool_rollup),
    "dask": ("distributed", dask),
    "ray_actors": ("ray", ray_actors),
    "ray_tasks": ("ray", ray_tasks),
}


def report(name: str, partitions: int) -> dict[str, Any]:
    """What came of peer `name`; "missing" says what is not installed here."""
    package, run = PEERS[name]
    version = f"Python {platform.python_version()}"
    if package is not None:
        try:
            importlib.import_module(package)
        except ImportError:
            why = f"{package} is not installed for {sys.executable}: see --peers-python"
            return {"missing": why}
        version = f"{package} {importlib.metadata.version(package)}"
    result, seconds = run(partitions)
    return {"result": result, "seconds": seconds, "version": version}


if __name__ == "__main__":
    print("\n" + json.dumps(report(sys.argv[1], int(sys.argv[2]))))
