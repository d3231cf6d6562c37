"""How far a job is, shown while it goes on: in a line on a terminal, or in a notebook.

Rules it keeps:
- A notebook is where IPython runs with a kernel. IPython is not imported for it: where nobody else
  has done so there is none.
- What is over within a moment shows nothing. What was shown stays.
- A job that a notebook displays goes on being shown there while other cells run.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from plugins.console.progress import progress
from plugins.console.telling import counted
from transports.fleet.errors import FleetError
from transports.fleet.telling import Progress, progress_line

LOOK_SECONDS = 0.2  # between two looks


class State(Progress, Protocol):
    """How far a job is, or how it ended."""

    @property
    def state(self) -> str: ...


class Job(Protocol):
    """A job, as far as it is shown."""

    @property
    def number(self) -> int: ...
    def progress(self) -> State: ...
    def _is_over(self, seconds: float) -> bool: ...


def show(job: Job) -> None:
    """Say how far it is until it is over, where anybody sees it; else return at once."""
    if (display := in_notebook()) is not None:
        if not job._is_over(LOOK_SECONDS):
            _follow(job, display, time.monotonic() - LOOK_SECONDS)
        return
    with progress(sys.stderr) as shown:
        began = time.monotonic()
        while shown.on_terminal and not job._is_over(LOOK_SECONDS):
            shown.show(progress_line(job.progress(), time.monotonic() - began))


def show_beside(job: Job) -> None:
    """Display it in the notebook, and go on with that in a thread; elsewhere print what it is."""
    display = in_notebook()
    if display is None:
        print(repr(job))
    elif job._is_over(0):
        display(_plain(told(job, 0)), raw=True)
    else:
        given = job, display, time.monotonic()
        threading.Thread(target=_follow, args=given, name="job display", daemon=True).start()


def in_notebook() -> Callable[..., Any] | None:
    """What displays something in the notebook in which this runs; None elsewhere."""
    running = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    display = getattr(sys.modules.get("IPython.display"), "display", None)
    return display if hasattr(running, "kernel") else None


def told(job: Job, seconds: float) -> str:
    """Where it stands, so many seconds after somebody began to look; or how it ended."""
    try:
        now = job.progress()
    except FleetError as error:
        return f"job {job.number}: {error}"
    if now.state in ("queued", "running"):
        return f"job {job.number}: {progress_line(now, seconds)}"
    done = f", {now.accepted:,} of {counted(now.partitions, 'partition')}" if now.partitions else ""
    return f"job {job.number} {now.state}{done}"


def _follow(job: Job, display: Callable[..., Any], began: float) -> None:
    """Until it is over."""
    handle = display(_plain(told(job, time.monotonic() - began)), raw=True, display_id=True)
    over = False
    while not over:
        over = job._is_over(LOOK_SECONDS)
        handle.update(_plain(told(job, time.monotonic() - began)), raw=True)


def _plain(line: str) -> dict[str, str]:
    return {"text/plain": line}
