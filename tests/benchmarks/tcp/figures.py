"""The figures of whole computations beside those of the peers."""

from __future__ import annotations

import sys

from tests.benchmarks.tcp import busy
from tests.benchmarks.tcp.measuring import (
    HERE,
    NOOP,
    Contender,
    Outcome,
    measure,
    ours,
    peer,
    said,
)

NODES = 100


def rollup(scale: int, runs: int) -> Outcome:
    """10,000 partitions that take their time and no core, on 100 nodes in two levels."""
    partitions = 10_000 // scale
    delayed = ("--fanout", "100", "--delay", "0.075")
    size = ("--partitions", str(partitions), "--job", NOOP)
    found = measure(
        [
            ours(f"{partitions:,} x 75 ms, 100 nodes", partitions, NODES, *size, *delayed),
            peer("pool_rollup", "Pool(100), no tree", partitions),
        ],
        runs,
    )
    outcome = Outcome()
    outcome.wall("rollup", found[0], "<= 8.0 s, 7.8 s at best")
    outcome.wall("rollup", found[1])
    outcome.ratio("rollup", found[0], found[1], "")
    return outcome


def noop(scale: int, runs: int) -> Outcome:
    """Partitions that cost nothing: what is left is what the tree itself takes."""
    outcome = Outcome()
    some, many = 10_000 // scale, 1_000_000 // scale
    ones = [
        _noop(some),
        peer("pool", f"Pool(2).imap, {some:,}", some),
        peer("dask", f"dask.distributed, {some:,}", some),
        peer("ray_actors", f"Ray, two actors, {some:,}", some),
        peer("ray_tasks", f"Ray, tasks, {some:,}", some),
    ]
    found = measure(ones, runs)
    for one in found:
        outcome.wall("noop", one)
    for other, target in zip(found[1:], ("", "<= 1/20", "<= 1/5", ""), strict=True):
        outcome.ratio("noop", found[0], other, target)
    pools = [
        peer("pool", f"Pool(2).imap, {many:,}", many),
        peer("executor", f"ProcessPoolExecutor(2).map, chunks of 100, {many:,}", many),
    ]
    found = measure([_noop(many), *pools], runs)
    for one in found:
        outcome.wall("noop", one)
    outcome.ratio("noop", found[0], found[1], "<= 1.0")
    outcome.ratio("noop", found[0], found[2], "<= 1.5, aim 1.0")
    return outcome


def _noop(partitions: int) -> Contender:
    options = ("--partitions", str(partitions), "--fanout", "100", "--job", NOOP)
    return ours(f"no-op, {partitions:,}", partitions, NODES, *options)


def useful(scale: int, runs: int) -> Outcome:
    """Pieces of 10 ms of pure CPU: how much of two cores goes to them.

    A piece is calibrated in the process that computes nothing else. Bare processes that share the
    pieces out beforehand show what the machine itself gives to two at a time.
    """
    pieces, file = 2_000 // scale, str(HERE / "busy.py")
    calm = said([sys.executable, file, "pieces", "0.01"])
    loops = calm["loops"]
    wanted = busy.whole(loops, pieces)
    job = ("--job", file, "--input", str(loops), "--partitions", str(pieces), "--fanout", "100")
    bare = [sys.executable, file, "bare", str(loops), str(pieces), "2"]
    found = measure(
        [
            ours(f"{pieces:,} x 10 ms of CPU, 100 nodes", wanted, NODES, *job),
            Contender("two bare processes", wanted, lambda: said(bare)),
        ],
        runs,
    )
    outcome = Outcome()
    for one, target in zip(found, (">= 95 %", ""), strict=True):
        outcome.wall("useful", one)
        share = share_of_cores(pieces, calm["piece_seconds"], one.seconds)
        what = f"{one.name}: of two cores to the work"
        proof = f"a piece takes {1e3 * calm['piece_seconds']:.3f} ms by itself"
        outcome.line("useful", what, f"{share:.1%}", target, proof)
    outcome.ratio("useful", found[0], found[1], "<= 1/0.95")
    return outcome


def share_of_cores(pieces: int, piece_seconds: float, seconds: float, cores: int = 2) -> float:
    """How much of the cores' time went to the pieces."""
    return pieces * piece_seconds / (seconds * cores)


def many_nodes(scale: int, runs: int) -> Outcome:
    """As many nodes as partitions, in few processes."""
    nodes = 100_000 // scale
    options = ("--partitions", str(nodes), "--job", NOOP)
    found = measure([ours(f"{nodes:,} nodes", nodes, nodes, *options)], runs)
    outcome = Outcome()
    outcome.wall("many_nodes", found[0])
    return outcome
