"""What is told on standard error while a computation goes on.

On a terminal one line shows how far it is. Elsewhere, and above that line, notable things are
told in a line each when they happen: where the host listens, that work has begun.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from plugins.console.progress import Progress, left, line
from plugins.console.telling import counted
from transports.command.wanted import PROGRAM


class Teller:
    """Tells how far the root's process is. Each method but `note` may be called at any rate."""

    def __init__(self, stream: TextIO | None, live: bool = True) -> None:
        self._stream = stream
        self._progress = Progress(stream if live else None)
        self._before: tuple[float, int] | None = None  # when work began, and what was done

    @property
    def on_terminal(self) -> bool:
        """Whether anybody sees the line; if not there is no need to say how far it is."""
        return self._progress.on_terminal

    def note(self, text: str) -> None:
        """Something notable, in one line."""
        self._progress.clear()
        if self._stream is not None:
            print(f"{PROGRAM}: {text}", file=self._stream, flush=True)

    def waiting(
        self, processes: int, nodes: int, wanted: int | None, seconds_left: float | None
    ) -> None:
        """Before work begins. `wanted`: nodes for which it waits; `seconds_left`: until it begins
        in any case. None is not known."""
        self._progress.show(lambda: waiting_line(processes, nodes, wanted, seconds_left))

    def working(self, nodes: int, accepted: int, partitions: int) -> None:
        """While it goes on."""
        now = time.perf_counter()
        began, before = self._before = self._before or (now, accepted)
        seconds = now - began
        self._progress.show(lambda: working_line(nodes, accepted, partitions, before, seconds))

    def clear(self) -> None:
        """Something else is to be printed."""
        self._progress.clear()


@contextmanager
def teller(stream: TextIO | None, live: bool = True) -> Iterator[Teller]:
    """Told on `stream` for as long as this lasts; only what is notable if not `live`."""
    made = Teller(stream, live)
    try:
        yield made
    finally:
        made.clear()


def waiting_line(processes: int, nodes: int, wanted: int | None, seconds_left: float | None) -> str:
    """Who is connected, and what it waits for."""
    of = "" if wanted is None else f" of {wanted:,}"
    parts = [
        "waiting for nodes",
        f"{counted(processes, 'process')} connected",
        f"{nodes:,}{of} nodes",
    ]
    if seconds_left is not None:
        parts.append(left(max(0.0, seconds_left)))
    return "  ".join(parts)


def working_line(nodes: int, accepted: int, partitions: int, before: int, seconds: float) -> str:
    """Partitions done, `before` of them before these `seconds`, how fast, when it may be over."""
    rate = (accepted - before) / max(seconds, 1e-9)
    parts = [
        f"at {seconds:.1f} s",
        f"{nodes:,} nodes",
        f"{accepted:,} of {partitions:,} partitions",
        f"{rate:,.0f} a second",
    ]
    return line(accepted / partitions, parts, (partitions - accepted) / rate if rate > 0 else None)
