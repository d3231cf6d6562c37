"""Contenders, measured in turn, and the lines that say what came of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import attrs

from tests.benchmarks.__main__ import Row

TOP = Path(__file__).parents[3]
HERE = Path(__file__).parent
NOOP = str(HERE.parent / "noop.py")
PEERS_PYTHON, NO_PEERS = "MILLION_NODES_PEERS_PYTHON", "none"
TCP = ("-m", "transports.tcp")
LAST_WORDS = 2000  # characters of what a process said before it failed

Report = dict[str, Any]  # "result", "seconds", and what else a contender has to say


@attrs.frozen
class Contender:
    """What is measured, and the result it must have."""

    name: str
    wanted: Any
    run: Callable[[], Report]


@attrs.frozen
class Measured:
    """All runs of one contender."""

    name: str
    wanted: Any
    reports: list[Report]

    @property
    def missing(self) -> str | None:
        """Why it could not run."""
        found: str | None = self.reports[0].get("missing")
        return found

    @property
    def proven(self) -> bool:
        """The right result each time."""
        return all(
            report["result"] == self.wanted and report.get("failure") is None
            for report in self.reports
        )

    @property
    def seconds(self) -> float:
        return self.median("seconds")

    def median(self, field: str) -> float:
        middle: float = median(report[field] for report in self.reports)
        return middle

    def each(self, field: str) -> str:
        """All of them, in the order measured."""
        return ", ".join(f"{report[field]:.2f}" for report in self.reports)


def measure(contenders: Sequence[Contender], runs: int) -> list[Measured]:
    """Run them in turn, so often; once only what cannot run here."""
    found = [Measured(each.name, each.wanted, []) for each in contenders]
    for number in range(runs):
        for each, measured in zip(contenders, found, strict=True):
            if number == 0 or measured.missing is None:
                measured.reports.append(each.run())
    return found


@attrs.define
class Outcome:
    """What a benchmark found: its lines, and the names of what was wrong."""

    rows: list[Row] = attrs.Factory(list)
    wrong: list[str] = attrs.Factory(list)

    def insist(self, right: bool, name: str) -> str:
        """Note `name` where it is not right; the word to print."""
        if not right:
            self.wrong.append(name)
        return "verified" if right else "WRONG"

    def line(
        self, benchmark: str, what: str, figure: str, target: str = "", proof: str = ""
    ) -> None:
        self.rows.append(Row(benchmark, what, figure, target, proof))

    def wall(self, benchmark: str, measured: Measured, target: str = "") -> None:
        """A line for one contender."""
        if measured.missing:
            return self.line(benchmark, measured.name, "not measured", "", measured.missing)
        says = self.insist(measured.proven, measured.name)
        proof = f"result {measured.reports[0]['result']!r:.40} {says}"
        if version := measured.reports[0].get("version"):
            proof += f", {version}"
        proof += f", {len(measured.reports)} runs: {measured.each('seconds')}"
        return self.line(benchmark, measured.name, f"{measured.seconds:.3f} s", target, proof)

    def ratio(self, benchmark: str, one: Measured, other: Measured, target: str) -> None:
        """A line that compares two."""
        if not (one.missing or other.missing):
            what, figure = f"{one.name} / {other.name}", f"{one.seconds / other.seconds:.3f}"
            self.line(benchmark, what, figure, target)


# -- processes -----------------------------------------------------------------------------


def said(command: Sequence[str], seconds: float = 1800.0) -> Report:
    """The JSON object that a command prints last. Raises SystemExit with its last words."""
    ran = subprocess.run(
        command, cwd=TOP, capture_output=True, text=True, check=False, timeout=seconds
    )
    try:
        report: Report = json.loads(ran.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        words = (ran.stdout + ran.stderr)[-LAST_WORDS:]
        line = f"{' '.join(command)}: exit code {ran.returncode}, no result\n{words}"
        raise SystemExit(line) from None
    return report


def ours(
    name: str, wanted: Any, nodes: int, *options: str, bots: str = "plugins.bots_local"
) -> Contender:
    """A host with bots in two processes of this machine, that begins when all are connected."""
    crowd = ("--bots", bots, "--nodes", str(nodes), "--processes", "2")
    listen = ("--listen", "127.0.0.1:0", "--wait-nodes", str(nodes))
    command = [sys.executable, *TCP, "host", *listen, *crowd, *options, "--json"]

    def run() -> Report:
        report = said(command)
        return {**report, "seconds": report["finished_seconds"]}

    return Contender(name, wanted, run)


def peer(name: str, title: str, partitions: int) -> Contender:
    """One of peers.py, run by the Python that has it."""
    python = os.environ.get(PEERS_PYTHON, sys.executable)
    if python == NO_PEERS:
        return Contender(title, partitions, lambda: {"missing": "no peers were wanted"})
    command = [python, str(HERE / "peers.py"), name, str(partitions)]
    return Contender(title, partitions, lambda: said(command))
