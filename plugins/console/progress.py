"""One line on a terminal that says how far something is. Nothing where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

REFRESH_SECONDS = 0.2  # of wall time
SHARE_MIN = 0.01  # done before an end is estimated


class Progress:
    """The line, until there is something else to print. `on_terminal`: whether there is one."""

    def __init__(self, stream: TextIO | None) -> None:
        self.on_terminal = stream is not None and stream.isatty()
        self._due = 0.0
        self._live: Any = None
        if self.on_terminal:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(file=stream, highlight=False),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
            )

    def show(self, line: str | Callable[[], str]) -> None:
        """Call it as often as you like: it is shown five times a second at most, and where it is
        a function it is asked no more often."""
        if self._live is None or (now := time.perf_counter()) < self._due:
            return
        from rich.text import Text

        self._due = now + REFRESH_SECONDS
        self._live.start()
        text = line if isinstance(line, str) else line()
        self._live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)

    def clear(self) -> None:
        """The line is gone, until the next is shown."""
        self._due = 0.0
        if self._live is not None:
            self._live.stop()


@contextmanager
def progress(stream: TextIO | None) -> Iterator[Progress]:
    """Progress on `stream`, if that is a terminal, for as long as this lasts."""
    shown = Progress(stream)
    try:
        yield shown
    finally:
        shown.clear()


def line(share: float, parts: Sequence[str], seconds_left: float | None) -> str:
    """What share is done, what there is to say of it, and when it may be over, if that is known."""
    last = [] if seconds_left is None or share < SHARE_MIN else [left(seconds_left)]
    return "  ".join([f"{int(100 * share):3} %", *parts, *last])


def left(seconds: float) -> str:
    """`1:05 left`."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02} left"
