"""What a view of a computation asks of a transport: to run the job's functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from mypy_extensions import mypyc_attr

from core import messages as m
from core.messages import Value
from core.sessions.chain import View
from core.sessions.port import Port

if TYPE_CHECKING:
    from core.worker import Worker


@mypyc_attr(allow_interpreted_subclasses=True)
class JobPort(Port):
    """A participant's port that has functions run, too. Nothing here waits for an answer."""

    # Run compute on each input; then `worker.computed(...)` or `worker.raised(...)`.
    compute: Callable[[Worker, m.Compute], None]
    # Run prepare; then `worker.prepared(...)` or `worker.raised(...)`.
    prepare: Callable[[Worker, str, Value, list[int]], None]
    # Run collect; then `worker.collected(...)` or `worker.raised(...)`.
    collect: Callable[[Worker, str, list[Value]], None]


def jobs(view: View) -> JobPort:
    """The port of a view of a computation."""
    return cast(JobPort, view.port)
