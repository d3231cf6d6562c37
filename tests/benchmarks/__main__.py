"""The measured figures, each beside its proof: `python -m tests.benchmarks --help`.

Every measurement is a process of its own; a figure and its peer are measured in turn, A B A B,
and the median of the runs counts. A figure counts only if the result is right and every run
of it has the same digest. The exit code says whether all were right, not how fast they were.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import attrs

from sim.record import COMPILED

TOP = Path(__file__).parents[2]
HERE = Path(__file__).parent
LIBRARIES = ("simpy", "attrs", "msgspec")
SEED = 1
QUICK = 100  # so many times smaller
WORK = ("--latency", "uniform:0.02,0.08", "--delay", "uniform:0.5,1.5")
CROWD = ("--fanout", "100", *WORK)
PRIMES_BELOW = {1_000_000: 78_498, 100_000_000: 5_761_455}


@attrs.frozen
class Measured:
    """All runs of one command."""

    name: str
    wanted: int
    reports: list[dict[str, Any]]

    @property
    def proven(self) -> bool:
        """The right result each time, every partition once, and always the same run."""
        return len({report["digest"] for report in self.reports}) == 1 and all(
            report["result"] == self.wanted
            and report.get("failure") is None
            and report.get("accepted") == report.get("partitions")
            for report in self.reports
        )

    def median(self, field: str) -> float:
        return median(report[field] for report in self.reports)

    @property
    def seconds(self) -> float:
        return self.median("wall_seconds")

    @property
    def bytes(self) -> float:
        return self.median("peak_rss_bytes")


@attrs.frozen
class Command:
    """What is measured: a command that prints one JSON object, and the result it must have."""

    name: str
    wanted: int
    arguments: tuple[str, ...]

    def run(self) -> dict[str, Any]:
        command = [sys.executable, *self.arguments]
        before = cpu_seconds()
        ran = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, text=True, check=False)
        try:
            report: dict[str, Any] = json.loads(ran.stdout)
        except ValueError:
            raise SystemExit(
                f"{' '.join(command)}: exit code {ran.returncode}, no result"
            ) from None
        return {**report, "cpu_seconds": cpu_seconds() - before}


def cpu_seconds() -> float:
    """What all processes that were started here, and have ended, took of a core."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def floor(processes: int) -> Command:
    arguments = (str(HERE / "floor.py"), str(processes), str(SEED))
    return Command(f"bare SimPy, {processes:,}", processes, arguments)


def simulation(name: str, wanted: int, *options: str) -> Command:
    return Command(name, wanted, ("-m", "sim", *options, "--seed", str(SEED), "--json"))


def crowd(nodes: int) -> Command:
    return simulation(f"{nodes:,} nodes", nodes, "--nodes", str(nodes), *CROWD)


def measure(commands: Sequence[Command], runs: int) -> list[Measured]:
    """Run the commands in turn, so often."""
    reports: list[list[dict[str, Any]]] = [[] for _ in commands]
    for _ in range(runs):
        for command, own in zip(commands, reports, strict=True):
            own.append(command.run())
    return [Measured(c.name, c.wanted, own) for c, own in zip(commands, reports, strict=True)]


# -- the table -----------------------------------------------------------------------------


@attrs.frozen
class Row:
    """A figure, what it should be, and what proves it."""

    benchmark: str
    what: str
    figure: str
    target: str = ""
    proof: str = ""


HEAD = Row("benchmark", "what", "measured", "target", "proof")


def proof(measured: Measured) -> str:
    report = measured.reports[0]
    says = "verified" if measured.proven else f"WRONG, not {measured.wanted:,}"
    return (
        f"result {report['result']:,} {says}, digest {report['digest']}, seed {report['seed']}, "
        f"runs {len(measured.reports)}"
    )


def wall(benchmark: str, measured: Measured) -> Row:
    return Row(benchmark, measured.name, f"{measured.seconds:.3f} s", "", proof(measured))


def ratio(benchmark: str, one: Measured, other: Measured, target: str) -> Row:
    what = f"{one.name} / {other.name}"
    return Row(benchmark, what, f"{one.seconds / other.seconds:.3f}", target)


def slowdown(benchmark: str, one: Measured, other: Measured, target: str) -> Row:
    seconds = [each.reports[0]["finished_seconds"] for each in (one, other)]
    figure = f"{seconds[0]:.3f} / {seconds[1]:.3f} s simulated = {seconds[0] / seconds[1]:.2f}"
    return Row(benchmark, f"{one.name}: finished", figure, target)


def memory(benchmark: str, measured: Measured, target_gb: float) -> Row:
    figure = f"{measured.bytes / 1e9:.3f} GB"
    return Row(benchmark, f"{measured.name}, peak memory", figure, f"<= {target_gb:g} GB")


