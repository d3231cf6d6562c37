"""The job that keeps a core busy: each piece the same loop, as long as the input says.

Input: how many loops a piece. Output: [number of pieces, sum of what they came to].

`python busy.py pieces SECONDS` tells how many loops take so long in a process of its own, and what
such a piece takes there; `python busy.py bare LOOPS PIECES PROCESSES` what bare processes take that
share the pieces out before they begin. Each prints one JSON object.
"""

import json
import sys
import time
from collections.abc import Sequence
from multiprocessing import Barrier, Pipe, Process
from multiprocessing.connection import Connection
from typing import Any

MODULUS = 2**31 - 1
TRIED_LOOPS, TRIES = 20_000, 100
PIECES = 100  # to see what one takes


def prepare(input: int, sizes: Sequence[int]) -> list[int]:
    """The same for everybody."""
    return [input] * len(sizes)


def compute(input: int, index: int) -> list[int]:
    """One piece."""
    value = index + 1
    for _ in range(input):
        value = value * 48271 % MODULUS
    return [1, value]


def collect(outputs: Sequence[Sequence[int]]) -> list[int]:
    """The sums."""
    return [sum(column) for column in zip(*outputs, strict=True)]


def whole(loops: int, pieces: int) -> list[int]:
    """The answer, without the loops."""
    return [pieces, sum((i + 1) * pow(48271, loops, MODULUS) % MODULUS for i in range(pieces))]


def pieces(seconds: float) -> dict[str, Any]:
    """Pieces of so many seconds each, in a process with nothing else to do."""
    loops = round(TRIED_LOOPS * seconds / min(_seconds(TRIED_LOOPS) for _ in range(TRIES)))
    took = sorted(_seconds(loops) for _ in range(PIECES))
    return {"loops": loops, "piece_seconds": sum(took) / PIECES, "quickest_seconds": took[0]}


def _seconds(loops: int) -> float:
    began = time.perf_counter()
    compute(loops, 1)
    return time.perf_counter() - began


def bare(loops: int, pieces: int, processes: int) -> dict[str, Any]:
    """So many processes that need not talk to anybody."""
    ready, pipes = Barrier(processes + 1), [Pipe() for _ in range(processes)]
    workers = [
        Process(target=_share, args=(loops, range(i, pieces, processes), ready, pipe))
        for i, (_, pipe) in enumerate(pipes)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    result = collect([pipe.recv() for pipe, _ in pipes])
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return {"result": result, "seconds": seconds}


def _share(loops: int, own: range, ready: Any, pipe: Connection) -> None:
    ready.wait()
    pipe.send(collect([compute(loops, index) for index in own]))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pieces", seconds_each]:
            print(json.dumps(pieces(float(seconds_each))))
        case ["bare", loops, count, processes]:
            print(json.dumps(bare(int(loops), int(count), int(processes))))
