"""What a view of a computation asks of a transport: to run the job's functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from core import messages as m
from core.messages import Value
from core.sessions.participant import Port

if TYPE_CHECKING:
    from core.worker import Worker


class JobPort(Port, Protocol):
    """A participant's port that runs functions, too. Nothing here waits for an answer."""

    def compute(self, worker: Worker, command: m.Compute) -> None:
        """Run compute on each input; then `worker.computed(...)` or `worker.raised(...)`."""

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        """Run prepare; then `worker.prepared(...)` or `worker.raised(...)`."""

    def collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        """Run collect; then `worker.collected(...)` or `worker.raised(...)`."""
