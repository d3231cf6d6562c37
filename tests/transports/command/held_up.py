"""Jobs that are not over before a file is there, for tests that do something meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

from tests.running import Programs
from tests.transports.command.jobs_for_tests import LOGGING, WAITING


def lines(path: Path) -> list[tuple[int, int]]:
    """Who did what: partition, process."""
    found = [line.split() for line in path.read_text().splitlines()]
    return [(int(index), int(process)) for index, process in found]


def logging(run: Programs, seconds: float, most: int) -> tuple[Path, Path, tuple[object, ...]]:
    """The log of a job, the file that those who have done `most` wait for, and the options."""
    log, go = run.folder / "log", run.folder / "go"
    log.touch()
    value = {"log": str(log), "go": str(go), "most": most, "seconds": seconds}
    return log, go, ("--job", run.job(LOGGING), "--input", json.dumps(value))


def waiting(run: Programs) -> tuple[Path, tuple[object, ...]]:
    """The file that all pieces of a job wait for, and the options."""
    go = run.folder / "go"
    value = json.dumps({"half": 0, "go": str(go)})
    return go, ("--job", run.job(WAITING), "--input", value)
