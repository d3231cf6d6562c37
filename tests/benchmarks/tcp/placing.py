"""Bots that note when their nodes set out and when they found their places.

As a launcher it is that of bots on this machine, `--bots tests.benchmarks.tcp.placing:FOLDER`; what
it starts is this module, which is `python -m transports.tcp` but for the noting, and leaves a file
in FOLDER when it ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from core import Worker
from plugins import bots_local
from plugins.launching import Bots, Command
from transports import tcp

FOLDER = "MILLION_NODES_PLACES"


@asynccontextmanager
async def bots(
    where: str, processes: int, command: Command, environment: Mapping[str, str]
) -> AsyncIterator[Bots]:
    """Those of plugins.bots_local; `where` is the folder."""

    def noting(number: int, of: int) -> list[str]:
        words = command(number, of)
        return [__name__ if word == "transports.tcp" else word for word in words]

    async with bots_local.bots("", processes, noting, {**environment, FOLDER: where}) as started:
        yield started


class Notes:
    """Of one process: when the first of its nodes set out, when the last so far was placed."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.last = 0.0
        self.working = False  # somebody has computed a piece, and may go on to other places

    def enter(self) -> None:
        if self.first is None:
            self.first = time.time()

    def seated(self) -> None:
        if not self.working:
            self.last = time.time()

    def computed(self) -> None:
        self.working = True

    def listen(self, name: str) -> None:
        """Note whenever that method of a view is called."""
        method, note = getattr(Worker, name), getattr(self, name)

        @wraps(method)
        def noted(*arguments: Any, **named: Any) -> Any:
            note()
            return method(*arguments, **named)

        setattr(Worker, name, noted)


def formed_seconds(folder: Path) -> float:
    """From when the first node of all set out until the last was placed."""
    notes = [json.loads(file.read_text()) for file in folder.iterdir()]
    return float(max(last for _, last in notes) - min(first for first, _ in notes))


def main() -> int:
    """Join as the arguments say. Returns the exit code."""
    notes = Notes()
    for name in ("enter", "seated", "computed"):
        notes.listen(name)
    code = tcp.main()
    file = Path(os.environ[FOLDER], str(os.getpid()))
    file.write_text(json.dumps([notes.first, notes.last]))
    return code


if __name__ == "__main__":
    sys.exit(main())
