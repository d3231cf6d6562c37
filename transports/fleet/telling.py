"""How far a job is, in a line for a terminal."""

from __future__ import annotations

from typing import Protocol

from plugins.console.progress import line
from plugins.console.telling import counted


class Progress(Protocol):
    """How far it is. Before it begins it has no partitions."""

    @property
    def ahead(self) -> int: ...
    @property
    def nodes(self) -> int: ...
    @property
    def partitions(self) -> int: ...
    @property
    def accepted(self) -> int: ...


def progress_line(now: Progress, seconds: float) -> str:
    """Where it stands, so many seconds after somebody began to wait for it."""
    if not now.partitions:
        before = f" behind {counted(now.ahead, 'job')}" if now.ahead else ""
        return f"waiting{before}  at {seconds:.1f} s"
    parts = [
        f"at {seconds:.1f} s",
        counted(now.nodes, "node"),
        f"{now.accepted:,} of {counted(now.partitions, 'partition')}",
    ]
    return line(now.accepted / now.partitions, parts, None)