def table(rows: Sequence[Row]) -> str:
    cells = [attrs.astuple(row) for row in (HEAD, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
    return "\n".join(lines)


# -- what is measured ----------------------------------------------------------------------

Benchmark = tuple[list[Measured], list[Row]]


def million(scale: int, runs: int) -> Benchmark:
    """A million nodes, each computing one partition."""
    nodes = 1_000_000 // scale
    ours, bare = measured = measure([crowd(nodes), floor(nodes)], runs)
    return measured, [
        *(wall("million", each) for each in measured),
        ratio("million", ours, bare, "<= 1.0, aim 0.5"),
        memory("million", ours, 0.8),
    ]


def partitions(scale: int, runs: int) -> Benchmark:
    """A million short pieces on a hundred nodes."""
    pieces, below = 1_000_000 // scale, 100_000_000 // scale
    options = ("--nodes", "100", "--partitions", str(pieces), "--fanout", "100")
    noop = ("--job", str(HERE / "noop.py"))
    primes = ("--job", "plugins.primes", "--input", str(below))
    named = f"{pieces:,} partitions"
    *ours, bare = measured = measure(
        [
            simulation(f"{named}, no-op", pieces, *options, *noop),
            simulation(f"{named}, primes", PRIMES_BELOW[below], *options, *primes),
            floor(pieces),
        ],
        runs,
    )
    return measured, [
        *(wall("partitions", each) for each in measured),
        *(ratio("partitions", each, bare, "<= 0.1") for each in ours),
    ]


def growth(scale: int, runs: int) -> Benchmark:
    """Ten and a hundred times as many nodes."""
    measured = measure([crowd(n // scale) for n in (10_000, 100_000, 1_000_000)], runs)
    rows = [wall("growth", each) for each in measured]
    for each in measured:
        messages = f"{each.reports[0]['root_messages']:,}"
        rows.append(Row("growth", f"{each.name}, root messages", messages, "no growth: <= 204"))
    for each in measured:
        micro = 1e6 * each.seconds / each.reports[0]["nodes"]
        rows.append(Row("growth", f"{each.name}, wall time a node", f"{micro:.2f} us"))
    return measured, rows


def churn(scale: int, runs: int) -> Benchmark:
    """Nodes that leave: they stay for half of what all takes when they all stay, on average."""
    nodes = 100_000 // scale
    still = crowd(nodes)
    seconds = still.run()["finished_seconds"]
    leaving = simulation(
        f"{nodes:,} nodes that leave after {seconds / 2:.1f} s on average",
        nodes,
        *("--nodes", str(nodes), *CROWD, "--lifetime", f"exponential:{seconds / 2:.3f}"),
    )
    ours, undisturbed = measured = measure([leaving, still], runs)
    return measured, [
        *(wall("churn", each) for each in measured),
        slowdown("churn", ours, undisturbed, "<= 4"),
    ]


def interior(scale: int, runs: int) -> Benchmark:
    """The host of an interior session crashes at half time, seen by all or only missed."""
    nodes, pieces = 10_000 // scale, 100_000 // scale
    options = ("--nodes", str(nodes), "--partitions", str(pieces), "--fanout", "50", *WORK)
    still = simulation(f"{pieces:,} partitions, {nodes:,} nodes", pieces, *options)
    half = still.run()["finished_seconds"] / 2
    with TemporaryDirectory() as folder:
        crashes = []
        for number, how in enumerate(("", " silently")):
            script = Path(folder) / str(number)
            script.write_text(f"at {half:.3f} crash the host of 0-3{how}\n")
            name = f"the host of 0-3 crashes{how} at {half:.1f} s"
            crashes.append(simulation(name, pieces, *options, "--faults", str(script)))
        *ours, undisturbed = measured = measure([*crashes, still], runs)
    rows = [wall("interior", each) for each in measured]
    for each in ours:
        again = each.reports[0]["repeated"] / pieces
        rows.append(Row("interior", f"{each.name}: computed again", f"{again:.3%}", "< 1 %"))
        rows.append(slowdown("interior", each, undisturbed, ""))
    return measured, rows


def ten_million(scale: int, runs: int) -> Benchmark:
    """Ten times the million."""
    nodes = 10_000_000 // scale
    ours, tenth = measured = measure([crowd(nodes), crowd(nodes // 10)], runs)
    return measured, [
        *(wall("ten_million", each) for each in measured),
        ratio("ten_million", ours, tenth, "<= 12"),
        memory("ten_million", ours, 6.0),
    ]


BENCHMARKS: dict[str, Callable[[int, int], Benchmark]] = {
    "million": million,
    "partitions": partitions,
    "growth": growth,
    "churn": churn,
    "interior": interior,
    "ten_million": ten_million,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code: 1 if a result was wrong."""
    options = _parser().parse_args(arguments)
    names = [options.only] if options.only else [n for n in BENCHMARKS if n != "ten_million"]
    if options.all and not options.only:
        names.append("ten_million")
    print(circumstances(LIBRARIES), flush=True)
    everything: list[Measured] = []
    rows: list[Row] = []
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        measured, own = BENCHMARKS[name](QUICK if options.quick else 1, options.runs)
        everything += measured
        rows += own
    print(table(rows))
    wrong = [measured.name for measured in everything if not measured.proven]
    print("every result verified" if not wrong else f"WRONG: {'; '.join(wrong)}")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the sizes")
    parser.add_argument("--only", choices=BENCHMARKS, help="one of them")
    parser.add_argument("--all", action="store_true", help="the one that takes long, too")
    parser.add_argument("--runs", type=count, default=3, help="of each (default: 3)")
    return parser


def count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def circumstances(names: Sequence[str]) -> str:
    """When, on what and with which libraries it was measured, and whether the core was compiled."""
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.python_implementation()} "
        f"{platform.python_version()}, {'compiled' if COMPILED else 'interpreted'}, {libraries}, "
        f"{platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores"
    )


if __name__ == "__main__":
    raise SystemExit(main())
