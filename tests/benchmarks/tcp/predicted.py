"""What the simulator predicts for TCP, beside what TCP does.

A small calibration measures two figures here: the latency of a link, from round trips of one client
that publishes the next when its own came back, and the service time, from how much longer 800 nodes
take than 200 to find their places, all at once, in a tree. Then `python -m sim` is given these two
figures and the same tree, and says when the rollup case is to finish, and when larger trees are to
have formed. In the simulator as on TCP, all nodes arrive at the moment when the root is opened. The
simulator knows nothing of processes, nor that nodes share one: the service time stands for that as
well.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import attrs

from tests.benchmarks.tcp import placing
from tests.benchmarks.tcp.measuring import (
    HERE,
    NOOP,
    Contender,
    Measured,
    Outcome,
    Report,
    measure,
    ours,
    said,
)
from tests.benchmarks.tcp.reflector import publish

HOLDING = str(HERE / "holding.py")
HOLD_SECONDS = 1.0  # for a thousand nodes: ten times what they take to form a tree here
CALIBRATED_NODES = 200, 800
TICK_SECONDS = 1e-5
TRIED_SECONDS = 1e-4
AT_ONCE = ("--arrival-rate", "1e9")
AIM = "0.9 to 1.1"


@attrs.frozen
class Link:
    """What the simulator has to know of this machine."""

    latency_seconds: float
    service_seconds: float


def simulated(link: Link, *options: str) -> Report:
    """What the simulator says."""
    times = ("--latency", repr(link.latency_seconds), "--service-time", repr(link.service_seconds))
    command = [sys.executable, "-m", "sim", *options, *times]
    return said([*command, "--tick", repr(TICK_SECONDS), *AT_ONCE, "--json"])


def formed(nodes: int) -> Contender:
    """On TCP: from when the first node set out until the last was placed."""
    hold = HOLD_SECONDS * max(1.0, nodes / 1000)
    tree = ("--partitions", str(nodes), "--job", HOLDING, "--input", repr(hold))

    def run() -> Report:
        with TemporaryDirectory() as folder:
            report = ours("", nodes, nodes, *tree, bots=f"{placing.__name__}:{folder}").run()
            return {**report, "seconds": placing.formed_seconds(Path(folder))}

    return Contender(f"{nodes:,} nodes formed", nodes, run)


def formed_simulated(link: Link, nodes: int) -> float:
    """In the simulator, where by default each node computes one piece."""
    report = simulated(link, "--nodes", str(nodes), "--job", NOOP)
    return float(report["formed_seconds"])


def round_trip_seconds(runs: int) -> float:
    """From a client to a host and back."""
    found = [publish(1, 1.0, window=1)["p50_ms"] for _ in range(runs)]
    return float(median(found)) / 1e3


def calibrated(round_trip: float, nodes: Sequence[int], forming: Sequence[float]) -> Link:
    """With the service time by which a larger tree takes as much longer than a smaller one as was
    measured, and what then is left of a round trip for the links."""
    latency = round_trip / 2

    def longer(service: float) -> float:
        link = Link(latency, service)
        return formed_simulated(link, nodes[1]) - formed_simulated(link, nodes[0])

    service = service_seconds(longer, TRIED_SECONDS, forming[1] - forming[0])
    return Link(max(latency - service / 2, latency / 2), service)


def service_seconds(longer: Callable[[float], float], tried: float, measured: float) -> float:
    """How long forming takes grows evenly with the service time: where it is what was measured."""
    none, some = longer(0.0), longer(tried)
    return max(0.0, tried * (measured - none) / (some - none))


def predicted(scale: int, runs: int) -> Outcome:
    """Calibrate, predict, measure."""
    outcome = Outcome()
    round_trip = round_trip_seconds(runs)
    few = [nodes // min(scale, 20) for nodes in CALIBRATED_NODES]
    partitions, sizes = 10_000 // scale, [1_000 // scale, 5_000 // scale]
    rollup = ("--partitions", str(partitions), "--fanout", "100", "--delay", "0.075", "--job", NOOP)
    whole = ours(f"{partitions:,} x 75 ms, 100 nodes finished", partitions, 100, *rollup)
    *small, finishing, larger, largest = measure(
        [*map(formed, few), whole, *map(formed, sizes)], runs
    )
    link = calibrated(round_trip, few, [one.seconds for one in small])
    outcome.line("predicted", "calibration: a round trip", f"{1e3 * round_trip:.3f} ms")
    for one in small:
        outcome.wall("predicted", one)
    figure = f"{1e3 * link.latency_seconds:.3f} ms, {1e6 * link.service_seconds:.1f} us a message"
    outcome.line("predicted", "so latency and service time", figure)
    finished = simulated(link, "--nodes", "100", *rollup)
    outcome.insist(finished["result"] == partitions, "simulated")
    _compare(outcome, finishing, finished["finished_seconds"])
    for nodes, measured in zip(sizes, (larger, largest), strict=True):
        _compare(outcome, measured, formed_simulated(link, nodes))
    return outcome


def _compare(outcome: Outcome, measured: Measured, seconds: float) -> None:
    outcome.wall("predicted", measured)
    figure = f"predicted {seconds:.3f} s, ratio {seconds / measured.seconds:.3f}"
    outcome.line("predicted", measured.name, figure, AIM)
